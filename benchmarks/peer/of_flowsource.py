"""flowsource, from this checkout, set up as its documentation says: a process that serves, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from benchmarks.peer.copies import Rows, copy_run
from benchmarks.peer.environments import Environment, digest_of, without
from benchmarks.peer.http_door import HttpDoor
from benchmarks.peer.products import Deployment, Directory, Git, Manner, Served, State, Usage, World
from benchmarks.peer.started import Started, free_port, started
from benchmarks.processes import command_of, cpu_of_tree, tree_of

CHECKOUT = Path(__file__).parents[2]
_DASHBOARD, _READY = "Dashboard:", "Ask for a run:"
_ANSWERING = "flowsource.server.embedded"
_FINAL = ("completed", "failed", "timed_out", "crashed", "cancelled", "skipped")
_RUN = (
    Rows("runs", "id", ids=("id", "transition_id", "idempotency_key")),
    Rows("attempts", "run_id", ids=("transition_id",)),
    Rows("events", "run_id", ids=("id",), counted="seq"),
    Rows("log_lines", "run_id"),
)
_SCRIPT = """
from flowsource import GitCredentials, GitRepository, LocalStorage, flow, serve

def deployment(flow_name, name, source):
    return flow.from_source(source, f"flows.py:{{flow_name}}").to_deployment(name, freshness={freshness!r})

if __name__ == "__main__":
    serve(
        {deployments},
        **{limit!r},
    )
