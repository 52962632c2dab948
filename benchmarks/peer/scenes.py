"""A situation in which something goes wrong, the same for both products, and what is looked at then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Seen
from benchmarks.peer.products import Deployment, Git, Manner, Product, Served, State, World, flows
from benchmarks.peer.remotes import Remote
from benchmarks.peer.speaking import Place, Said, Speaking
from benchmarks.peer.started import wait_until
from tests.support.git_server import GitServer, git_server

INTERVAL = 2
PATIENCE = 30.0
# One that goes on for long: in the middle it reads what lies beside it, and what it wrote where it works.
LONG = """
from pathlib import Path

@flow
def work():
    beside, own = Path(__file__).with_name("beside.txt"), Path("written-by-the-run.txt")
    before = beside.read_text()
    try:
        own.write_text("kept")
        fate = "lost"
    except OSError:
        fate = "refused"
    say("works")
    open({gate!r}).read()
    after = beside.read_text() if beside.exists() else "nothing"
    try:
        fate = "kept" if own.exists() and Path.cwd().exists() else fate
    except FileNotFoundError:
        pass
    say(f"{{before}}-{{after}}-{{fate}}")
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """Flows served from a repository of a server that can be told to misbehave."""

    world: World
    speaking: Speaking
    remote: Remote
    server: GitServer

    @property
    def served(self) -> Served:
        """The process that serves."""
        return self.speaking.served

    def push(self, word: str) -> None:
        """Push a commit whose runs say that word."""
        self.remote.push(files(self.speaking.place, word))

    def wait_for_polls(self, count: int) -> None:
        """Wait until the server was asked so many times more, or the process that serves has ended, or for a minute."""
        seen = len(self.server.log)

        def is_over() -> bool:
            asked = sum(one.path.endswith("info/refs") or one.command == "ls-refs" for one in self.server.log[seen:])
            return asked >= count or self.served.exit_code() is not None

        self.within(60, is_over)

    def within(self, seconds: float, is_so: Callable[[], bool]) -> bool:
        """Whether it became so in that time."""
        try:
            wait_until("it", is_so, within=seconds, every=0.05)
        except TimeoutError:
            return False
        return True

    def process(self) -> str:
        """What has become of the process that serves."""
        code = self.served.exit_code()
        return "the process goes on" if code is None else f"the process has ended by itself (exit code {code})"

    def run(self) -> str:
        """What becomes of a run that is asked for now, in the time that people have patience for."""
        seen = len(self.speaking.heard())
        try:
            run = self.served.ask(self.speaking.deployment())
        except (OSError, RuntimeError):
            return "refused: nobody answers"
        self.within(PATIENCE, lambda: self.state(run).is_final)
        said = self.speaking.heard()[seen:]
        state = self.state(run)
        late = "" if state.is_final else f" still after {PATIENCE:g} s"
        return f"{state.word}{late}" + (f", on the commit “{said[-1].word}”" if said else "")

    def state(self, run: str) -> State:
        """The state of the run, asked of the process that serves while that lives."""
        return self.served.state(run) if self.served.exit_code() is None else self.world.told(run)

    def is_on(self, word: str, within: float = PATIENCE) -> bool:
        """Whether a run that is asked for in that time says that word."""
        return self.seconds_until_on(word, within) is not None

    def seconds_until_on(self, word: str, within: float) -> float | None:
        """How long until a run has said that word, of those that are asked for one after the other; None if none does
        in that time, or the process that serves has ended."""
        began = time.monotonic()
        while time.monotonic() < began + within and self.served.exit_code() is None:
            if f"“{word}”" in self.run():
                return time.monotonic() - began
        return None

    def hear(self, seen: int) -> Said | None:
        """What was said after so many others, if it is in time."""
        self.within(PATIENCE, lambda: len(self.speaking.heard()) > seen)
        heard = self.speaking.heard()
        return heard[seen] if len(heard) > seen else None

    def open_gate(self) -> None:
        """Let runs go on that wait."""
        self.speaking.place.open_gate()


@contextmanager
def scene(bench: Bench, product: Product) -> Iterator[Scene]:
    """The product in a world of its own, in which one run was on the first commit."""
    place = Place.fresh(bench, product)
    remotes = place.root / "remotes"
    remotes.mkdir()
    remote = Remote.create(remotes / "flows.git", files(place, "first"))
    with git_server(remotes) as server, product.world(place.root / "world") as world:
        source = Git(server.url("flows.git"), INTERVAL)
        deployments = [Deployment(flow, "compared", source) for flow in ("speak", "hold", "work")]
        with world.serve(deployments, Manner(is_fastest=True)) as served:
            ready = Scene(world, Speaking(served, source, place), remote, server)
            ready.speaking.ask_and_hear()
            yield ready


def files(place: Place, word: str) -> Mapping[str, str]:
    """What a commit holds whose runs say that word."""
    long = flows(LONG, place.product, gate=str(place.gate))
    return {"flows.py": place.files(word)["flows.py"] + long, "beside.txt": word}


def seen_by_both(bench: Bench, what: str, look: Callable[[Bench, Product], str]) -> Seen:
    """What both do, at the same time, each in a world of its own."""
    with ThreadPoolExecutor(2) as threads:
        ours, peer = threads.map(lambda product: look(bench, product), bench.products)
    return Seen(what=what, ours=_sentence(ours), peer=_sentence(peer))


def _sentence(told: str) -> str:
    return f"{told[:1].upper()}{told[1:]}."
