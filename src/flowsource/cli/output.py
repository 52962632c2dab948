"""Writing for people: tables, pages of fields, and talk. In a pipe everything is plain and whole."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flowsource.runs import RunState
from flowsource.text import MARKS, one_line, painted, printable


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text, one line, and how it is painted (a number of ANSI's) where colours are shown."""

    text: str
    colour: str | None = None


def state_cell(state: RunState) -> Cell:
    """The state as sign, word and colour."""
    sign, colour = MARKS[state]
    return Cell(f"{sign} {state.replace('_', ' ')}", colour)


def say(text: str) -> None:
    """Tell the person something that is not what was asked for."""
    print(printable(text), file=sys.stderr, flush=True)


def say_more(cursor: str | None) -> None:
    """Tell how to see what comes behind a list that was cut, if it was."""
    if cursor is not None:
        say(f"There are more: --cursor {cursor}")


def print_json(value: Any) -> None:
    """`value` as indented JSON on standard output."""
    print(json.dumps(value, indent=2))


def print_json_line(value: Any) -> None:
    """`value` as one line of JSON on standard output, at once."""
    print(json.dumps(value), flush=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Aligned columns under their names. On a terminal the widest are cut until a line fits."""
    cells = [[Cell(name, "2") for name in columns], *rows]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line, texts in zip(cells, aligned([[cell.text for cell in line] for line in cells], width=width), strict=True):
        painted_texts = [
            painted(text, cell.colour, sys.stdout) if cell.colour else text
            for cell, text in zip(line, texts, strict=True)
        ]
        print("  ".join(painted_texts).rstrip())


def aligned(lines: Sequence[Sequence[str]], *, width: int | None) -> list[list[str]]:
    """The texts of a table, each filled up or cut to the width of its column.

    A column is as wide as its widest text; where the line would be wider than `width`, the widest columns give way.
    """
    from rich.cells import cell_len, set_cell_size

    safe = [[one_line(text) for text in line] for line in lines]
    widths = [max(map(cell_len, column)) for column in zip(*safe, strict=True)]
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1

    def fitted(text: str, room: int) -> str:
        return set_cell_size(text if cell_len(text) <= room else set_cell_size(text, room - 1) + "…", room)

    return [[fitted(text, room) for text, room in zip(line, widths, strict=True)] for line in safe]


def print_page(title: str, fields: Sequence[tuple[str, Cell | str]]) -> None:
    """A title and its fields, one a line; a text of several lines stands below the name of its field."""
    print(painted(one_line(title), "1", sys.stdout))
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        cell = value if isinstance(value, Cell) else Cell(value)
        label = painted(f"{name:<{width}}", "2", sys.stdout)
        first, *others = printable(cell.text).splitlines() or [""]
        if others:
            print(f"  {label.rstrip()}")
            print("\n".join(f"    {line}" for line in (first, *others)))
        else:
            print(f"  {label}  {painted(first, cell.colour, sys.stdout) if cell.colour else first}")
