"""What becomes of a run when the process that serves it is killed, or asked to end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Seen
from benchmarks.peer.products import Manner, Product
from benchmarks.peer.scenes import Scene, scene, seen_by_both
from benchmarks.processes import is_alive

AFTER, ENDED_WITHIN = 15.0, 60.0


def take(bench: Bench) -> Iterator[Seen]:
    """Each for both at the same time."""
    yield seen_by_both(bench, "kill -9 of the process that serves, with a run going on", killed)
    yield seen_by_both(bench, "SIGTERM to the process that serves, with a run going on", terminated)


def killed(bench: Bench, product: Product) -> str:
    """The processes of the run, and its state before and after something serves again."""
    with scene(bench, product) as seen:
        run, processes = _held(seen)
        os.kill(seen.served.pid, signal.SIGKILL)
        gone = seen.within(AFTER, lambda: not _living(processes))
        fate = "its processes are gone" if gone else f"its processes live on after {AFTER:g} s"
        seen.within(AFTER, lambda: seen.world.told(run).is_final)
        before = seen.world.told(run).word
        with seen.world.serve([seen.speaking.deployment("hold")], Manner(is_fastest=True)):
            seen.within(AFTER, lambda: seen.world.told(run).is_final)
            after = seen.world.told(run).word
        _end(processes)
    return f"{fate}; the run is told as {before} then, and as {after} once something serves again"


def terminated(bench: Bench, product: Product) -> str:
    """How soon it ends and with which code, and what becomes of the run, which would go on for ever."""
    with scene(bench, product) as seen:
        run, processes = _held(seen)
        began = time.monotonic()
        os.kill(seen.served.pid, signal.SIGTERM)
        if seen.within(ENDED_WITHIN, lambda: seen.served.exit_code() is not None):
            end = f"it ends after {time.monotonic() - began:.1f} s with exit code {seen.served.exit_code()}"
        else:
            end = f"it still waits for the run after {ENDED_WITHIN:g} s"
        fate = "its processes live" if _living(processes) else "its processes are gone"
        seen.within(AFTER, lambda: seen.world.told(run).is_final)
        state = seen.world.told(run).word
        _end(processes)
    return f"{end}; the run is told as {state}, and {fate}"


def _held(seen: Scene) -> tuple[str, Sequence[int]]:
    """A run that waits for ever, and its processes."""
    before, heard = set(seen.served.processes()), len(seen.speaking.heard())
    run = seen.served.ask(seen.speaking.deployment("hold"))
    seen.hear(heard)
    return run, [pid for pid in seen.served.processes() if pid not in before]


def _living(processes: Sequence[int]) -> list[int]:
    return [pid for pid in processes if is_alive(pid)]


def _end(processes: Sequence[int]) -> None:
    for pid in _living(processes):
        os.kill(pid, signal.SIGKILL)
