"""What a person does about a deployment at the command line, where nobody serves it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from flowsource.deployments import Change, FlowFacts, Loaded, Rejection
from flowsource.promotions import Author, CarriedOut, HeldBack, Pin
from flowsource.revisions import Revision
from flowsource.schedules import Cron
from flowsource.store import open_store
from flowsource.store.protocol import Store
from tests.cli.calling import CommandLine
from tests.store.words import Server, decide, promote, registration, reject, serve

OLD = Revision(id="a" * 40, subject="Load the data")
GOOD = Revision(id="b" * 40, subject="Load it faster")
NEW = Revision(id="c" * 40, subject="Load more")
FACTS = FlowFacts(name="etl")


def prepare(alone: CommandLine, more: Callable[[Store, Server], Coroutine[Any, Any, object]] | None = None) -> None:
    """A deployment whose server has ended, which served first OLD and then GOOD, and what else is done to it."""

    async def work() -> None:
        async with open_store(f"sqlite:///{alone.home}/flowsource.db") as store:
            server = await serve(
                store, registration(active=OLD, pause_on_shutdown=False, schedules=(Cron("0 2 * * *"),))
            )
            await promote(store, server.deployment, GOOD)
            if more is not None:
                await more(store, server)
            await store.retire(server.id, now=datetime.now(UTC))

    anyio.run(work)


async def hold(store: Store, server: Server) -> object:
    changes = (Change("uv.lock", "-a\n+b"), Change("Pipfile"))
    return await decide(store, server.deployment, HeldBack(Loaded(NEW, FACTS), changes))


async def break_it(store: Store, server: Server) -> object:
    now = datetime.now(UTC)
    rejection = Rejection(revision=NEW, kind="import", message="it fails", details="a\ntraceback", at=now)
    return await reject(store, server.deployment, rejection)


async def pin_it(store: Store, server: Server) -> object:
    author = Author("grace", "the audit")
    asked = await store.act(server.deployment.id, Pin(OLD), author, now=datetime.now(UTC))
    return await decide(store, asked, CarriedOut(Loaded(OLD, FACTS)))


def test_a_pin_without_a_server_says_when_it_takes_effect(alone: CommandLine) -> None:
    prepare(alone)
    done = alone("deployments", "pin", "nightly", "aaaa", "--reason", "the audit", "--by", "ada")
    assert (done.code, done.out) == (0, "")
    assert "etl/nightly is to serve aaaaaaa. No server of it is running" in done.err
    shown = alone("deployments", "show", "nightly").out
    assert "⚲ pinned: it serves what a person chose" in shown
    assert "to aaaaaaa Load the data by ada" in shown
    assert "serves bbbbbbb Load it faster, until a server has brought that" in shown
    assert "because" in shown
    as_json = alone("deployments", "show", "nightly", "--json").json
    assert (as_json["pinned"]["by"], as_json["pinned"]["reason"]) == ("ada", "the audit")
    assert as_json["asked_for"]["revision"]["id"] == OLD.id
    assert as_json["active"]["id"] == GOOD.id


def test_a_pin_in_force_is_shown_with_what_would_serve_and_how_it_is_released(alone: CommandLine) -> None:
    prepare(alone, pin_it)
    shown = alone("deployments", "show", "nightly").out
    assert "the pin bbbbbbb Load it faster would serve" in shown
    assert "flowsource deployments unpin etl/nightly" in shown
    assert alone("deployments", "ls").out.splitlines()[1].startswith("⚲ pinned  etl/nightly")
    done = alone("deployments", "unpin", "nightly", "--json")
    assert (done.json["active"]["id"], done.json["pinned"], done.json["without_pin"]) == (GOOD.id, None, None)


def test_who_acts_is_by_default_the_user(alone: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(alone)
    monkeypatch.setenv("LOGNAME", "hedy")
    assert alone("deployments", "pin", "nightly", "aaaa", "--json").json["pinned"]["by"] == "hedy"


def test_a_rollback_goes_to_what_served_before(alone: CommandLine) -> None:
    prepare(alone)
    asked = alone("deployments", "rollback", "nightly", "--json").json["asked_for"]
    assert (asked["kind"], asked["revision"]["id"]) == ("rollback", OLD.id)
    assert "to aaaaaaa Load the data, as soon as a server has" in alone("deployments", "show", "nightly").out


def test_what_is_held_is_shown_with_its_changes_and_accepted(alone: CommandLine) -> None:
    prepare(alone, hold)
    assert alone("deployments", "ls").out.splitlines()[1].startswith("⧖ held  etl/nightly")
    shown = alone("deployments", "show", "nightly").out
    assert "ccccccc Load more" in shown
    assert "uv.lock, Pipfile\n    -a\n    +b\n" in shown
    assert "flowsource deployments accept etl/nightly" in shown
    [listed] = alone("deployments", "ls", "--json").json
    assert listed["held"]["changes"] == [{"path": "uv.lock", "diff": "-a\n+b"}, {"path": "Pipfile", "diff": None}]
    assert alone("deployments", "accept", "nightly", "--json").json["active"]["id"] == NEW.id


def test_what_was_rejected_says_how_it_is_tried_again(alone: CommandLine) -> None:
    prepare(alone, break_it)
    assert "flowsource deployments recheck etl/nightly" in alone("deployments", "show", "nightly").out
    assert alone("deployments", "recheck", "nightly", "--json").json["rejected"] is None


def test_schedules_are_held_and_go_on(alone: CommandLine) -> None:
    prepare(alone)
    assert alone("deployments", "pause", "nightly", "--reason", "holidays").code == 0
    assert alone("deployments", "ls").out.splitlines()[1].startswith("⊘ paused")
    resumed = alone("deployments", "resume", "nightly", "--json").json
    shown = alone("deployments", "show", "nightly", "--json").json
    assert (resumed["paused"], resumed["next_at"]) == (False, shown["next_at"])
    assert resumed["next_at"] is not None
    assert "holidays" in alone("deployments", "history", "nightly").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("unpin", "nightly"), 6, "is not pinned; it serves bbbbbbb"),
        (("accept", "nightly"), 6, "holds no revision back"),
        (("recheck", "nightly"), 6, "has no revision that was rejected or rolled back from"),
        (("rollback", "nightly", "--to", "bbbb"), 6, "serves bbbbbbb already"),
        (("pin", "nightly", "dddd"), 2, "none of those that are known here (bbbbbbb, aaaaaaa)"),
        (("pin", "nightli", "aaaa"), 3, "no deployment 'nightli'"),
        (("history", "nightly", "--limit", "0"), 2, "--limit 0: give 1 or more"),
    ],
)
def test_what_does_not_go_is_refused_with_the_reason(
    alone: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    prepare(alone)
    done = alone("deployments", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_what_is_pinned_is_not_rolled_back(alone: CommandLine) -> None:
    prepare(alone, pin_it)
    done = alone("deployments", "rollback", "nightly")
    assert (done.code, "is pinned to aaaaaaa; release it with" in done.err) == (6, True)


def test_where_nothing_served_before_there_is_nothing_to_go_back_to(alone: CommandLine) -> None:
    async def work() -> None:
        async with open_store(f"sqlite:///{alone.home}/flowsource.db") as store:
            await serve(store, registration(active=OLD))

    anyio.run(work)
    done = alone("deployments", "rollback", "nightly")
    assert (done.code, "nothing is known to have served before aaaaaaa" in done.err) == (6, True)


def test_the_history_tells_what_happened_newest_first(alone: CommandLine) -> None:
    prepare(alone, break_it)
    header, rejected, promoted, first = alone("deployments", "history", "nightly").out.splitlines()
    assert header.split() == ["WHEN", "WHAT", "REVISION", "BY", "ABOUT", "IT"]
    assert "rejected  ccccccc Load more" in rejected
    assert rejected.endswith("it fails")
    assert "promoted  bbbbbbb Load it faster" in promoted
    assert promoted.endswith("from aaaaaaa")
    assert "promoted  aaaaaaa Load the data" in first
    listed = alone("deployments", "history", "nightly", "--json", "--limit", "2").json
    assert [(entry["seq"], entry["kind"]) for entry in listed] == [(3, "rejected"), (2, "promoted")]
