"""`flowsource tokens`, which `flowsource server token` is too: who may use a server, and for what."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from flowsource.cli import exits
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import token_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_table, say
from flowsource.cli.schedule_given import length_from
from flowsource.cli.times import relative
from flowsource.errors import InvalidInput
from flowsource.tokens import Token, check_scopes, check_token_name, digest_of, new_secret

_COLUMNS = ("NAME", "SCOPES", "USED", "EXPIRES", "STATE")


def create(name: str, /, *, scope: list[str], expires_in: str | None = None, json: bool = False) -> int:
    """Make a token, and print its secret: it is shown this once, and kept nowhere.

    Parameters
    ----------
    name
        What it is for. What a runner registers belongs to the name of its token.
    scope
        What it may do: viewer (look), operator (and act: ask for runs, cancel, pause, pin), runner (register
        deployments and execute their runs), admin (everything); may be given more than once.
    expires_in
        After how long it counts no more, such as 90d, 12h or 30m; by default it counts until it is revoked.
    json
        Print the token, with its secret, as JSON.
    """
    now = datetime.now(UTC)
    secret = new_secret()
    made = Token(
        id=uuid4(),
        name=check_token_name(name),
        scopes=check_scopes(scope),
        created_at=now,
        expires_at=_until(expires_in, now) if expires_in is not None else None,
    )
    with_store(lambda store: store.create_token(made, digest_of(secret)))
    if json:
        print_json({**token_json(made), "secret": secret})
    else:
        print(secret)
        say("It is not shown again. Whoever has it may use it: put it into a file that only he can read.")
    return exits.OK


def ls(*, json: bool = False) -> int:
    """All tokens: what they may do, and when they were used.

    Parameters
    ----------
    json
        Print a list of the tokens as JSON.
    """
    now = datetime.now(UTC)
    known = with_store(lambda store: store.tokens())
    if json:
        print_json([token_json(one) for one in known])
    elif known:
        print_table(_COLUMNS, [_row(one, now) for one in known])
    else:
        say("No tokens yet. `flowsource server token create NAME --scope runner` makes one.")
    return exits.OK


def revoke(name: str, /, *, json: bool = False) -> int:
    """Let a token count no more, from now on.

    Parameters
    ----------
    name
        Its name, as `server token ls` shows it.
    json
        Print the token as JSON.
    """
    revoked = with_store(lambda store: store.revoke_token(name, now=store.now()))
    if json:
        print_json(token_json(revoked))
    else:
        say(f"The token {name!r} counts no more.")
    return exits.OK


def _row(one: Token, now: datetime) -> list[Cell]:
    state = "good" if one.is_good(now) else ("revoked" if one.revoked_at is not None else "expired")
    return [
        Cell(one.name),
        Cell(", ".join(one.scopes)),
        Cell(relative(one.used_at, now=now) if one.used_at else "never"),
        Cell(relative(one.expires_at, now=now) if one.expires_at else "never"),
        Cell(state, None if state == "good" else "2"),
    ]


def _until(text: str, now: datetime) -> datetime:
    try:
        until = now + length_from(text, "--expires-in")
    except OverflowError:
        until = now
    if until <= now:
        raise InvalidInput(f"--expires-in {text}: give a length of time such as 90d, 12h or 30m.")
    return until


tokens = group("tokens", "Who may use a server, and for what.")
token = group("token", "Who may use a server, and for what.")
for _command in (create, ls, revoke):
    tokens.command(_command)
    token.command(_command)
