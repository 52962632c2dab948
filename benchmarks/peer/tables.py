"""What was measured, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks.peer.drawing import pictures
from benchmarks.peer.figures import Row, Seen, Taken

_MEASURED = ("what", "unit", "flowsource", "Prefect", "flowsource is better by", "beside")
_SEEN = ("what happens", "flowsource", "Prefect")


def report(parts: Sequence[Taken], plots: str = "") -> str:
    """Each part below its title, with the pictures that lie at the address `plots` unless that is empty; then on what
    it was taken."""
    lines = [line for part in parts for line in _part(part, plots)]
    return "\n".join([*lines, *_circumstances(parts)])


def ratio(row: Row) -> float | None:
    """How many times better ours is than the peer, by the medians; below 1 where it is worse, None without both."""
    if not row.ours or not row.peer:
        return None
    ours, peer = median(row.ours), median(row.peer)
    over, under = (ours, peer) if row.is_rate else (peer, ours)
    return over / under if under else None


def _part(part: Taken, plots: str) -> Iterator[str]:
    yield f"### {part.part.capitalize()}"
    yield ""
    if part.rows:
        yield from _table(_MEASURED, map(_measured, part.rows))
        yield ""
    if part.seen:
        yield from _table(_SEEN, map(_seen, part.seen))
        yield ""
    notes = [f"- {row.what}: {row.note}." for row in part.rows if row.note]
    if notes:
        yield from [*notes, ""]
    drawn = [f"![{one.title}]({plots}/{one.file})" for one in pictures(part.rows)] if plots else []
    if drawn:
        yield from [*drawn, ""]
    yield f"Taken on {part.at} by `{part.command}`, in {part.seconds:,.0f} s."
    yield ""


def _measured(row: Row) -> Sequence[str]:
    times = ratio(row)
    beside = f"{row.beside_is} {_spread(row.beside)}" if row.beside else ""
    better = f"{number(times)} x" if times is not None else ""
    return row.what, row.unit, _spread(row.ours), _spread(row.peer), better, beside


def _seen(seen: Seen) -> Sequence[str]:
    return seen.what, seen.ours, seen.peer


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "not taken"
    middle = number(median(values))
    return middle if min(values) == max(values) else f"{middle} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """Three digits that count, and all of them before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def _circumstances(parts: Sequence[Taken]) -> Iterator[str]:
    """The machines and versions, each once, with the parts that were taken so."""
    taken: dict[str, list[str]] = {}
    for part in parts:
        taken.setdefault(f"{part.machine}; {_versions(part.versions)}", []).append(part.part)
    for circumstances, names in taken.items():
        yield f"{'All of it' if len(taken) == 1 else ', '.join(names)}: {circumstances}."


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(header)
    yield _line(["---"] * len(header))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
