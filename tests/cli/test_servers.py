"""`flowsource server token`: a secret is shown once, and kept nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.tokens import is_secret
from tests.cli.calling import CommandLine


def test_a_token_is_made_shown_once_listed_and_revoked(alone: CommandLine) -> None:
    made = alone("server", "token", "create", "fleet", "--scope", "runner", "--expires-in", "90d")
    secret = made.out.strip()
    assert is_secret(secret)
    [listed] = alone("server", "token", "ls", "--json").json
    assert (listed["name"], listed["scopes"], listed["used_at"]) == ("fleet", ["runner"], None)
    assert "runner" in alone("server", "token", "ls").out
    kept = b"".join(path.read_bytes() for path in Path(alone.home).rglob("*") if path.is_file())
    assert secret.encode() not in kept

    twice = alone("server", "token", "create", "fleet", "--scope", "viewer")
    assert (twice.code, "there is a token 'fleet'" in twice.err) == (6, True)
    assert alone("server", "token", "revoke", "fleet", "--json").json["revoked_at"] is not None
    assert alone("server", "token", "revoke", "fleet").code == 3
    assert "revoked" in alone("server", "token", "ls").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "--scope", "root"], "give some of viewer, operator, runner, admin"),
        (["x\n", "--scope", "viewer"], "is not a name"),
        (["x", "--scope", "viewer", "--expires-in", "soon"], "such as 90m, 1h30m or 2d"),
        (["x", "--scope", "viewer", "--expires-in", "99999999d"], "such as 90d, 12h or 30m"),
        (["..", "--scope", "viewer"], "name: '..' is not a name"),
        (["x", "--scope", "viewer", "--expires-in", "0d"], "such as 90d, 12h or 30m"),
    ],
)
def test_what_is_no_token_is_refused(alone: CommandLine, words: list[str], said: str) -> None:
    done = alone("server", "token", "create", *words)

    assert done.code == 2
    assert said in done.err
    assert alone("server", "token", "ls", "--json").json == []


def test_a_server_in_front_of_a_server_is_refused(alone: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = alone.environ()
    monkeypatch.setattr(CommandLine, "environ", lambda _: {**environ, "FLOWSOURCE_STORE": "http://127.0.0.1:9"})
    done = alone("server", "start")

    assert done.code == 2
    assert "it names a server" in done.err