"""


class Flowsource:
    """flowsource, installed as users have it and not as those who change it."""

    name = "flowsource"
    module = "flowsource"

    def __init__(self, cache: Path) -> None:
        self._environment = Environment(cache / "flowsource")
        self.python = self._environment.python
        self.variables: Mapping[str, str] = without(os.environ, "PREFECT_", "FLOWSOURCE_")

    def prepare(self, *extras: str) -> Mapping[str, str]:
        """Install what the checkout holds now, with the `extras` of ours that are named."""
        wanted = f"{CHECKOUT}[{','.join(extras)}]" if extras else str(CHECKOUT)
        files = [CHECKOUT / "pyproject.toml", *(CHECKOUT / "src").rglob("*.*")]
        made_of = digest_of(file for file in files if file.is_file() and file.suffix != ".pyc")
        self._environment.ensure([wanted], made_of)
        commit = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--exclude=*"]
        said = subprocess.run(commit, check=False, capture_output=True, text=True).stdout.strip()
        versions = self._environment.versions("flowsource", "dulwich", "pydantic", "SQLAlchemy")
        return {**versions, "flowsource": f"{versions['flowsource']} ({said or 'no commit'})"}

    @contextmanager
    def world(self, place: Path, **variables: str) -> Iterator[World]:
        """Nothing but a directory: it needs no server."""
        (place / "tmp").mkdir(parents=True)
        said = {
            **self.variables,
            **variables,
            "FLOWSOURCE_HOME": str(place / "home"),
            "FLOWSOURCE_DASHBOARD": str(free_port()),
            "TMPDIR": str(place / "tmp"),
        }
        yield _World(self.python, place, said)


class _World:
    def __init__(self, python: Path, place: Path, said: Mapping[str, str]) -> None:
        self._python, self._place, self._said = python, place, said

    @contextmanager
    def serve(self, deployments: Sequence[Deployment], manner: Manner = Manner()) -> Iterator[Served]:
        """One `serve` of all of them. It has no settings that make it faster."""
        script = self._place / "serve.py"
        script.write_text(script_of(deployments, manner), encoding="utf-8")
        command = [str(self._python), str(script)]
        with started(command, self._said, self._place / "serve.log", lambda told: _READY in told) as process:
            yield _Served(process, self)

    def told(self, run: str) -> State:
        """By its command, which needs nobody who serves."""
        return state_of(json.loads(self.command("runs", "show", run, "--json"))["state"])

    @cached_property
    def _token(self) -> str:
        """The secret of somebody who may do everything."""
        made = json.loads(self.command("tokens", "create", "comparison", "--scope", "admin", "--json"))
        return str(made["secret"])

    def door(self, log: Path) -> HttpDoor:
        """The API of the process that serves, which tells where that is."""
        url = log.read_text(encoding="utf-8").rpartition(_DASHBOARD)[2].split()[0]
        return HttpDoor(f"{url}/api/v1", {"Authorization": f"Bearer {self._token}"})

    @property
    def database(self) -> Path:
        """The file that remembers all."""
        return self._place / "home" / "flowsource.db"

    def command(self, *words: str) -> bytes:
        """What a command of the terminal prints; raises subprocess.CalledProcessError."""
        command = [str(self._python.parent / "flowsource"), *words]
        return subprocess.run(command, check=True, env=self._said, stdout=subprocess.PIPE).stdout


class _Served:
    def __init__(self, process: Started, world: _World) -> None:
        self.pid, self.ready_after, self.log = process.process.pid, process.ready_after, process.log
        self.exit_code = process.process.poll
        self.rhythm = 0.0
        self._world = world

    @cached_property
    def _door(self) -> HttpDoor:
        return self._world.door(self.log)

    def ask(self, deployment: Deployment) -> str:
        """By the API that the serving process has for this machine."""
        run: str = self._door.post(f"/deployments/{deployment.flow}/{deployment.name}/runs", {})["id"]
        return run

    def state(self, run: str) -> State:
        """By the same API."""
        return state_of(self._door.get(f"/runs/{run}")["state"])

    def unfinished(self) -> int:
        """All runs but those that have ended."""
        return self._count("") - self._count(f"state:{','.join(_FINAL)}")

    def completed(self) -> int:
        """Those in that state."""
        return self._count("state:completed")

    def copy(self, run: str, count: int) -> None:
        """With its attempts, events and log."""
        copy_run(self._world.database, UUID(run).hex, _RUN, count)

    def hint(self, deployment: Deployment) -> None:
        """Have all sources asked now."""
        for source in self._door.get("/sources")["items"]:
            self._door.post(f"/sources/{quote(source['key'], safe='')}/sync", {})

    def usage(self) -> Usage:
        """Of the process that serves, and of the one it starts for the API once somebody asks."""
        answering = sum(cpu_of_tree(pid) for pid in tree_of(self.pid) if _ANSWERING in command_of(pid))
        return Usage(cpu_of_tree(self.pid) - answering, answering)

    def processes(self) -> Sequence[int]:
        """All below the one that serves."""
        return list(tree_of(self.pid))

    def _count(self, query: str) -> int:
        counted: int = self._door.get(f"/runs/count?query={quote(query)}")["count"]
        return counted


def state_of(word: str) -> State:
    """The state that the word says."""
    return State(word, word in _FINAL, word == "completed")


def script_of(deployments: Sequence[Deployment], manner: Manner) -> str:
    """The program that serves those."""
    made = [f"deployment({one.flow!r}, {one.name!r}, {_source(one.source)})" for one in deployments]
    limit = {} if manner.limit == "usual" else {"limit": manner.limit}
    freshness = "every_run" if manner.asks_before_runs else "poll"
    return _SCRIPT.format(deployments=",\n        ".join(made), limit=limit, freshness=freshness)


def _source(source: Directory | Git) -> str:
    if isinstance(source, Directory):
        return f"LocalStorage({str(source.path)!r})"
    said = [repr(source.url)]
    if source.interval is not None:
        said.append(f"pull_interval={source.interval}")
    if source.token:
        said.append('credentials=GitCredentials(username="robot", access_token_env="REPOSITORY_TOKEN")')
    if source.authority is not None:
        said.append(f"ca_bundle={str(source.authority)!r}")
    return f"GitRepository({', '.join(said)})"
