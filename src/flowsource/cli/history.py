"""`flowsource deployments history`: what happened to a deployment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flowsource.cli import exits
from flowsource.cli.given import check_limit
from flowsource.cli.json_shapes import history_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import Cell, print_json, print_table
from flowsource.cli.times import duration, relative
from flowsource.promotions import HistoryEntry, Kind
from flowsource.store.protocol import Store
from flowsource.text import revision_text

_COLOURS = {Kind.PROMOTED: "32", Kind.REJECTED: "31", Kind.REFUSED: "31", Kind.HELD: "33", Kind.PINNED: "36"}


def history(name: str, /, *, limit: int = 20, json: bool = False) -> int:
    """What happened to a deployment, newest first: each promotion, and each act of a person.

    Parameters
    ----------
    name
        As flow/deployment, or the deployment's own name where only one has it.
    limit
        How many at most (20).
    json
        Print a list of entries as JSON.
    """
    check_limit(limit)

    async def find(store: Store) -> list[HistoryEntry]:
        return await store.history((await store.deployment(name)).id, limit=limit)

    found = with_store(find)
    if json:
        print_json([history_json(entry) for entry in found])
    else:
        now = datetime.now(UTC)
        print_table(("WHEN", "WHAT", "REVISION", "BY", "ABOUT IT"), [_row(entry, now) for entry in found])
    return exits.OK


def _row(entry: HistoryEntry, now: datetime) -> list[Cell]:
    return [
        Cell(relative(entry.at, now=now)),
        Cell(entry.kind.replace("_", " "), _COLOURS.get(entry.kind)),
        Cell(revision_text(entry.revision) if entry.revision else "-"),
        Cell(entry.by or "-"),
        Cell(about_entry(entry) or "-"),
    ]


def about_entry(entry: HistoryEntry) -> str:
    """What else there is to say, in one line."""
    details = entry.details
    said = [entry.reason or ""]
    if "message" in details:
        said.append(str(details["message"]).partition("\n")[0])
    if entry.previous is not None and entry.kind in (Kind.PROMOTED, Kind.PASSED, Kind.ROLLED_BACK):
        said.append(f"from {entry.previous.short}")
    if "dependencies" in details:
        said.append(f"changes {', '.join(change['path'] for change in details['dependencies'])}")
    if "schedule" in details:
        said.append(str(details["schedule"]))
    if "seconds" in details:
        said.append(f"after {duration(timedelta(seconds=details['seconds']))}")
    return ", ".join(filter(None, said))
