"""Pages as plain text, as the commands print them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.responses import PlainTextResponse, Response

from flowsource.cli.output import Cell, aligned
from flowsource.text import one_line, printable

Fields = Sequence[tuple[str, Cell | str]]


def text_of(parts: Iterable[str]) -> Response:
    """An answer of these parts, with an empty line between them."""
    return PlainTextResponse("\n\n".join(parts) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> str:
    """A line for each row, below the names of its columns."""
    lines = aligned([columns, *([_plain(cell) for cell in row] for row in rows)], width=None)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def fields(title: str, values: Fields) -> str:
    """A title and its fields, one a line; a text of several lines stands below the name of its field."""
    width = max((len(name) for name, _ in values), default=0)
    lines = [one_line(title)]
    for name, value in values:
        first, *others = printable(_plain(value)).splitlines() or [""]
        if others:
            lines += [f"  {name}", *(f"    {line}" for line in (first, *others))]
        else:
            lines.append(f"  {name:<{width}}  {first}".rstrip())
    return "\n".join(lines)


def _plain(cell: Cell | str) -> str:
    return cell if isinstance(cell, str) else cell.text
