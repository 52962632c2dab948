"""The door for webhooks, over real HTTP: what it takes, what it refuses, and how little comes of a flood."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import anyio
import httpx
import pytest

from flowsource.errors import InvalidInput, InvalidSettings, StoreUnavailable
from flowsource.server import webhooks_door, webhooks_hints
from flowsource.server.webhooks_door import LARGEST_BODY, WebhookDoor
from flowsource.server.webhooks_hints import Hints
from flowsource.server.webhooks_serving import serve_webhooks
from flowsource.snapshots.cache import SnapshotCache
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import KnownSource
from flowsource.watch.keeping import keep_fresh
from tests.server.signing import SECRET, SIGNERS, STANDARD, Signer, bitbucket, github, gitlab, standard
from tests.store.source_contract import REPORT
from tests.support.waiting import PATIENCE, until
from tests.watch.told import Remote, ToldSource, revision, watch

pytestmark = pytest.mark.anyio

ADDRESS = "https://example.org/org/repo.git"
JSON = {"Content-Type": "application/json; charset=utf-8"}
HEAD = b"POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def payload(number: int = 1, address: str = ADDRESS) -> bytes:
    return json.dumps({"after": number, "repository": {"clone_url": address}}).encode()


class Door:
    """A door that is open, as a sender sees it, and the store behind it."""

    def __init__(self, client: httpx.AsyncClient, store: Store, port: int) -> None:
        self.client, self.store, self.port = client, store, port
        self.secret: bytes | None = SECRET

    async def post(self, body: bytes, sign: Signer = github) -> int:
        """The status of a delivery."""
        return (await self.client.post("/webhooks", content=body, headers={**JSON, **sign(body)})).status_code

    def post_many(self, bodies: Sequence[bytes]) -> list[int]:
        """The statuses of many deliveries by one connection, one after the other; blocking."""
        statuses = []
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            for body in bodies:
                connection.request("POST", "/webhooks", body, {**JSON, **bitbucket(body)})
                with connection.getresponse() as answer:
                    answer.read()
                    statuses.append(answer.status)
        return statuses

    async def hints(self, key: str = "key") -> int:
        """How often the sources of `key` were hinted at."""
        return (await self.store.source_wishes([key]))[0].hints

    async def until_hinted(self, times: int) -> None:
        """Wait for that many hints."""
        while await self.hints() < times:  # noqa: ASYNC110 - seen in the store
            await anyio.sleep(0.01)

    def give_secret(self) -> bytes:
        """The secret as it is now."""
        if self.secret is None:
            raise InvalidSettings("the file has gone")
        return self.secret


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        await store.report_sources([replace(REPORT, address=ADDRESS)])
        await store.report_sources([replace(REPORT, key="other", address="https://example.org/org/other.git")])
        yield store


@pytest.fixture
async def door(store: Store) -> AsyncIterator[Door]:
    addresses: list[str] = []
    secrets: list[Door] = []
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            await serve_webhooks(
                store, lambda: secrets[0].give_secret(), host="127.0.0.1", port=0, on_ready=addresses.append
            )

        tasks.start_soon(serve)
        await until(lambda: bool(addresses))
        async with httpx.AsyncClient(base_url=addresses[0], timeout=PATIENCE) as client:
            door = Door(client, store, int(addresses[0].rpartition(":")[2]))
            secrets.append(door)
            yield door
        tasks.cancel_scope.cancel()


@pytest.fixture
def each_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets each delivery be a hint, however soon after another it comes."""
    monkeypatch.setattr(webhooks_hints, "AT_MOST_EVERY", timedelta(0))


@pytest.mark.parametrize("sign", SIGNERS.values(), ids=SIGNERS)
async def test_a_push_that_is_signed_hints_at_the_source_it_names_and_no_other(door: Door, sign: Signer) -> None:
    assert await door.post(payload(), sign) == 202
    await door.until_hinted(1)
    assert await door.hints("other") == 0


