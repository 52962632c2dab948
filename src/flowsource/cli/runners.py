"""`flowsource runners`: the processes that serve."""

from __future__ import annotations

from datetime import UTC, datetime

from flowsource.cli import exits
from flowsource.cli.groups import group
from flowsource.cli.json_shapes import runner_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_table, say
from flowsource.cli.times import relative
from flowsource.store.values import KnownRunner

runners = group("runners", "The processes that serve deployments and execute their runs.")

_COLUMNS = ("STATE", "RUNNER", "HOST", "PROCESS", "BEGAN", "LIMIT", "TOKEN", "SERVES")
_SHOWN = 3


@runners.command
def ls(*, json: bool = False) -> int:
    """All runners: where they are, and what they serve.

    Parameters
    ----------
    json
        Print a list of the runners as JSON.
    """
    now = datetime.now(UTC)
    known = with_store(lambda store: store.runners())
    if json:
        print_json([runner_json(one) for one in known])
    elif known:
        print_table(_COLUMNS, [_row(one, now) for one in known])
    else:
        say("No runners. `serve` in a script of yours makes one of its process.")
    return exits.OK


def _row(one: KnownRunner, now: datetime) -> list[Cell]:
    info, more = one.info, len(one.deployments) - _SHOWN
    serves = ", ".join(one.deployments[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    limit = "-" if info is None else ("any" if info.limit is None else str(info.limit))
    return [
        Cell("✔ alive", "32") if one.lease_until >= now else Cell("? out of sight", "33"),
        Cell(str(one.id)[:13]),
        Cell(info.host if info is not None else "-", "1"),
        Cell(f"{info.pid}, flowsource {info.version}" if info is not None else "-"),
        Cell(relative(info.started_at, now=now) if info is not None else "-"),
        Cell(limit),
        Cell(one.owner or "-"),
        Cell(serves or "-"),
    ]
