"""What is done often does not cost more when the history is long, or when much is waiting."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from flowsource.runs import RunState
from flowsource.schedules import Interval, content_key
from flowsource.store import claiming, creating, finding, presence, registering
from flowsource.store.names import new_run_id
from flowsource.store.sqlite import SqliteDatabase
from flowsource.store.tables import runs
from flowsource.store.values import NewRun
from tests.store.words import HOUR, MINUTE, NOW, SECOND, registration

RUNNER = uuid4()
EVERY_SECOND = Interval(SECOND, NOW)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "flowsource.db")
    yield database
    database.close()


def serve(database: SqliteDatabase, limit: int | None = None, max_lateness: timedelta | None = None) -> UUID:
    registrations = [registration(limit=limit, max_lateness=max_lateness, schedules=(EVERY_SECOND,))]
    [deployment] = database.write(
        lambda connection: registering.register(connection, RUNNER, registrations, lease_until=NOW + HOUR, now=NOW),
        durable=False,
    )
    return deployment.id


def ask(database: SqliteDatabase, deployment_id: UUID) -> None:
    new = NewRun(deployment_id=deployment_id, scheduled_at=NOW)
    database.write(lambda connection: creating.create_run(connection, new, now=NOW), durable=False)


def end_all(database: SqliteDatabase) -> None:
    """End what is claimed, so that it is history."""

    def end(connection: Connection) -> None:
        connection.execute(update(runs).where(runs.c.state == RunState.CLAIMED).values(state=RunState.COMPLETED))

    database.write(end, durable=False)


def multiply(database: SqliteDatabase, count: int, state: RunState) -> None:
    """Add `count` runs in `state`, otherwise like the one that is there."""

    def add(connection: Connection) -> None:
        like = dict(connection.execute(select(runs).limit(1)).mappings().one())
        several = [{**like, "id": new_run_id(NOW + timedelta(seconds=i)), "state": state} for i in range(count)]
        connection.execute(insert(runs), several)

    database.write(add, durable=False)


def steps_of(database: SqliteDatabase, work: Callable[[Connection], None]) -> int:
    """The steps that SQLite's machine takes for `work`, which is then undone."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    class Undo(Exception):
        pass

    def work_and_undo(connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_progress_handler(count, 1)
        try:
            work(connection)
        finally:
            raw.set_progress_handler(None, 1)
        raise Undo

    with pytest.raises(Undo):
        database.write(work_and_undo, durable=False)
    return steps


def steps_of_a_claim(database: SqliteDatabase, deployment_id: UUID, *, taken: int) -> int:
    def claim(connection: Connection) -> None:
        claimed, _ = claiming.claim(connection, RUNNER, [deployment_id], limit=1, now=NOW + SECOND)
        assert len(claimed) == taken

    return steps_of(database, claim)


@pytest.mark.parametrize("limit", [None, 2])
def test_a_long_history_costs_a_claim_nothing(database: SqliteDatabase, limit: int | None) -> None:
    deployment_id = serve(database, limit)
    ask(database, deployment_id)
    before = steps_of_a_claim(database, deployment_id, taken=1)
    multiply(database, 2000, RunState.COMPLETED)
    assert steps_of_a_claim(database, deployment_id, taken=1) < 1.1 * before


def test_a_long_backlog_costs_a_claim_nothing(database: SqliteDatabase) -> None:
    deployment_id = serve(database)
    ask(database, deployment_id)
    multiply(database, 1, RunState.SCHEDULED)
    before = steps_of_a_claim(database, deployment_id, taken=1)
    multiply(database, 2000, RunState.SCHEDULED)
    assert steps_of_a_claim(database, deployment_id, taken=1) < 1.1 * before


def test_a_backlog_behind_a_limit_costs_a_claim_nothing(database: SqliteDatabase) -> None:
    deployment_id = serve(database, limit=1)
    ask(database, deployment_id)
    database.write(
        lambda connection: claiming.claim(connection, RUNNER, [deployment_id], limit=1, now=NOW), durable=False
    )
    multiply(database, 1, RunState.SCHEDULED)
    before = steps_of_a_claim(database, deployment_id, taken=0)
    multiply(database, 2000, RunState.SCHEDULED)
    assert steps_of_a_claim(database, deployment_id, taken=0) < 1.1 * before


def test_what_a_runner_has_executed_costs_its_claims_nothing(database: SqliteDatabase) -> None:
    deployment_id = serve(database, limit=3)
    ask(database, deployment_id)
    database.write(
        lambda connection: claiming.claim(connection, RUNNER, [deployment_id], limit=1, now=NOW), durable=False
    )
    # Like the one that it was given: there is no other yet.
    multiply(database, 2000, RunState.COMPLETED)
    ask(database, deployment_id)
    after = steps_of_a_claim(database, deployment_id, taken=1)
    end_of_history = delete(runs).where(runs.c.state == RunState.COMPLETED)
    database.write(lambda connection: connection.execute(end_of_history), durable=False)
    assert after < 1.1 * steps_of_a_claim(database, deployment_id, taken=1)


@pytest.mark.parametrize(
    "states", [[RunState.FAILED], [RunState.SCHEDULED], [RunState.CLAIMED, RunState.RUNNING], [RunState.COMPLETED]]
)
def test_a_long_history_costs_nothing_to_whoever_looks_for_runs_in_a_state(
    database: SqliteDatabase, states: list[RunState]
) -> None:
    deployment_id = serve(database)
    ask(database, deployment_id)

    def look(connection: Connection) -> None:
        found = finding.newest_runs(connection, deployment_id=None, states=states, parent_id=None, limit=1)
        assert [run.state for run in found] == states[-1:]

    multiply(database, 3, states[-1])
    before = steps_of(database, look)
    multiply(database, 2000, RunState.COMPLETED)
    assert steps_of(database, look) < 1.1 * before


def test_a_long_history_costs_reaping_nothing(database: SqliteDatabase) -> None:
    deployment_id = serve(database)
    ask(database, deployment_id)

    def reap(connection: Connection) -> None:
        assert presence.reap(connection, now=NOW) == []

    before = steps_of(database, reap)
    multiply(database, 2000, RunState.COMPLETED)
    assert steps_of(database, reap) < 1.1 * before


def test_of_many_runs_that_are_due_at_once_each_claim_costs_the_same(database: SqliteDatabase) -> None:
    deployment_id = serve(database)
    ask(database, deployment_id)

    def claim(connection: Connection) -> None:
        taken, _ = claiming.claim(connection, RUNNER, [deployment_id], limit=2, now=NOW + HOUR)
        assert len(taken) == 2

    multiply(database, 5, RunState.SCHEDULED)
    few = steps_of(database, claim)
    multiply(database, 10_000, RunState.SCHEDULED)
    for _ in range(3):
        assert steps_of(database, claim) < 1.1 * few
        database.write(claim, durable=False)
        end_all(database)


def test_many_runs_to_come_cost_nothing_to_whoever_asks_for_the_next(database: SqliteDatabase) -> None:
    deployment_id = serve(database)
    ask(database, deployment_id)

    def look(connection: Connection) -> None:
        assert claiming.next_due(connection, [deployment_id], after=NOW - SECOND) == NOW

    before = steps_of(database, look)
    multiply(database, 2000, RunState.SCHEDULED)
    assert steps_of(database, look) < 1.1 * before


def test_many_that_are_too_late_are_skipped_a_part_at_a_time(database: SqliteDatabase) -> None:
    deployment_id = serve(database, max_lateness=SECOND)
    key = content_key(EVERY_SECOND)
    late = [NOW - MINUTE - count * SECOND for count in range(600)]
    database.write(
        lambda connection: creating.create_scheduled(
            connection, deployment_id, key, [*late, NOW], skipped={}, cursor=NOW, now=NOW
        ),
        durable=False,
    )
    looks = [
        database.write(
            lambda connection: claiming.claim(connection, RUNNER, [deployment_id], limit=2, now=NOW), durable=False
        )
        for _ in range(2)
    ]
    assert [(len(claimed), len(given_up)) for claimed, given_up in looks] == [(0, 500), (1, 100)]
