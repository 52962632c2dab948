"""`flowsource deployments` tells what is served, and what keeps it from being so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import anyio

from flowsource.deployments import Rejection
from flowsource.revisions import Revision
from flowsource.schedules import Cron
from flowsource.store import open_store
from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.words import Server, registration, reject, serve

GOOD = Revision(id="a" * 40, ref="refs/heads/main", subject="Load the data", author="Ada <ada@example.org>")
BAD = Revision(id="b" * 40, subject="Break it")


def test_a_deployment_is_listed_with_its_schedule_and_next_run(served: CommandLine) -> None:
    header, row = served("deployments", "ls").out.splitlines()

    assert header.split() == ["STATE", "DEPLOYMENT", "SCHEDULE", "NEXT", "REVISION"]
    assert re.match(r"✔ ready  greet/daily  every day  in (1 d|23 h) +[0-9a-f]{7}$", row)


def test_a_deployment_is_shown_with_what_its_flow_takes(served: CommandLine) -> None:
    shown = " ".join(served("deployments", "show", "daily").out.split())

    for fact in (
        "description Greet somebody.",
        'takes name: string = "world", times: integer = 1, failing: boolean = false, gate: string = ""',
        'parameters {"times": 2}',
        "entrypoint flows.py:greet",
        "limit 20 at once on a server",
    ):
        assert fact in shown


def test_as_json_there_is_all_of_it(served: CommandLine) -> None:
    [listed] = served("deployments", "ls", "--json").json

    assert served("deployments", "show", "greet/daily", "--json").json == listed
    assert listed["schedules"][0]["every"] == 86400
    assert datetime.fromisoformat(listed["next_at"]) > datetime.now(UTC)
    assert set(listed["parameter_schema"]["properties"]) == {"name", "times", "failing", "gate"}


async def do_nothing(server: Server) -> None:
    """Only serve."""


def test_how_its_runs_are_treated_is_shown_where_that_is_not_as_ever(alone: CommandLine) -> None:
    keep(
        alone,
        do_nothing,
        global_limit=3,
        collision_strategy="cancel_new",
        max_lateness=timedelta(minutes=5),
        on_lost="rerun",
        workdir="private",
        grace=timedelta(seconds=90),
    )

    shown = [" ".join(line.split()) for line in alone("deployments", "show", "nightly").out.splitlines()]
    as_json = alone("deployments", "show", "nightly", "--json").json

    for fact in (
        "global limit 3 at once in all; a run beyond that is cancelled",
        "max lateness 5 min, then a run is skipped",
        "on lost rerun",
        "workdir private",
        "grace 1 min 30 s",
    ):
        assert fact in shown
    assert [line for line in shown if line.startswith(("limit", "catchup", "freshness", "preload"))] == []
    assert (as_json["global_limit"], as_json["collision_strategy"]) == (3, "cancel_new")
    assert (as_json["max_lateness"], as_json["grace"], as_json["preload"]) == (300, 90, [])


def test_a_rejected_revision_is_shown_with_its_reason(alone: CommandLine) -> None:
    async def prepare() -> None:
        now = datetime.now(UTC)
        rejection = Rejection(revision=BAD, kind="import", message="it fails", details="a\ntraceback", at=now)
        async with open_store(f"sqlite:///{alone.home}/flowsource.db") as store:
            server = await serve(store, registration(active=GOOD), now=now)
            await reject(store, server.deployment, rejection)

    anyio.run(prepare)

    listed, shown = alone("deployments", "ls").out, alone("deployments", "show", "etl/nightly").out

    assert listed.splitlines()[1].startswith("✖ rejected  etl/nightly  on request  -     aaaaaaa Load the data")
    assert f"revision    {GOOD.id}\n" in shown
    assert "subject     Load the data\n" in shown
    assert "rejected    bbbbbbb Break it, " in shown
    assert "reason      it fails\n  traceback\n    a\n    traceback\n" in shown
    assert alone("deployments", "show", "nightly", "--json").json["rejected"]["revision"]["id"] == BAD.id


def test_paused_and_stopped_deployments_say_so_and_have_no_next_run(alone: CommandLine) -> None:
    async def prepare() -> None:
        now, nightly = datetime.now(UTC), (Cron("0 2 * * *"),)
        async with open_store(f"sqlite:///{alone.home}/flowsource.db") as store:
            server = await serve(store, registration("gone", schedules=nightly), now=now)
            await store.retire(server.id, now=now)
            await serve(store, registration("held", schedules=nightly, paused=True), now=now)

    anyio.run(prepare)

    gone, held = alone("deployments", "ls").out.splitlines()[1:]

    assert gone.split()[:2] + gone.split()[-2:] == ["⊘", "stopped", "-", "1111111"]
    assert held.split()[:2] + held.split()[-2:] == ["⊘", "paused", "-", "1111111"]
    assert "its server has ended" in alone("deployments", "show", "gone").out
    assert alone("deployments", "show", "held", "--json").json["next_at"] is None


def test_a_schedule_that_cannot_fire_hides_no_other_deployment(alone: CommandLine) -> None:
    async def prepare() -> None:
        now = datetime.now(UTC)
        elsewhere = Cron.as_stored({"expression": "0 2 * * *", "timezone": "Mars/Olympus"})
        async with open_store(f"sqlite:///{alone.home}/flowsource.db") as store:
            await serve(store, registration("martian", schedules=(elsewhere,)), now=now)
            await serve(store, registration("nightly", schedules=(Cron("0 2 * * *"),)), now=now)

    anyio.run(prepare)

    martian, nightly = alone("deployments", "ls", "--json").json

    assert martian["next_at"] is None
    assert nightly["next_at"] is not None


def test_where_there_are_none_it_says_what_makes_one(alone: CommandLine) -> None:
    done = alone("deployments", "ls")

    assert (done.code, done.out) == (0, "")
    assert 'my_flow.serve(name="first")' in done.err
    assert alone("deployments", "ls", "--json").json == []


def test_one_that_is_not_there_is_not_found(served: CommandLine) -> None:
    done = served("deployments", "show", "dail")

    assert done.code == 3
    assert "no deployment 'dail'" in done.err
