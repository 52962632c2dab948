"""What was measured, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.peer.figures import Row, Taken

_HEADER = ("what", "unit", "flowsource", "Prefect", "Prefect / flowsource", "beside")


def report(parts: Sequence[Taken]) -> str:
    """All parts, each below its title: a table of what was measured, and one of what was seen."""
    return "\n".join(line for part in parts for line in _part(part))


def _part(part: Taken) -> Iterator[str]:
    yield f"### {part.part}"
    yield ""
    if part.rows:
        yield from _table(_HEADER, map(_cells, part.rows))
        yield ""
        for row in part.rows:
            if row.note:
                yield f"- {row.what}: {row.note}"
        if any(row.note for row in part.rows):
            yield ""
    if part.seen:
        yield from _table(("what", "flowsource", "Prefect"), ((one.what, one.ours, one.peer) for one in part.seen))
        yield ""
    yield f"Taken {part.at}, in {part.seconds:.0f} s, by `{part.command}`; {part.machine}; {_versions(part.versions)}."
    yield ""


def ratio(row: Row) -> float | None:
    """How many times better ours is than the peer, by the medians; below 1 where it is worse, None without both."""
    if not row.ours or not row.peer:
        return None
    ours, peer = median(row.ours), median(row.peer)
    better, worse = (peer, ours) if row.is_rate else (ours, peer)
    return worse / better if better else None


def _cells(row: Row) -> tuple[str, ...]:
    times = ratio(row)
    beside = f"{row.beside_is} {_spread(row.beside)}" if row.beside else ""
    return row.what, row.unit, _spread(row.ours), _spread(row.peer), f"{_number(times)} x" if times else "", beside


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "not taken"
    middle = _number(median(values))
    return middle if min(values) == max(values) else f"{middle} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    """Three digits that count, as people write them."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _table(header: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    yield _line(header)
    yield _line(["---"] * len(header))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
