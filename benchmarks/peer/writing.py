"""The page and the plots that are written from all that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.peer.drawing import Picture, pictures
from benchmarks.peer.figures import Taken
from benchmarks.peer.insertion import inserted
from benchmarks.peer.of_flowsource import CHECKOUT
from benchmarks.peer.parts import PARTS
from benchmarks.peer.tables import report

FIGURES = CHECKOUT / "benchmarks" / "peer" / "figures.json"
PAGE = CHECKOUT / "benchmarks" / "README.md"
PLOTS = CHECKOUT / "benchmarks" / "plots"
PLACE = "beside Prefect"


def write(taken: Mapping[str, Taken]) -> None:
    """Write them anew; plots of what was not taken are removed."""
    PLOTS.mkdir(exist_ok=True)
    for old in PLOTS.glob("*.svg"):
        old.unlink()
    for picture in plots(taken):
        (PLOTS / picture.file).write_text(picture.text, encoding="utf-8")
    PAGE.write_text(page(taken), encoding="utf-8")


def page(taken: Mapping[str, Taken]) -> str:
    """The page with the tables of that in its place."""
    return inserted(PAGE.read_text(encoding="utf-8"), PLACE, report(_in_order(taken), plots=PLOTS.name))


def plots(taken: Mapping[str, Taken]) -> Iterator[Picture]:
    """What there is to be drawn of it."""
    for part in _in_order(taken):
        yield from pictures(part.rows)


def _in_order(taken: Mapping[str, Taken]) -> Sequence[Taken]:
    return [taken[name] for name in PARTS if name in taken]
