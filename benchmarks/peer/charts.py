"""Lines over a number that grows, drawn as SVG that can be read on light and on dark pages. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 580, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 136, 48, 48
# Beyond this, what is small would lie on the axis: the scale is one of ratios.
WIDE = 20
# Blue, orange, grey: told apart by those who see no red or no green, and by the words at their ends.
_STYLE = """
  .ground { fill: #ffffff } .grid { stroke: #e4e4e4 } text { fill: #555555; font: 12px sans-serif }
  .title { fill: #1c1c1c; font-size: 14px; font-weight: 600 }
  .c0 { stroke: #1f6fd0; fill: #1f6fd0 } .c1 { stroke: #d1600f; fill: #d1600f } .c2 { stroke: #7d7d7d; fill: #7d7d7d }
  polyline.line { fill: none; stroke-width: 2 } text.end { stroke: none; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #16181c } .grid { stroke: #33373d } text { fill: #b4b8be } .title { fill: #f0f0f0 }
    .c0 { stroke: #6aaeff; fill: #6aaeff } .c1 { stroke: #ff9d5c; fill: #ff9d5c }
    .c2 { stroke: #9a9a9a; fill: #9a9a9a }
  }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one of those that are compared, as pairs of how many there are and what it cost."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a value lies between two ends: by its ratio to them if `is_log`, else by its distance."""

    low: float
    high: float
    is_log: bool

    @classmethod
    def over(cls, values: Sequence[float]) -> Scale:
        """One that has room for all of the values, which are above 0."""
        low, high = min(values), max(values)
        if high / low > WIDE:
            return cls(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)), is_log=True)
        step = _step(high)
        return cls(0, step * math.ceil(high / step), is_log=False)

    @classmethod
    def from_end_to_end(cls, values: Sequence[float]) -> Scale:
        """One that the values, which differ, fill to both its ends."""
        return cls(min(values), max(values), is_log=max(values) / min(values) > WIDE)

    def part(self, value: float) -> float:
        """0 at the low end and 1 at the high one."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values from end to end."""
        if self.is_log:
            least, most = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**power for power in range(least, most + 1)]
        step = _step(self.high)
        return [number * step for number in range(round(self.high / step) + 1)]


def chart(title: str, over: str, lines: Sequence[Line]) -> str:
    """The picture, with `over` below the axis of what grows; what is 0 or less is not drawn."""
    drawn = [Line(line.name, [point for point in line.points if min(point) > 0]) for line in lines]
    points = [point for line in drawn for point in line.points]
    across, up = Scale.from_end_to_end([x for x, _ in points]), Scale.over([y for _, y in points])

    def x(value: float) -> float:
        return LEFT + across.part(value) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - up.part(value) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        *(_grid(y(tick), tick) for tick in up.ticks()),
        *_counts(sorted({one for one, _ in points}), x),
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(over)}</text>',
        *(part for number, line in enumerate(drawn) if line.points for part in _line(number, line, x, y)),
        *_names(drawn, x, y),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def short(value: float) -> str:
    """A number as it is written at an axis."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def apart(places: Sequence[float], least: float) -> list[float]:
    """The places, moved down as far as it takes for each to be `least` from the one above it."""
    moved = dict.fromkeys(range(len(places)), 0.0)
    free = -math.inf
    for number in sorted(moved, key=lambda number: places[number]):
        moved[number] = max(places[number], free)
        free = moved[number] + least
    return list(moved.values())


def _grid(y: float, tick: float) -> str:
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(tick)}</text>'


def _counts(values: Sequence[float], x: Callable[[float], float]) -> Iterator[str]:
    for value in values:
        yield f'<text x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{short(value)}</text>'


def _line(number: int, line: Line, x: Callable[[float], float], y: Callable[[float], float]) -> Iterator[str]:
    places = [(x(at), y(value)) for at, value in sorted(line.points)]
    drawn = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
    yield f'<polyline class="line c{number}" points="{drawn}"/>'
    for left, top in places:
        yield f'<circle class="c{number}" cx="{left:.1f}" cy="{top:.1f}" r="3.5"/>'


def _names(lines: Sequence[Line], x: Callable[[float], float], y: Callable[[float], float]) -> Iterator[str]:
    ends = [(number, line, *max(line.points)) for number, line in enumerate(lines) if line.points]
    tops = apart([y(value) for *_, value in ends], 15)
    for (number, line, at, value), top in zip(ends, tops, strict=True):
        said = f"{line.name} {short(value)}"
        yield f'<text class="end c{number}" x="{x(at) + 9:.1f}" y="{top + 4:.1f}">{escape(said)}</text>'


def _step(high: float) -> float:
    """The distance between round values of which about five lead to `high`."""
    power = 10.0 ** math.floor(math.log10(high / 5))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= high / 5)
