"""Finding runs by a query, the newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Select, false, or_, select, union

from flowsource.errors import InvalidInput
from flowsource.queries.parsing import check
from flowsource.queries.runs import KEYS, asks_by_parent
from flowsource.queries.terms import Pattern, Query, Term
from flowsource.runs import Run
from flowsource.store.filtering import (
    conditions_of,
    may_have_completed,
    names_deployment,
    texts_that_begin,
)
from flowsource.store.rows import run_from
from flowsource.store.tables import deployments, run_tags, runs
from flowsource.store.values import COUNTED, Page

# More than so many deployments are most of them: then the runs of others are passed over on the way.
_MOST_WAYS = 20
_CURSOR = "r1."

# What is looked for by its first digits, in which columns.
_BEGINNINGS: Mapping[str, Sequence[tuple[Column[Any], Callable[[Pattern], tuple[Any, Any] | None]]]] = {
    "revision": ((runs.c.revision_id, texts_that_begin), (runs.c.revision_commit, texts_that_begin)),
}

_Ids = Select[UUID]


def find(connection: Connection, query: Query, *, cursor: str | None, limit: int) -> Page[Run]:
    """A page of the runs that `query` asks for, behind that of `cursor`."""
    check(query, KEYS)
    before = None if cursor is None else _place_of(cursor)
    newest = _newest(connection, query, before=before, limit=limit + 1)
    rows = connection.execute(select(runs).where(runs.c.id.in_(newest)).order_by(runs.c.id.desc())).all()
    found = tuple(map(run_from, rows[:limit]))
    return Page(found, f"{_CURSOR}{found[-1].id.hex}" if len(rows) > limit and found else None)


def count(connection: Connection, query: Query) -> int:
    """How many runs `query` asks for, or COUNTED if there are more."""
    check(query, KEYS)
    found = set[UUID]()
    for way in _ways(connection, query):
        # One way after the other, and a run may be found by several.
        found |= set(connection.execute(_in_order(way, before=None, limit=COUNTED)).scalars())
        if len(found) >= COUNTED:
            return COUNTED
    return len(found)


def _place_of(cursor: str) -> UUID:
    try:
        if cursor.startswith(_CURSOR):
            return UUID(cursor.removeprefix(_CURSOR))
    except ValueError:
        pass
    raise InvalidInput(f"cursor: {cursor!r} was not given with a page of runs. Leave it out to begin with the newest.")


def _newest(connection: Connection, query: Query, *, before: UUID | None, limit: int) -> _Ids:
    """The ids of the newest runs that are asked for, and that come behind `before`.

    Each way goes through an index that has the newest first, and ends when it has found enough.
    """
    parts = [_in_order(way, before=before, limit=limit) for way in _ways(connection, query)]
    if not parts:
        return select(runs.c.id).where(false())
    if len(parts) == 1:
        return parts[0]
    all_ids = union(*(select(part.subquery().c[0]) for part in parts)).subquery()
    return select(all_ids.c[0]).order_by(all_ids.c[0].desc()).limit(limit)


def _in_order(way: _Ids, *, before: UUID | None, limit: int) -> _Ids:
    behind = way if before is None else way.where(runs.c.id < before)
    return behind.order_by(way.selected_columns[0].desc()).limit(limit)


def _ways(connection: Connection, query: Query) -> list[_Ids]:
    """Selections of ids that give together what is asked for, each by one index."""
    if not may_have_completed(query) or asks_by_parent(query):
        return [_plain(query)]
    there = [(term, _begun_so(connection, term)) for key in _BEGINNINGS for term in query.asked(key)]
    if any(columns == [] for _, columns in there):
        return []
    for term in query.asked("deployment"):
        named = select(deployments.c.id).where(or_(*map(names_deployment, term.values))).limit(_MOST_WAYS + 1)
        ids = connection.execute(named).scalars().all()
        if 0 < len(ids) <= _MOST_WAYS:
            plain = _plain(_without(query, term))
            return [plain.where(runs.c.deployment_id == one) for one in ids]
    for term in query.asked("tag"):
        if all(len(value) == 1 for value in term.values):
            plain = _plain(_without(query, term)).with_only_columns(run_tags.c.run_id).join(run_tags)
            return [plain.where(run_tags.c.tag == value[0]) for value in term.values]
    for term, found in there:
        if found is not None:
            plain = _plain(_without(query, term))
            return [plain.where(column == one) for column, one in found]
    return [_plain(query)]


def _begun_so(connection: Connection, term: Term) -> list[tuple[Column[Any], Any]] | None:
    """What there is that begins as `term` says, each with its column; None where that is too much to go by."""
    found: dict[tuple[str, Any], tuple[Column[Any], Any]] = {}
    for column, ends_of in _BEGINNINGS[term.key]:
        for ends in filter(None, map(ends_of, term.values)):
            first, last = ends
            next_one = select(column).where(column <= last).order_by(column).limit(1)
            one = connection.execute(next_one.where(column >= first)).scalar()
            # One look at the index for each.
            while one is not None:
                found[column.name, one] = column, one
                if len(found) > _MOST_WAYS:
                    return None
                one = connection.execute(next_one.where(column > one)).scalar()
    return list(found.values())


def _plain(query: Query) -> _Ids:
    return select(runs.c.id).where(*conditions_of(query))


def _without(query: Query, term: Term) -> Query:
    return replace(query, terms=tuple(one for one in query.terms if one is not term))
