from __future__ import annotations

from benchmarks.peer.figures import read
from benchmarks.peer.parts import PARTS
from benchmarks.peer.writing import FIGURES, PAGE, PLOTS, page, plots


def test_the_page_and_the_plots_are_those_of_the_figures() -> None:
    taken = read(FIGURES)
    assert page(taken) == PAGE.read_text(encoding="utf-8"), "run `python -m benchmarks.peer --write`"
    drawn = {picture.file: picture.text for picture in plots(taken)}
    assert {file.name: file.read_text(encoding="utf-8") for file in PLOTS.glob("*.svg")} == drawn


def test_each_part_is_told_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [part for part in PARTS if f"`{part}`" not in text] == []
