"""`flowsource deployments delete`: shown, confirmed, done."""

from __future__ import annotations

from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.words import Server


async def leave(server: Server) -> None:
    """Have a run that waits, and nobody who serves."""
    await server.ask(name="brave-otter")
    await server.store.retire(server.id, now=server.store.now())


def test_a_dry_run_shows_what_would_go(alone: CommandLine) -> None:
    keep(alone, leave)
    done = alone("deployments", "delete", "nightly", "--dry-run")
    assert (done.code, "brave-otter" in done.out) == (0, True)
    assert "This would delete etl/nightly with its schedules, its history and 1 run." in done.err
    assert len(alone("deployments", "ls", "--json").json) == 1


def test_without_anybody_to_ask_it_wants_to_be_told(alone: CommandLine) -> None:
    keep(alone, leave)
    done = alone.run("deployments", "delete", "nightly")
    assert (done.code, "--yes: nobody is here to be asked" in done.err) == (2, True)
    done = alone.run("deployments", "delete", "nightly", "--yes")
    assert (done.code, "etl/nightly is deleted." in done.err) == (0, True)
    assert alone("deployments", "ls", "--json").json == []
    assert alone("runs", "ls", "--json").json == []
    assert alone("deployments", "delete", "nightly", "--yes").code == 3


def test_one_that_is_served_is_refused_with_what_to_do(served: CommandLine) -> None:
    done = served("deployments", "delete", "greet/daily", "--dry-run")
    assert (done.code, "greet/daily is served. Stop its server" in done.err) == (6, True)
