"""What a query means to a database is what it means to a person, and the database finds it by an index."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, event, insert, select

from flowsource.queries.runs import matches, parse_runs
from flowsource.queries.terms import Query
from flowsource.revisions import Revision
from flowsource.runs import Run, RunState
from flowsource.store import paging, registering, tagging
from flowsource.store.names import new_run_id
from flowsource.store.rows import new_run_columns, run_from
from flowsource.store.sqlite import SqliteDatabase
from flowsource.store.tables import runs
from tests.queries.asking import NOW, TAGS, queries, texts
from tests.store.words import HOUR, registration

NAMES = ("a", "b", "A-b")
ANY_TEXT = texts() | st.sampled_from(["abc", "Ab c", "x", 'say "commit":"1111'])


@pytest.fixture(scope="module")
def database() -> Iterator[SqliteDatabase]:
    with tempfile.TemporaryDirectory() as directory:
        database = SqliteDatabase(Path(directory) / "flowsource.db")
        yield database
        database.close()


@pytest.fixture(scope="module")
def deployments(database: SqliteDatabase) -> list[tuple[UUID, str]]:
    new = [registration(name) for name in NAMES]
    made = database.write(
        lambda connection: registering.register(connection, uuid4(), new, lease_until=NOW + HOUR, now=NOW),
        durable=False,
    )
    return [(deployment.id, deployment.full_name) for deployment in made]


def some_runs(deployments: list[tuple[UUID, str]], draw: st.DrawFn) -> list[Run]:
    """A few runs; some of them are inside others, or were asked for by them."""
    made: list[Run] = []
    for _ in range(draw(st.integers(1, 5))):
        deployment_id, deployment = draw(st.sampled_from(deployments))
        at = NOW + timedelta(minutes=draw(st.integers(-5, 5)))
        parent = draw(st.none() | st.sampled_from(made)) if made else None
        subject = draw(ANY_TEXT)
        revision = Revision(id=draw(st.sampled_from("123")) * 40, commit=draw(st.none() | st.just("c" * 40)))
        made.append(
            Run(
                id=new_run_id(at),
                name=draw(ANY_TEXT),
                deployment_id=deployment_id,
                deployment=deployment,
                flow=draw(st.sampled_from(["etl", "a", "A"]) | ANY_TEXT),
                state=draw(st.sampled_from(RunState)),
                scheduled_at=at + timedelta(seconds=len(made)),
                due_at=at,
                created_at=at,
                changed_at=at,
                tags=tuple(draw(st.lists(st.sampled_from(TAGS) | texts(), max_size=3, unique=True))),
                schedule=draw(st.none() | texts()),
                parent_id=parent.id if parent else None,
                is_nested=parent is not None and draw(st.booleans()),
                revision=draw(st.none() | st.just(replace(revision, subject=subject))),
            )
        )
    return made


def keep(connection: Connection, made: list[Run]) -> None:
    connection.execute(delete(runs))
    for run in made:
        connection.execute(insert(runs), new_run_columns(run, None))
        tagging.keep(connection, run)


def all_that_match(database: SqliteDatabase, query: Query) -> list[Run]:
    kept = [run_from(row) for row in database.read(lambda connection: connection.execute(select(runs)).all())]
    return sorted((run for run in kept if matches(query, run)), key=lambda run: run.id, reverse=True)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_database_finds_what_matches(
    database: SqliteDatabase, deployments: list[tuple[UUID, str]], data: st.DataObject
) -> None:
    made = data.draw(st.composite(lambda draw: some_runs(deployments, draw))())
    query = data.draw(queries() | st.sampled_from(made).map(lambda run: Query().with_term("id", run.id.hex[:20])))
    database.write(lambda connection: keep(connection, made), durable=False)
    expected = all_that_match(database, query)

    page = database.read(lambda connection: paging.find(connection, query, cursor=None, limit=10))

    assert page.items == tuple(expected)
    assert database.read(lambda connection: paging.count(connection, query)) == len(expected)


def plan_of(database: SqliteDatabase, text: str) -> str:
    """What SQLite says of how it finds the ids of the runs that `text` asks for."""
    plans: list[str] = []

    def explain(connection: Connection) -> None:
        seen: list[tuple[str, Any]] = []
        with_values = lambda *call: seen.append((call[2], call[3]))  # noqa: E731
        event.listen(connection, "before_cursor_execute", with_values)
        paging.find(connection, parse_runs(text, now=NOW), cursor=None, limit=50)
        event.remove(connection, "before_cursor_execute", with_values)
        statement, values = seen[-1]
        plans.extend(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values))

    database.read(explain)
    return "\n".join(plans)


@pytest.mark.parametrize(
    ("text", "found_by"),
    [
        ("state:failed", "SCAN runs USING INDEX runs_not_completed"),
        ("state:failed,crashed deployment:a", "SCAN runs USING INDEX runs_not_completed"),
        ("state:failed tag:etl after:2d", "SEARCH runs USING INDEX runs_not_completed (id>?)"),
        ("deployment:etl/a", "SEARCH runs USING INDEX runs_of_deployment (deployment_id=?)"),
        ("deployment:etl/a after:2d", "SEARCH runs USING INDEX runs_of_deployment (deployment_id=? AND id>?)"),
        ("deployment:a,b", "SEARCH runs USING INDEX runs_of_deployment (deployment_id=?)"),
        ("after:2d before:1d", "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id>? AND id<?)"),
        ("tag:etl", "SEARCH run_tags USING COVERING INDEX runs_of_tag (tag=?)"),
        ("tag:etl,ping after:2d", "SEARCH run_tags USING COVERING INDEX runs_of_tag (tag=? AND run_id>?)"),
        ("name:brave-otter", "SEARCH runs USING INDEX runs_of_name (name=?)"),
        ("id:0192f3", "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id>? AND id<?)"),
        ("parent:0192f3", "SEARCH runs USING COVERING INDEX runs_of_parent (parent_id>? AND parent_id<?)"),
    ],
)
@pytest.mark.usefixtures("deployments")
def test_what_is_looked_for_often_is_found_by_an_index(database: SqliteDatabase, text: str, found_by: str) -> None:
    plan = plan_of(database, text)

    assert found_by in plan
    assert not re.search(r"SCAN (runs|run_tags)(?! USING INDEX runs_not_completed)", plan)
