"""Runs as a table, one a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flowsource.cli.life import took
from flowsource.cli.output import Cell, print_table, state_cell
from flowsource.cli.times import relative
from flowsource.runs import Run


def print_runs(runs: Sequence[Run], now: datetime) -> None:
    """A line for each of `runs`, in their order."""
    columns = ("STATE", "RUN", "DEPLOYMENT", "REVISION", "WHEN", "TOOK")
    print_table(columns, [_row(run, now) for run in runs])


def _row(run: Run, now: datetime) -> list[Cell]:
    return [
        state_cell(run.state),
        Cell(run.name, "1"),
        Cell(f"{run.flow}, inside" if run.is_nested else run.deployment),
        Cell(run.revision.short if run.revision else "-"),
        Cell(relative(run.started_at or run.ended_at or run.scheduled_at, now=now)),
        Cell(took(run.started_at, run.ended_at, now) or "-"),
    ]