@pytest.mark.usefixtures("each_counts")
async def test_a_signing_token_works_as_the_secret_and_its_id_counts_once(door: Door) -> None:
    door.secret = STANDARD
    at = int(datetime.now(UTC).timestamp())

    def sign(body: bytes) -> dict[str, str]:
        return dict(standard(body, at=at))

    assert [await door.post(payload(), sign) for _ in range(3)] == [202] * 3
    await door.until_hinted(1)
    assert await door.post(payload(), lambda body: standard(body, at=at - 600)) == 401
    assert await door.post(payload(), lambda body: standard(body, at=at, identity="msg_2")) == 202
    await door.until_hinted(2)
    assert await door.hints() == 2


async def test_a_forged_or_swapped_delivery_is_refused_and_hints_at_nothing(door: Door) -> None:
    good = github(payload())
    assert await door.post(payload(2), lambda _: good) == 401
    assert await door.post(payload(), lambda _: {}) == 401
    assert await door.post(payload(), lambda _: {"X-Gitlab-Token": ""}) == 401
    assert await door.post(payload(), lambda _: {**good, "X-Hub-Signature-256": "sha256=" + "0" * 64}) == 401
    assert await door.hints() == 0


async def test_a_header_that_is_sent_twice_counts_for_nothing(door: Door) -> None:
    token = SECRET.decode()
    headers = [*JSON.items(), ("X-Gitlab-Token", token), ("X-Gitlab-Token", "another")]
    assert (await door.client.post("/webhooks", content=payload(), headers=headers)).status_code == 401


def always(headers: Mapping[str, str]) -> Signer:
    """What sends these, whatever is delivered."""
    return lambda body: headers


@pytest.mark.usefixtures("each_counts")
async def test_a_replayed_delivery_is_answered_as_before_and_counts_once(door: Door) -> None:
    for number in range(5):
        renamed = {**github(payload()), "X-GitHub-Delivery": f"another {number}"}
        assert await door.post(payload(), always(renamed)) == 202
        await door.until_hinted(1)
    assert await door.post(payload(9)) == 202
    await door.until_hinted(2)
    assert await door.hints() == 2, "two deliveries, however often the first was sent"


async def test_a_source_that_nobody_knows_is_answered_as_one_that_is_known(door: Door) -> None:
    answers = []
    for address in (ADDRESS, "https://example.org/no/such.git"):
        body = payload(address=address)
        answers.append(await door.client.post("/webhooks", content=body, headers={**JSON, **github(body)}))
    known, unknown = ((answer.status_code, answer.content, sorted(answer.headers)) for answer in answers)
    assert known == unknown
    assert "server" not in answers[0].headers


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("GET", "/webhooks", "application/json", 405),
        ("PUT", "/webhooks", "application/json", 405),
        ("HEAD", "/webhooks", "application/json", 405),
        ("POST", "/", "application/json", 404),
        ("POST", "/webhooks/", "application/json", 404),
        ("POST", "/webhooks/..%2f", "application/json", 404),
        ("POST", "/webhooks", "application/x-www-form-urlencoded", 415),
        ("POST", "/webhooks", "text/plain", 415),
        ("POST", "/webhooks", "application/json5", 415),
        ("POST", "/webhooks", "", 415),
    ],
)
async def test_what_is_no_webhook_is_refused_though_it_is_signed(
    door: Door, method: str, path: str, kind: str, status: int
) -> None:
    headers = {**github(payload()), "Content-Type": kind}
    answer = await door.client.request(method, path, content=payload(), headers=headers)
    assert (answer.status_code, answer.content, answer.headers.get("allow")) == (
        status,
        b"",
        "POST" if status == 405 else None,
    )
    assert await door.hints() == 0


async def test_a_body_that_is_compressed_is_not_unpacked(door: Door) -> None:
    assert await door.post(payload(), lambda body: {**github(body), "Content-Encoding": "gzip"}) == 415


async def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not(door: Door) -> None:
    fits = payload() + b" " * (LARGEST_BODY - len(payload()))
    assert await door.post(fits) == 202
    assert await door.post(fits + b" ") == 413


