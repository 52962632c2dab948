"""A server, a runner that reaches it by HTTP alone, and people elsewhere: each a process, with a home of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import anyio
import pytest

from flowsource.store import open_store
from tests.cli.calling import CommandLine, Done
from tests.fire.checking import untrue
from tests.support.servers import ServerProcess, server_process
from tests.support.serving import ServingScript, started
from tests.support.waiting import PATIENCE

SCRIPT = """
import os
from pathlib import Path
from time import sleep

from flowsource import flow, run_deployment


@flow(log_prints=True)
def work(gate: str = "", asks: str = ""):
    print("begun, and knows of", sorted(name for name in os.environ if name.startswith("FLOWSOURCE_TOKEN")))
    while gate and not Path(gate).exists():
        sleep(0.02)
    if asks:
        return run_deployment(asks).state
    print("done")
    return 42


if __name__ == "__main__":
    work.serve(name="remote", limit=4)
"""


@dataclass
class Fleet:
    """A server, a serving script elsewhere, and a person with the token of an operator."""

    server: ServerProcess
    runner: ServingScript
    token_file: Path
    home: Path

    def __call__(self, *words: str) -> Done:
        """`flowsource` as that person says it."""
        said = {"FLOWSOURCE_STORE": self.server.url, "FLOWSOURCE_TOKEN_FILE": str(self.token_file)}
        return CommandLine(self.home).run(*words, environ=said)

    def run(self, name: str) -> Any:
        """How a run is by now, or None while nobody can say."""
        done = self("runs", "show", name, "--json")
        return done.json if done.code == 0 else None

    def until(self, name: str, state: str, within: float = PATIENCE) -> Any:
        """Wait until a run is in that state."""
        deadline = monotonic() + within
        while (run := self.run(name)) is None or run["state"] != state:
            assert monotonic() < deadline, f"{name} is not {state} but {run}; the runner said:\n{self.runner.output}"
            sleep(0.2)
        return run

    def ask(self, **parameters: str) -> str:
        """The name of a new run."""
        words = [word for key, value in parameters.items() for word in ("-p", f"{key}={value}")]
        done = self("run", "work/remote", *words, "--json")
        assert done.code == 0, done.err
        return str(json.loads(done.out)["name"])


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    script = tmp_path / "elsewhere" / "flows.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    with server_process(tmp_path / "server-home") as server:
        runner_token, person = server.token("fleet", "runner"), server.token("anna", "operator")
        said = {"FLOWSOURCE_STORE": server.url, "FLOWSOURCE_TOKEN": runner_token.read_text().strip()}
        with started(script, tmp_path / "runner-home", environ=said) as runner:
            runner.wait_until_said("Ask for a run:")
            yield Fleet(server, runner, person, tmp_path / "person-home")


def test_a_run_is_asked_for_here_executed_there_and_seen_everywhere(fleet: Fleet, tmp_path: Path) -> None:
    done = fleet("run", "work/remote", "--watch")
    assert done.code == 0, done.err
    assert "knows of []" in done.out
    assert "done" in done.out

    gate = tmp_path / "gate"
    name = fleet.ask(gate=str(gate))
    fleet.until(name, "running")
    assert fleet("runs", "cancel", name, "--wait").code == 0
    assert fleet.run(name)["state"] == "cancelled"

    # No process of a run has the token, and one that asks for a run needs none.
    assert fleet("run", "work/remote", "--watch", "-p", "asks=work/remote").code == 0
    assert fleet.runner.stop() == 0
    assert fleet.server.end() == 0


def test_a_run_goes_on_while_the_server_is_away_and_is_told_when_it_is_back(fleet: Fleet, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    name = fleet.ask(gate=str(gate))
    fleet.until(name, "running")

    fleet.server.end(signal.SIGKILL)
    gate.touch()
    fleet.runner.wait_until_said("waits for the store")
    fleet.server.start()

    run = fleet.until(name, "completed")
    assert (run["attempt"], run["result"]) == (1, 42)
    assert fleet("logs", name).out.count("done") == 1
    assert fleet("run", "work/remote", "--watch").code == 0
    assert fleet.runner.stop() == 0
    assert anyio.run(wrong_with, fleet) == []


async def wrong_with(fleet: Fleet) -> list[str]:
    """What does not hold any more."""
    async with open_store(fleet.server.store) as store:
        return await untrue(store, fleet.runner.home)
