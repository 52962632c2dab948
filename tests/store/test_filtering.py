"""What a query means to a database is what it means to a person, and the database finds it by an index."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, insert, select

from flowsource.queries.runs import matches, parse_runs
from flowsource.queries.terms import Pattern, Query, Term
from flowsource.revisions import Revision
from flowsource.runs import Cause, Run, RunState
from flowsource.store import paging, registering, tagging
from flowsource.store.names import first_run_id
from flowsource.store.rows import new_run_columns, run_from
from flowsource.store.sqlite import SqliteDatabase
from flowsource.store.tables import runs
from tests.queries.asking import NOW, TAGS, queries
from tests.store.words import HOUR, registration

NAMES = ("a", "b", "A-b")
# Where a sign is taken for something else than itself, one of them fits what is said of another.
ALIKE = ("a?c", "abc", "aBc", "a*c", "a[b]c", "a%c", "a_c", "a\\c", "ac", "äbc", "Äbc")


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


@pytest.fixture(scope="module")
def kept(database: SqliteDatabase, deployments: list[tuple[UUID, str]]) -> list[Run]:
    """Runs that are like each other in all ways, as the database gives them back, the newest first."""
    made: list[Run] = []
    chance = Random("runs")
    for _ in range(60):
        made.append(a_run(chance, deployments, made))

    def keep(connection: Connection) -> list[Run]:
        for run in made:
            connection.execute(insert(runs), new_run_columns(run, None))
            tagging.keep(connection, run)
        return [run_from(row) for row in connection.execute(select(runs).order_by(runs.c.id.desc()))]

    return database.write(keep, durable=False)


def a_run(chance: Random, deployments: list[tuple[UUID, str]], others: list[Run]) -> Run:
    """A run drawn by chance, maybe inside one of the `others`, or asked for by it."""
    deployment_id, deployment = chance.choice(deployments)
    at = NOW + timedelta(minutes=chance.randint(-5, 5))
    parent = chance.choice(others) if others and chance.random() < 0.2 else None
    revision = Revision(
        id=chance.choice("123") * 40, commit=chance.choice([None, "c" * 40]), subject='say "commit":"1111'
    )
    return Run(
        id=UUID(int=first_run_id(at).int | chance.getrandbits(62)),
        name=chance.choice(ALIKE),
        deployment_id=deployment_id,
        deployment=deployment,
        flow=chance.choice(["etl", *ALIKE]),
        state=chance.choice(list(RunState)),
        scheduled_at=at + timedelta(seconds=len(others)),
        due_at=at,
        created_at=at,
        changed_at=at,
        tags=tuple(chance.sample([*TAGS, *ALIKE], chance.randint(0, 3))),
        schedule=chance.choice([None, *ALIKE]),
        parent_id=parent.id if parent else None,
        is_nested=parent is not None and chance.random() < 0.5,
        cause=chance.choice([None, Cause(trigger=chance.choice(ALIKE), event=None)]),
        revision=chance.choice([None, revision]),
    )


@st.composite
def about_one_of(draw: st.DrawFn, kept: list[Run]) -> Query:
    """A query for a text of one of these runs, or for a part of it."""
    run = draw(st.sampled_from(kept))
    places = [("id", run.id.hex[:20]), ("parent", run.id.hex), ("schedule", run.schedule or ""), ("flow", run.flow)]
    places.append(("trigger", run.cause.trigger if run.cause is not None else ""))
    places += [("name", run.name), ("", run.name), *(("tag", tag) for tag in run.tags)]
    key, text = draw(st.sampled_from(places))
    begin, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    whole: Pattern = (text,)
    parts: list[Pattern] = [(text[:begin], text[end:]), ("", text[begin:end], ""), (text[:end], "")]
    pattern = whole if key in ("id", "parent") else draw(st.sampled_from([whole, *parts]))
    return Query((Term(key, (pattern,), draw(st.booleans())),))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_database_finds_what_matches(database: SqliteDatabase, kept: list[Run], data: st.DataObject) -> None:
    query = data.draw(about_one_of(kept) | queries())
    expected = [run for run in kept if matches(query, run)]

    page = database.read(lambda connection: paging.find(connection, query, cursor=None, limit=1000))

    assert [run.id for run in page.items] == [run.id for run in expected]
    assert page.items == tuple(expected)
    assert database.read(lambda connection: paging.count(connection, query)) == len(expected)


@pytest.mark.parametrize("text", ALIKE)
@pytest.mark.parametrize("key", ["name", ""])
def test_no_sign_of_a_database_means_anything_in_a_query(
    database: SqliteDatabase, kept: list[Run], key: str, text: str
) -> None:
    query = Query((Term(key, ((text[:2], ""),)),))
    page = database.read(lambda connection: paging.find(connection, query, cursor=None, limit=1000))
    assert page.items == tuple(run for run in kept if matches(query, run))


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
        ("trigger:after-etl", "SCAN runs USING INDEX runs_of_triggers"),
        ("parent:0192f3", "SEARCH runs USING COVERING INDEX runs_of_parent (parent_id>? AND parent_id<?)"),
    ],
)
@pytest.mark.usefixtures("deployments")
def test_what_is_looked_for_often_is_found_by_an_index(database: SqliteDatabase, text: str, found_by: str) -> None:
    plan = plan_of(database, text)

    assert found_by in plan
    assert not re.search(r"SCAN (runs|run_tags)(?! USING INDEX runs_(not_completed|of_triggers))", plan)
