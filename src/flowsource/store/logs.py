"""The lines of a run's log: kept, read in their order from either end, and looked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_
from sqlalchemy.exc import IntegrityError

from flowsource.errors import RunNotFound
from flowsource.store.patterns import contains
from flowsource.store.rows import line_columns, line_from
from flowsource.store.tables import GRAVE_LINES, insert_unless_there, is_grave, log_lines
from flowsource.store.values import ALL_LINES, LineFilter, LinePage, LinePlace, LogLine

# Where not every line is wanted so many are looked at with one call: some hundredths of a second, with which nobody
# holds up a database.
LOOKED_AT = 20_000

_PLACE = tuple_(log_lines.c.attempt, log_lines.c.seq)


def keep_lines(connection: Connection, run_id: UUID, lines: Sequence[LogLine]) -> None:
    """Add lines to the log of a run, leaving those that are there; raises RunNotFound."""
    if not lines:
        return
    try:
        connection.execute(insert_unless_there(connection, log_lines), line_columns(run_id, lines))
    except IntegrityError:
        raise RunNotFound(str(run_id)) from None


def read_lines(connection: Connection, run_id: UUID, *, after: LinePlace, limit: int) -> list[LogLine]:
    """Lines of the log of a run, in order."""
    of_run = _of_run(run_id, ALL_LINES).where(_beyond(after, backwards=False))
    found = connection.execute(_in_order(of_run, backwards=False).limit(limit))
    return [line_from(row) for row in found]


def find_lines(
    connection: Connection, run_id: UUID, wanted: LineFilter, *, begin: LinePlace, backwards: bool, limit: int
) -> LinePage:
    """The lines of the log of a run that are wanted, of the next that come after `begin`, or before it."""
    looked_at = _of_run(run_id, wanted).where(_beyond(begin, backwards=backwards))
    most = LOOKED_AT if wanted.level or wanted.text else limit + 1
    # The end is found first: what is added meanwhile comes behind it.
    end = _place(connection, _in_order(looked_at, backwards=backwards).offset(most - 1))
    is_all = end is None
    if end is None:
        end = _place(connection, _in_order(looked_at, backwards=not backwards))
    if end is None:
        return LinePage([], begin, True)
    found = looked_at.where(_upto(end, backwards=backwards), *_conditions(wanted))
    rows = connection.execute(_in_order(found, backwards=backwards).limit(limit + 1)).all()
    lines = [line_from(row) for row in rows[:limit]]
    has_more = len(rows) > limit
    upto = lines[-1].place if has_more else end
    return LinePage(lines[::-1] if backwards else lines, upto, is_all and not has_more)


def _of_run(run_id: UUID, wanted: LineFilter) -> Select[*tuple[object, ...]]:
    """The lines that are looked at where these are wanted."""
    lines = select(log_lines).where(log_lines.c.run_id == run_id)
    if wanted.attempt is not None:
        lines = lines.where(log_lines.c.attempt == _number(wanted.attempt))
    if wanted.level >= logging.WARNING:
        # Few lines are, and they have an index of their own.
        lines = lines.where(is_grave).with_hint(log_lines, f"INDEXED BY {GRAVE_LINES}", "sqlite")
    return lines


def _number(given: int) -> int:
    """What a column can be held against, for any number: no line has one that is further out."""
    return max(-(2**31), min(given, 2**31 - 1))


def _conditions(wanted: LineFilter) -> list[ColumnElement[bool]]:
    conditions = []
    if wanted.level:
        conditions.append(log_lines.c.level >= _number(wanted.level))
    if wanted.text:
        conditions.append(contains(wanted.text, log_lines.c.text))
    return conditions


def _beyond(place: LinePlace, *, backwards: bool) -> ColumnElement[bool]:
    given = tuple_(*map(_number, place))
    return given > _PLACE if backwards else given < _PLACE


def _upto(place: LinePlace, *, backwards: bool) -> ColumnElement[bool]:
    return tuple_(*place) <= _PLACE if backwards else tuple_(*place) >= _PLACE


def _in_order(lines: Select[*tuple[object, ...]], *, backwards: bool) -> Select[*tuple[object, ...]]:
    order = (log_lines.c.attempt, log_lines.c.seq)
    return lines.order_by(*(column.desc() for column in order) if backwards else order)


def _place(connection: Connection, lines: Select[*tuple[object, ...]]) -> LinePlace | None:
    """The place of the first of those lines."""
    row = connection.execute(lines.with_only_columns(log_lines.c.attempt, log_lines.c.seq).limit(1)).one_or_none()
    return (row.attempt, row.seq) if row is not None else None
