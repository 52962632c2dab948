"""Queries for runs as conditions of SQL. They mean what `flowsource.queries.runs.matches` means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, false, not_, or_

from flowsource.queries.kinds import instant_of
from flowsource.queries.runs import asks_by_parent
from flowsource.queries.terms import WORDS, Pattern, Query, Term
from flowsource.runs import RunState
from flowsource.store.names import first_run_id
from flowsource.store.patterns import fits, is_within
from flowsource.store.tables import deployments, is_not_completed, run_tags, runs

_FULL_NAME = deployments.c.flow + "/" + deployments.c.name


def conditions_of(query: Query) -> list[ColumnElement[bool]]:
    """What holds for the row of each run that `query` asks for, and for no other."""
    conditions = [condition_of(term) for term in query.terms]
    if asks_by_parent(query):
        return conditions
    conditions.append(runs.c.is_nested.is_(False))
    if not may_have_completed(query):
        # Said in the words of the index as well: a database draws no such conclusion from bound values.
        conditions.append(is_not_completed)
    return [*conditions, *(_in_time(term) for key in ("after", "before") for term in query.asked(key))]


def may_have_completed(query: Query) -> bool:
    """Whether the query leaves room for completed runs, which is what most runs are."""
    completed: Pattern = (RunState.COMPLETED.value,)
    return all((completed in term.values) != term.is_negated for term in query.terms if term.key == "state")


def condition_of(term: Term) -> ColumnElement[bool]:
    """What holds for the row of each run that `term` asks for."""
    one_fits = or_(*map(_CONDITIONS[term.key], term.values))
    return not_(one_fits) if term.is_negated else one_fits


def names_deployment(value: Pattern) -> ColumnElement[bool]:
    """Whether a row of `deployments` has that full name, or that name of its own."""
    return or_(fits(value, _FULL_NAME), fits(value, deployments.c.name))


def _in_time(term: Term) -> ColumnElement[bool]:
    """What a term of time says of ids, which sort by time: so a database finds the place in any index."""
    ids = [first_run_id(instant_of(value)) for value in term.values]
    return runs.c.id >= min(ids) if term.key == "after" else runs.c.id < max(ids)


def ids_that_begin(value: Pattern) -> tuple[UUID, UUID] | None:
    """The first and the last id that begin with the digits of `value`; None where they are too many for an id."""
    digits = value[0]
    return (UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))) if len(digits) <= 32 else None


def texts_that_begin(value: Pattern) -> tuple[str, str]:
    """The least text of hexadecimal digits that begins with those of `value`, and one behind all of them."""
    return value[0], f"{value[0]}g"


def _is_between(ends: tuple[Any, Any] | None, column: ColumnElement[Any]) -> ColumnElement[bool]:
    # As a range, which each database answers from the index, whatever it keeps an id as.
    if ends is None:
        return false()
    first, last = ends
    return and_(column.is_not(None), column >= first, column <= last)


def _has_tag(value: Pattern) -> ColumnElement[bool]:
    # Not of the tags through which the runs are come by, where they are.
    return exists().where(run_tags.c.run_id == runs.c.id, fits(value, run_tags.c.tag)).correlate(runs)


def _is_of_deployment(value: Pattern) -> ColumnElement[bool]:
    # Looked at run by run: what goes through all runs of a deployment would have to sort them.
    return exists().where(deployments.c.id == runs.c.deployment_id, names_deployment(value)).correlate(runs)


def _has_revision(value: Pattern) -> ColumnElement[bool]:
    return or_(
        *(_is_between(texts_that_begin(value), column) for column in (runs.c.revision_id, runs.c.revision_commit))
    )


_CONDITIONS: Mapping[str, Callable[[Pattern], ColumnElement[bool]]] = {
    WORDS: lambda value: or_(*(is_within(value, text) for text in (runs.c.name, runs.c.deployment, runs.c.flow))),
    "state": lambda value: runs.c.state == value[0],
    "deployment": _is_of_deployment,
    "flow": lambda value: fits(value, runs.c.flow),
    "tag": _has_tag,
    "name": lambda value: fits(value, runs.c.name),
    "after": lambda value: runs.c.created_at >= instant_of(value),
    "before": lambda value: runs.c.created_at < instant_of(value),
    "revision": _has_revision,
    "schedule": lambda value: and_(runs.c.schedule.is_not(None), fits(value, runs.c.schedule)),
    "id": lambda value: _is_between(ids_that_begin(value), runs.c.id),
    "trigger": lambda value: and_(runs.c.trigger.is_not(None), fits(value, runs.c.trigger)),
    "runner": lambda value: _is_between(ids_that_begin(value), runs.c.runner_id),
    "parent": lambda value: _is_between(ids_that_begin(value), runs.c.parent_id),
}
