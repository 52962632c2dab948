"""What is kept of a measurement: raw numbers of both products, part by part, in a file that a later portion adds to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was measured: all numbers of ours, of the peer's and of what both are held against, in `unit`.

    None was taken where a sequence is empty, and `note` says why. The numbers of rows with the same `series` are drawn
    over their `at`, which counts what `over` names. `is_rate` says that more is better.
    """

    what: str
    unit: str
    ours: Sequence[float] = ()
    peer: Sequence[float] = ()
    beside: Sequence[float] = ()
    beside_is: str = ""
    note: str = ""
    is_rate: bool = False
    series: str = ""
    over: str = ""
    at: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What both did in one situation, in sentences made of what was looked at."""

    what: str
    ours: str
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One part of the comparison as it was taken: when (ISO 8601, UTC), in how many seconds, by which command, with
    which `versions`, and on which machine."""

    part: str
    at: str
    seconds: float
    command: str
    machine: str
    versions: Mapping[str, str]
    rows: Sequence[Row] = field(default=())
    seen: Sequence[Seen] = field(default=())


def read(file: Path) -> dict[str, Taken]:
    """The parts that were taken so far, by name, as `keep` wrote them; none where there is no file."""
    if not file.exists():
        return {}
    return {one["part"]: _taken(one) for one in json.loads(file.read_text(encoding="utf-8"))["parts"]}


def keep(file: Path, taken: Taken) -> None:
    """Write the part to the file in the place of what that part was before; the others stay."""
    parts = read(file) | {taken.part: taken}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    unfinished.write_text(_text(parts.values()), encoding="utf-8")
    unfinished.replace(file)


def _text(parts: Iterable[Taken]) -> str:
    # A line for each row, so that what a new portion changes can be read as a difference.
    whole = []
    for part in parts:
        told = asdict(part)
        lists = {name: ",\n   ".join(map(json.dumps, told.pop(name))) for name in ("rows", "seen")}
        head = json.dumps(told)[1:-1]
        whole.append("\n ".join([f"{{{head},", f'"rows": [{lists["rows"]}],', f'"seen": [{lists["seen"]}]}}']))
    return '{"parts": [\n' + ",\n".join(whole) + "\n]}\n"


def _taken(kept: dict[str, Any]) -> Taken:
    rows, seen = (Row(**row) for row in kept.pop("rows")), (Seen(**one) for one in kept.pop("seen"))
    return Taken(**kept, rows=tuple(rows), seen=tuple(seen))