async def test_a_body_that_never_ends_is_cut_off_without_being_held(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE) as sender:
        head = (
            "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        await anyio.to_thread.run_sync(sender.sendall, head.encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

        def send_until_answered() -> None:
            sent = 0
            try:
                while sent < 1 << 30:
                    sender.sendall(chunk)
                    sent += 0x10000
            except OSError:
                pass
            assert sent < 64 << 20, "it went on to read"

        await anyio.to_thread.run_sync(send_until_answered)
    assert await door.post(payload()) == 202, "and it serves others"


async def test_a_length_that_is_told_to_be_too_much_is_refused_before_anything_is_sent(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE) as sender:
        head = (
            "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"
        )
        sender.sendall(head.encode())
        answer = await anyio.to_thread.run_sync(sender.recv, 1000)
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_sender_that_stops_in_the_middle_is_not_waited_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks_door, "PATIENCE", webhooks_door.PATIENCE / 100)
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE) as sender:
        sender.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        answer = await anyio.to_thread.run_sync(sender.recv, 1000)
    assert answer.startswith(b"HTTP/1.1 408")


async def test_a_secret_may_change_while_it_is_open_and_its_loss_is_no_way_in(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    assert await door.post(payload(1)) == 202
    door.secret = b"another secret altogether"
    assert await door.post(payload(2)) == 401
    door.secret = None
    assert await door.post(payload(3)) == 503
    assert SECRET.decode() not in caplog.text
    assert caplog.text.count("refused") == 1


async def test_a_thousand_webhooks_are_a_handful_of_polls(door: Door, tmp_path: Path, remote: Remote) -> None:
    source = ToldSource(remote, key="key", every=3600, selector="", host="example.org")
    source.url = ADDRESS
    watched = await watch(SnapshotCache(tmp_path / "cache"), source)
    asked, begun = remote.asked, time.monotonic()
    remote.answer = revision(2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_fresh, [watched.watcher], door.store)
        statuses: list[int] = []

        async def send(first: int) -> None:
            bodies = [payload(number) for number in range(first, first + 250)]
            statuses.extend(await anyio.to_thread.run_sync(door.post_many, bodies))

        async with anyio.create_task_group() as senders:
            for first in range(0, 1000, 250):
                senders.start_soon(send, first)
        await until(lambda: watched.snapshots == [("", revision(2).id)])
        tasks.cancel_scope.cancel()
    assert statuses == [202] * 1000
    assert 1 <= remote.asked - asked <= 2 + (time.monotonic() - begun)


async def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks_door, "_REMEMBERED", 3)
    hinted: list[object] = []
    door = WebhookDoor(lambda: SECRET, hinted.append)
    for number in (1, 2, 3, 1, 4, 4, 1):
        door._take({name.lower(): text for name, text in gitlab(b"").items()}, payload(number))
    assert len(hinted) == 5


class AwayStore:
    """A store that is away at first, as far as hints need one."""

    def __init__(self, store: Store) -> None:
        self._store, self.is_away, self.now = store, True, store.now

    async def sources(self, *, now: datetime) -> list[KnownSource]:
        if self.is_away:
            self.is_away = False
            raise StoreUnavailable("the disk is full")
        return await self._store.sources(now=now)

    async def hint_sources(self, keys: list[str]) -> None:
        await self._store.hint_sources(keys)


async def test_a_hint_that_the_store_does_not_take_is_passed_on_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks_hints, "_AGAIN", webhooks_hints.AT_MOST_EVERY / 100)
    hints = Hints(AwayStore(store))  # type: ignore[arg-type]  # it has all that hints call
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hints.run)
        hints.take(["example.org/org/repo"])
        while (await store.source_wishes(["key"]))[0].hints == 0:  # noqa: ASYNC110 - seen in the store
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()


async def test_a_place_where_nothing_can_listen_is_named(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"--host 127.0.0.1 --port {port}: nothing can listen there"):
            await serve_webhooks(store, lambda: SECRET, host="127.0.0.1", port=port, on_ready=print)
    with pytest.raises(InvalidInput, match="--port 70000: a port is"):
        await serve_webhooks(store, lambda: SECRET, host="127.0.0.1", port=70000, on_ready=print)
