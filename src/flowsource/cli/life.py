"""The life of a run as it is shown: its attempts, its steps, and the runs below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowsource.cli.output import aligned, state_cell
from flowsource.cli.times import clock, duration
from flowsource.runs import Attempt, Cancellation, Failure, Run, Transition
from flowsource.store.protocol import Store

# Of the runs below one, so many of each and so deep; a run may ask for thousands.
_MOST_CHILDREN = 50
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Branch:
    """A run, with those that it asked for and those that went on inside it, in the order they began."""

    run: Run
    children: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is known about a run."""

    run: Run
    attempts: Sequence[Attempt]
    steps: Sequence[Transition]
    children: Sequence[Branch]


async def life_of(store: Store, run: Run) -> Life:
    """Everything about `run`, which is looked at once more."""
    return Life(
        attempts=await store.attempts(run.id),
        steps=await store.transitions(run.id),
        children=await _children(store, run, _DEEPEST),
        run=await store.run(str(run.id)),
    )


async def _children(store: Store, run: Run, levels: int) -> tuple[Branch, ...]:
    if not levels:
        return ()
    found = await store.runs(parent_id=run.id, limit=_MOST_CHILDREN)
    found.sort(key=lambda child: child.started_at or child.scheduled_at)
    return tuple([Branch(child, await _children(store, child, levels - 1)) for child in found])


def took(started_at: datetime | None, ended_at: datetime | None, now: datetime) -> str:
    """How long it went on, or has been going on; nothing for what never began."""
    return _length(started_at, ended_at or now) if started_at is not None else ""


def why(failure: Failure | None) -> str:
    """What went wrong, in a line."""
    return str(failure) if failure is not None else ""


def attempts_text(attempts: Sequence[Attempt], now: datetime) -> str:
    """An attempt a line: its number, how it ended, when it began, how long it took, and why it ended so."""
    return _table(
        (
            str(attempt.number),
            state_cell(attempt.state).text,
            clock(attempt.started_at or attempt.claimed_at),
            took(attempt.started_at, attempt.ended_at, now),
            why(attempt.failure),
        )
        for attempt in attempts
    )


def steps_text(steps: Sequence[Transition]) -> str:
    """A step a line: when it was taken, how long after the one before, to what state, in which attempt, and why."""
    before = [steps[0], *steps]
    return _table(
        (
            clock(step.at),
            f"+{_length(last.at, step.at)}",
            state_cell(step.state).text,
            f"attempt {step.attempt}" if step.attempt > 1 else "",
            ", ".join(filter(None, (step.reason, f"by {step.by}" if step.by else ""))),
        )
        for last, step in zip(before, steps, strict=False)
    )


def phases_text(cancellation: Cancellation) -> list[str]:
    """How far a cancellation has come, a phase a line, each with its time of day."""
    because = f": {cancellation.reason}" if cancellation.reason else ""
    phases = (
        (cancellation.asked_at, f"{cancellation.by} asked it to end{because}"),
        (cancellation.told_at, "its server was told"),
        (cancellation.signalled_at, "its processes were asked to end (SIGTERM)"),
        (cancellation.killed_at, "its processes were made to end (SIGKILL)"),
    )
    return [f"{clock(at)}  {said}" for at, said in phases if at is not None]


def tree_text(branches: Sequence[Branch], now: datetime) -> str:
    """A run a line, each below the one that asked for it."""
    return _table(
        (
            f"{lines}{state_cell(run.state).text}",
            run.name,
            f"{run.flow}, inside" if run.is_nested else run.deployment,
            took(run.started_at, run.ended_at, now),
            why(run.failure),
        )
        for lines, run in _walk(branches)
    )


def _walk(branches: Sequence[Branch], before: str = "") -> Iterator[tuple[str, Run]]:
    for branch in branches:
        is_last = branch is branches[-1]
        yield f"{before}{'└─ ' if is_last else '├─ '}", branch.run
        yield from _walk(branch.children, f"{before}{'   ' if is_last else '│  '}")


def _length(start: datetime, end: datetime) -> str:
    # A clock may have been set back between the two.
    return duration(max(end - start, timedelta()))


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join("  ".join(cells).rstrip() for cells in aligned(list(rows), width=None))
