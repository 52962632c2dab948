"""Writing for people: tables, pages of fields, and talk. In a pipe everything is plain and whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flowsource.runs import RunState
from flowsource.text import MARKS, one_line, painted, printable

_RICH_STYLES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "34": "blue", "36": "cyan"}


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


def print_json(value: Any) -> None:
    """`value` as indented JSON on standard output."""
    print(json.dumps(value, indent=2))


def print_json_line(value: Any) -> None:
    """`value` as one line of JSON on standard output, at once."""
    print(json.dumps(value), flush=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Aligned columns under their names. On a terminal lines are cut to its width, the last column first."""
    if sys.stdout.isatty():
        _print_fitting_table(columns, rows)
    else:
        for line in plain_table(columns, [[cell.text for cell in row] for row in rows]):
            print(line)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose columns are as wide as their widest value, with nothing cut."""
    from rich.cells import cell_len

    lines = [list(columns), *([one_line(text) for text in row] for row in rows)]
    widths = [max(cell_len(line[place]) for line in lines) for place in range(len(columns))]
    return [
        "  ".join(text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _print_fitting_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(columns):
        is_last = place == len(columns) - 1
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1 if is_last else None)
    for row in rows:
        table.add_row(*(Text(one_line(cell.text), style=_RICH_STYLES.get(cell.colour or "", "")) for cell in row))
    Console(highlight=False).print(table)


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
