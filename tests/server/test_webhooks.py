"""A webhook is believed to come from who has the secret, and never for what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.errors import InvalidInput, InvalidSettings
from flowsource.server.webhooks import is_usable, remembered_as
from flowsource.server.webhooks_named import place_of, places_named
from flowsource.server.webhooks_secret import secret_in
from tests.server.signing import SECRET, SIGNERS, STANDARD, Signer, github, gitlab, standard

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = int(NOW.timestamp())
BODY = b'{"repository": {"clone_url": "https://example.org/org/repo.git"}}'
HEADERS = sorted({name for sign in SIGNERS.values() for name in sign(BODY)} | set(standard(BODY, at=AT)))
SIGNED = [signer for name, signer in SIGNERS.items() if name != "gitlab"]


def _payloads(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    names = st.sampled_from(["repository", "project", "url", "links", "clone"])
    return st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)


def judged(headers: Mapping[str, str], body: bytes = BODY, secret: bytes = SECRET) -> str | None:
    return remembered_as({name.lower(): text for name, text in headers.items()}, body, secret, now=NOW)


@pytest.mark.parametrize("sign", SIGNERS.values(), ids=SIGNERS)
def test_each_sender_is_known_by_the_secret_alone(sign: Signer) -> None:
    assert judged(sign(BODY)) is not None
    assert judged(sign(BODY), secret=SECRET + b"!") is None


@pytest.mark.parametrize("sign", SIGNED)
def test_a_body_that_was_swapped_is_refused(sign: Signer) -> None:
    assert judged(sign(BODY), BODY.replace(b"repo", b"evil")) is None


@pytest.mark.parametrize("sign", SIGNERS.values(), ids=SIGNERS)
def test_a_delivery_is_remembered_by_what_nobody_else_can_change(sign: Signer) -> None:
    renamed = {**sign(BODY), "X-GitHub-Delivery": "another", "X-Gitlab-Event-UUID": "another"}
    assert judged(renamed) == judged(sign(BODY))
    other = BODY + b" "
    assert judged(sign(other), other) != judged(sign(BODY))


def test_the_vectors_that_others_publish_are_taken() -> None:
    github_says = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert judged(github_says, b"Hello, World!", b"It's a Secret to Everybody") is not None
    standard_says = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret, at = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", datetime.fromtimestamp(1614265330, UTC)
    assert remembered_as(standard_says, b'{"test": 2432232314}', secret, now=at) == "id msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_what_carries_no_signature_is_refused() -> None:
    assert judged({}) is None
    assert judged({"webhook-id": "msg_1"}, secret=STANDARD) is None


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256", "sha1=00", "00", "é", "SHA256=00", f"sha256={'0' * 64}", github(BODY)["X-Hub-Signature"]],
)
def test_a_signature_of_another_form_is_refused_whatever_it_holds(signature: str) -> None:
    for header in ("X-Hub-Signature-256", "X-Hub-Signature", "X-Gitea-Signature", "X-Gitlab-Token"):
        assert judged({header: signature}) is None


def test_a_wrong_signature_is_not_made_good_by_another_that_is_right() -> None:
    assert judged({**gitlab(BODY), "X-Hub-Signature-256": f"sha256={'0' * 64}"}) is None


@pytest.mark.parametrize("late", [-301, -300, 0, 300, 301])
def test_a_signed_instant_may_be_five_minutes_off(late: int) -> None:
    assert (judged(standard(BODY, at=AT + late), secret=STANDARD) is not None) == (abs(late) <= 300)


def test_a_signed_id_and_instant_cannot_be_changed() -> None:
    good = standard(BODY, at=AT)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(AT + 1)}):
        assert judged({**good, **changed}, secret=STANDARD) is None
    assert judged(good, BODY + b" ", secret=STANDARD) is None


def test_one_of_several_signatures_is_enough_while_a_secret_is_changed() -> None:
    good = standard(BODY, at=AT)
    several = {**good, "webhook-signature": f"v1a,abc v1,AAAA {good['webhook-signature']}"}
    assert judged(several, secret=STANDARD) == "id msg_1"


@pytest.mark.parametrize("instant", ["", "-1", "1e9", "٣", "9" * 5000, "12.5"])
def test_an_instant_that_is_none_is_refused(instant: str) -> None:
    assert judged({**standard(BODY, at=AT), "webhook-timestamp": instant}, secret=STANDARD) is None


def test_with_a_secret_of_the_newer_kind_the_older_kinds_are_not_taken() -> None:
    assert judged({"X-Gitlab-Token": STANDARD.decode()}, secret=STANDARD) is None


@pytest.mark.parametrize(
    ("secret", "usable"),
    [(b"short", False), (b"x" * 16, True), (b"whsec_", False), (b"whsec_####", False), (b"whsec_AAAA", False)],
)
def test_a_secret_that_can_be_guessed_is_not_used(secret: bytes, usable: bool) -> None:
    assert is_usable(secret) is usable
    assert is_usable(STANDARD)


@pytest.mark.parametrize(
    "payload",
    [
        {"repository": {"clone_url": "https://example.org/org/repo.git", "ssh_url": "git@example.org:org/repo.git"}},
        {"project": {"git_http_url": "https://example.org/org/repo.git"}, "repository": {"url": "ssh://x@y/z"}},
        {"repository": {"links": {"html": {"href": "https://example.org/Org/Repo"}}}},
        {"repository": {"links": {"clone": [{"href": "ssh://git@example.org:7999/org/repo.git", "name": "ssh"}]}}},
        {"repository": "https://somebody@example.org:8443/org/repo/"},
    ],
)
def test_the_repository_that_a_payload_is_about_is_found_in_each_form(payload: object) -> None:
    assert "example.org/org/repo" in places_named(json.dumps(payload).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[1]",
        b'"repository"',
        b"{" * 100_000,
        b'{"repository":' * 30_000,
        b'{"repository": ' + b"9" * 10_000 + b"}",
        b"\xff\xfe",
        b"payload=%7B%7D",
        b'{"repository": {"clone_url": 5, "url": null, "x": "https://[bad/y", "y": "no address"}}',
        b'{"pusher": {"url": "https://example.org/org/repo"}}',
    ],
)
def test_a_body_that_names_no_repository_names_none(body: bytes) -> None:
    assert places_named(body) == frozenset()


def test_a_payload_cannot_name_more_than_a_few() -> None:
    many = {"repository": [f"https://example.org/{number}" for number in range(10_000)]}
    assert len(places_named(json.dumps(many).encode())) <= 64


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://example.org/a/b.git", "git@example.org:a/b", True),
        ("https://example.org/a/b", "http://user:pw@EXAMPLE.org:8080/A/B.git/", True),
        ("https://example.org/a/b", "https://example.com/a/b", False),
        ("https://example.org/a/b", "https://example.org/a/b2", False),
        ("https://example.org/a/b", "https://example.org.evil.net/a/b", False),
    ],
)
def test_addresses_of_one_repository_are_one_place(one: str, other: str, same: bool) -> None:
    assert (place_of(one) == place_of(other)) is same


def test_a_secret_comes_from_a_variable_or_a_file_and_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", f" {SECRET.decode()}\n")
    assert secret_in(variable="HOOK", file=None)() == SECRET
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    read = secret_in(variable=None, file=str(file))
    file.write_bytes(STANDARD)
    assert read() == STANDARD
    file.unlink()
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read()


def test_a_secret_that_is_not_there_or_too_short_is_refused_by_name_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLOWSOURCE_WEBHOOK_SECRET", raising=False)
    with pytest.raises(InvalidSettings, match="environment variable FLOWSOURCE_WEBHOOK_SECRET is not set"):
        secret_in(variable=None, file=None)
    monkeypatch.setenv("HOOK", "pssst")
    with pytest.raises(InvalidSettings, match="environment variable HOOK can be guessed") as raised:
        secret_in(variable="HOOK", file=None)
    assert "pssst" not in str(raised.value)
    with pytest.raises(InvalidInput, match="give one of them"):
        secret_in(variable="HOOK", file=str(tmp_path))


def test_a_replay_after_the_window_is_refused_by_its_instant() -> None:
    good = standard(BODY, at=AT)
    headers = {name.lower(): text for name, text in good.items()}
    assert remembered_as(headers, BODY, STANDARD, now=NOW + timedelta(minutes=6)) is None


@given(st.binary() | st.recursive(st.text() | st.integers(), _payloads).map(lambda value: json.dumps(value).encode()))
def test_whatever_is_sent_names_places_or_nothing(body: bytes) -> None:
    assert all(isinstance(place, str) and place for place in places_named(body))


@given(
    st.dictionaries(st.sampled_from(HEADERS), st.text(st.characters(max_codepoint=255))),
    st.binary(),
    st.sampled_from([SECRET, STANDARD]),
)
def test_nobody_gets_in_by_chance(headers: dict[str, str], body: bytes, secret: bytes) -> None:
    assert judged(headers, body, secret) is None
