"""`flowsource why`: a run, or a deployment, as the store knows it."""

from __future__ import annotations

from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.words import Server


def test_a_run_that_nobody_takes_is_told_with_what_helps(alone: CommandLine) -> None:
    async def ask(server: Server) -> None:
        await server.ask(at=server.store.now(), name="brave-otter")
        await server.store.retire(server.id, now=server.store.now())

    keep(alone, ask)
    told = alone("why", "brave-otter")
    assert (told.code, "nobody serves etl/nightly, for its server was stopped" in told.out) == (0, True)
    assert "What helps: Start what serves flows.py:etl" in told.err
    as_json = alone("why", "brave-otter", "--json").json
    assert (as_json["name"], as_json["state"], as_json["deployment"]) == ("brave-otter", "scheduled", "etl/nightly")
    assert as_json["about_revision"].startswith("It takes what etl/nightly serves when it begins")


def test_a_run_that_failed_is_told_with_its_place(served: CommandLine) -> None:
    served.run("run", "greet/daily", "-p", "failing=true", "--name", "why-it-failed", "--watch")
    told = served("why", "why-it-failed")
    assert "why-it-failed failed after" in told.out
    assert "RuntimeError: as was asked for (flows.py:" in told.out
    assert "which greet/daily serves" in told.out


def test_a_deployment_is_told_too(served: CommandLine) -> None:
    told = served("why", "greet/daily", "--json").json
    assert (told["run"], told["kind"]) == (None, "waits for its time")


def test_what_is_not_there_is_not_found(alone: CommandLine) -> None:
    assert (alone("why", "nothing").code, alone("why", "no/thing").code) == (3, 3)
    assert "no run 'nothing'" in alone("why", "nothing").err
