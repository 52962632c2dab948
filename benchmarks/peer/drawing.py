"""Which lines are drawn of what was measured, each series in a picture of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.peer.charts import Line, chart
from benchmarks.peer.figures import Row


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG image, and the name of its file."""

    title: str
    file: str
    text: str


def pictures(rows: Sequence[Row]) -> Iterator[Picture]:
    """One for each series that was measured at two places or more, in the order of the rows."""
    for series, over in dict.fromkeys((row.series, row.over) for row in rows if row.series):
        of = [row for row in rows if (row.series, row.over) == (series, over)]
        if len({row.at for row in of}) > 1:
            title = f"{series}, by {over}"
            yield Picture(title, f"{slug(title)}.svg", chart(title, over, list(_lines(of))))


def slug(title: str) -> str:
    """What a file with that title is called."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))


def _lines(rows: Sequence[Row]) -> Iterator[Line]:
    yield Line("flowsource", [(row.at, median(row.ours)) for row in rows if row.ours])
    yield Line("Prefect", [(row.at, median(row.peer)) for row in rows if row.peer])
    # The program that both are held against.
    yield Line(rows[0].beside_is.partition(" ")[0], [(row.at, median(row.beside)) for row in rows if row.beside])
