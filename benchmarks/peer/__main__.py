"""The command that compares.

    python -m benchmarks.peer [PART ...] [--quick | --full]

sets up both products, takes the parts that are named, or all of them, and keeps their numbers beside those of the parts
that were taken before. From all of these it writes the tables of benchmarks/README.md and the plots anew, which is all
that `--write` does.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import machine
from benchmarks.peer.bench import SIZES, Bench
from benchmarks.peer.figures import Row, Seen, Taken, keep, read
from benchmarks.peer.of_flowsource import CHECKOUT, Flowsource
from benchmarks.peer.of_prefect import Prefect
from benchmarks.peer.parts import PARTS
from benchmarks.peer.tables import report
from benchmarks.peer.writing import FIGURES, write


def main() -> None:
    """Take what is asked for, and write what is known then."""
    # What was started is ended on the way out, which a signal alone would not do.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    asked = _asked()
    failed: list[str] = []
    if not asked.write:
        asked.cache.mkdir(parents=True, exist_ok=True)
        ours, peer = Flowsource(asked.cache), Prefect(asked.cache)
        versions = {**ours.prepare("s3"), **peer.prepare("s3fs")}
        failed = [part for part in asked.parts or PARTS if not _is_taken(part, ours, peer, versions, asked)]
    if asked.figures == FIGURES:
        write(read(FIGURES))
    if failed:
        sys.exit(f"not taken: {', '.join(failed)}. Their logs are kept in {asked.cache}.")


def _is_taken(
    part: str, ours: Flowsource, peer: Prefect, versions: Mapping[str, str], asked: argparse.Namespace
) -> bool:
    try:
        _take(part, ours, peer, versions, asked)
    except Exception:
        # An hour of others is not to be lost for one.
        traceback.print_exc()
        return False
    return True


def _take(part: str, ours: Flowsource, peer: Prefect, versions: Mapping[str, str], asked: argparse.Namespace) -> None:
    place = Path(tempfile.mkdtemp(prefix=f"{part}-", dir=asked.cache))
    print(f"{part} ... in {place}", flush=True)
    began, at = time.perf_counter(), datetime.now(UTC)
    found = []
    for one in PARTS[part](Bench(ours, peer, place, SIZES[asked.size])):
        print(f"  {one.what}", flush=True)
        found.append(one)
    taken = Taken(
        part=part,
        at=f"{at:%Y-%m-%d %H:%M} UTC",
        seconds=round(time.perf_counter() - began, 1),
        command=f"python -m benchmarks.peer {part}" + ("" if asked.size == "usual" else f" --{asked.size}"),
        machine=machine(),
        versions=versions,
        rows=[one for one in found if isinstance(one, Row)],
        seen=[one for one in found if isinstance(one, Seen)],
    )
    keep(asked.figures, taken)
    print(report([taken]), flush=True)
    # Kept when something went wrong, for its logs.
    shutil.rmtree(place)


def _whole(path: str) -> Path:
    # Processes do not work where we do.
    return Path(path).resolve()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer", description="Compare flowsource with Prefect.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="a look, in minutes")
    size.add_argument("--full", dest="size", action="store_const", const="full", help="all of it, in hours")
    parser.add_argument("--write", action="store_true", help="measure nothing, and write what was measured")
    parser.add_argument("--cache", type=_whole, default=CHECKOUT / "build" / "peer", help="where environments are kept")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="where numbers are kept; the page has the usual")
    parser.set_defaults(size="usual")
    return parser.parse_args()


if __name__ == "__main__":
    main()
