"""What both do when a remote is away, a commit is broken, history is rewritten, or a run goes on across a push."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Seen
from benchmarks.peer.products import Product
from benchmarks.peer.scenes import files, scene, seen_by_both
from tests.support.git_server import Refuse

POLLS = 4
# Who asks a server less often after failures takes a while to see that they are over.
RECOVERY = 120.0
BROKEN = "def broken(:\n"
OWN = {
    "kept": "what it wrote where it works is still there",
    "lost": "what it wrote where it works is gone",
    "refused": "it may not write to where its code is",
}


def take(bench: Bench) -> Iterator[Seen]:
    """Each for both at the same time."""
    yield seen_by_both(bench, "the remote answers 503 to some polls, and then as before", remote_away)
    yield seen_by_both(bench, "a commit is pushed that does not load, then one that does", broken_commit)
    yield seen_by_both(bench, "history is rewritten by a forced push", forced_push)
    yield seen_by_both(bench, "a commit is pushed while a run goes on", update_under_a_run)


def remote_away(bench: Bench, product: Product) -> str:
    """Runs asked for meanwhile, and after it."""
    with scene(bench, product) as seen:
        seen.server.misbehave(Refuse(status=503))
        seen.wait_for_polls(POLLS)
        meanwhile = seen.run()
        process = seen.process()
        seen.server.behave()
        seen.push("after")
        seconds = seen.seconds_until_on("after", RECOVERY)
        after = "the next push is not served" if seconds is None else f"the next push is served after {seconds:.0f} s"
    return f"{process}; a run asked for meanwhile is {meanwhile}; once the remote is back, {after}"


def broken_commit(bench: Bench, product: Product) -> str:
    """A run asked for with the broken commit as the newest, and after it was mended."""
    with scene(bench, product) as seen:
        seen.remote.push({**files(seen.speaking.place, "broken"), "flows.py": BROKEN})
        seen.wait_for_polls(POLLS)
        meanwhile = seen.run()
        process = seen.process()
        seen.push("mended")
        after = "the mended commit is served" if seen.is_on("mended") else "the mended commit is not served"
    return f"{process}; a run asked for meanwhile is {meanwhile}; then {after}"


def forced_push(bench: Bench, product: Product) -> str:
    """A run on what came of it."""
    with scene(bench, product) as seen:
        seen.remote.force(files(seen.speaking.place, "forced"))
        after = "the new history is served" if seen.is_on("forced") else "the new history is not served"
        return f"{seen.process()}; {after}"


def update_under_a_run(bench: Bench, product: Product) -> str:
    """What a run reads beside its file before and after, and whether what it wrote where it works is still there."""
    with scene(bench, product) as seen:
        heard = len(seen.speaking.heard())
        seen.served.ask(seen.speaking.deployment("work"))
        if seen.hear(heard) is None:
            raise RuntimeError(f"the run does not begin; the log is {seen.served.log}")
        seen.push("second")
        if not seen.is_on("second"):
            return f"{seen.process()}; the new commit is not served"
        heard = len(seen.speaking.heard())
        seen.open_gate()
        said = seen.hear(heard)
    if said is None:
        return "the run does not end"
    before, after, own = said.word.split("-")
    return f"the run reads “{before}” in a file beside its own before, and “{after}” after; {OWN[own]}"
