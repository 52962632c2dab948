"""The peer, Prefect, set up as its documentation says: its server, before SQLite, with a process that serves."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peer.copies import Rows, copy_run
from benchmarks.peer.environments import Environment, without
from benchmarks.peer.http_door import HttpDoor
from benchmarks.peer.products import Deployment, Directory, Git, Manner, Missing, Served, State, Usage, World
from benchmarks.peer.started import Started, free_port, started
from benchmarks.processes import cpu_of_tree, tree_of

VERSION = "3.8.8"
# Its server does not start with a newer FastAPI.
REQUIREMENTS = (f"prefect=={VERSION}", "fastapi==0.141.1")
# How often it asks its server for runs, in seconds; what can be set are whole ones.
USUAL_POLL, FASTEST_POLL = 10, 1
_READY = "Your deployments are being served"
_FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
_UNFINISHED = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING")
_RUN = (
    Rows("flow_run", "id", ids=("id",)),
    Rows("flow_run_state", "flow_run_id", ids=("id",)),
    Rows("log", "flow_run_id", ids=("id",)),
)
_SCRIPT = """
from prefect import flow, serve
from prefect.blocks.system import Secret
from prefect.runner.storage import GitRepository

def deployment(flow_name, name, source):
    return flow.from_source(source, entrypoint=f"flows.py:{{flow_name}}").to_deployment(name)

if __name__ == "__main__":
    serve(
        {deployments},
        **{limit!r},
    )
"""
# Its documented way to keep a token: a block of its server, by name, made once by whoever knows the token.
_TOKEN = "REPOSITORY_TOKEN"
_SAVE = f"""
import os

from prefect.blocks.system import Secret

Secret(value=os.environ[{_TOKEN!r}]).save("repository")
"""


class Prefect:
    """Prefect 3, with its telemetry off, since nobody is to be told of what is measured."""

    name = "Prefect"
    module = "prefect"

    def __init__(self, cache: Path) -> None:
        self._environment = Environment(cache / "prefect")
        self.python = self._environment.python
        self.variables: Mapping[str, str] = {
            **without(os.environ, "PREFECT_", "FLOWSOURCE_"),
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }

    def prepare(self, *extras: str) -> Mapping[str, str]:
        """Install it, with what of the `extras` is asked for as pip takes it."""
        self._environment.ensure([*REQUIREMENTS, *extras])
        versions = self._environment.versions("prefect", "fastapi", "pydantic", "SQLAlchemy")
        return {"Prefect" if name == "prefect" else f"its {name}": version for name, version in versions.items()}

    @contextmanager
    def world(self, place: Path, **variables: str) -> Iterator[World]:
        """Its server, with a database of its own, until the block ends."""
        place.mkdir(parents=True, exist_ok=True)
        (place / "tmp").mkdir(exist_ok=True)
        url = f"http://127.0.0.1:{(port := free_port())}/api"
        token = variables.pop(_TOKEN, None)
        said = {
            **self.variables,
            **variables,
            "PREFECT_HOME": str(place / "home"),
            "PREFECT_API_URL": url,
            "TMPDIR": str(place / "tmp"),
        }
        command = [str(self.python.parent / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        with started(command, said, place / "server.log", lambda _: _answers(f"{url}/health")) as server:
            if token is not None:
                subprocess.run([str(self.python), "-c", _SAVE], env={**said, _TOKEN: token}, check=True)
            yield _World(self.python, place, said, HttpDoor(url), server.process.pid)


class _World:
    def __init__(self, python: Path, place: Path, said: Mapping[str, str], door: HttpDoor, server: int) -> None:
        self._python, self._place, self._said, self._door, self._server = python, place, said, door, server

    @contextmanager
    def serve(self, deployments: Sequence[Deployment], manner: Manner = Manner()) -> Iterator[Served]:
        """One `serve` of all of them."""
        script = self._place / "serve.py"
        script.write_text(script_of(deployments, manner), encoding="utf-8")
        rhythm = FASTEST_POLL if manner.is_fastest else USUAL_POLL
        command = [str(self._python), str(script)]
        said = {**self._said, "PREFECT_RUNNER_POLL_FREQUENCY": str(rhythm), "PYTHONUNBUFFERED": "1"}
        with started(command, said, self._place / "serve.log", lambda told: _READY in told) as process:
            yield _Served(process, self._door, self._server, rhythm, Path(self._said["PREFECT_HOME"]) / "prefect.db")

    def told(self, run: str) -> State:
        """By its server, which is there whether anything serves or not."""
        return state_of(self._door.get(f"/flow_runs/{run}")["state"])


class _Served:
    def __init__(self, process: Started, door: HttpDoor, server: int, rhythm: float, database: Path) -> None:
        self.pid, self.ready_after, self.log = process.process.pid, process.ready_after, process.log
        self.exit_code = process.process.poll
        self.rhythm = rhythm
        self._door, self._server, self._database = door, server, database
        self._ids: dict[tuple[str, str], str] = {}

    def ask(self, deployment: Deployment) -> str:
        """Have its server create a run."""
        name = deployment.flow, deployment.name
        if name not in self._ids:
            self._ids[name] = self._door.get(f"/deployments/name/{name[0]}/{name[1]}")["id"]
        run: str = self._door.post(f"/deployments/{self._ids[name]}/create_flow_run", {})["id"]
        return run

    def state(self, run: str) -> State:
        """By its server."""
        return state_of(self._door.get(f"/flow_runs/{run}")["state"])

    def unfinished(self) -> int:
        """Counted by its server."""
        return self._count(_UNFINISHED)

    def completed(self) -> int:
        """Counted by its server."""
        return self._count(("COMPLETED",))

    def copy(self, run: str, count: int) -> None:
        """With its states and its log; its events are kept apart, and are not what it looks for runs in."""
        copy_run(self._database, run, _RUN, count)

    def hint(self, deployment: Deployment) -> None:
        """It has none."""
        raise Missing("a hint that there is something new")

    def usage(self) -> Usage:
        """Of the process that serves, and of the server."""
        return Usage(cpu_of_tree(self.pid), cpu_of_tree(self._server))

    def processes(self) -> Sequence[int]:
        """Of both."""
        return [*tree_of(self.pid), *tree_of(self._server)]

    def _count(self, types: Sequence[str]) -> int:
        counted: int = self._door.post("/flow_runs/count", {"flow_runs": {"state": {"type": {"any_": list(types)}}}})
        return counted


def state_of(told: Mapping[str, Any]) -> State:
    """What its server tells of the state of a run: a type, of which there are few, and a name that says more."""
    return State(told["name"].lower(), told["type"] in _FINAL, told["type"] == "COMPLETED")


def script_of(deployments: Sequence[Deployment], manner: Manner) -> str:
    """The program that serves those."""
    made = [f"deployment({one.flow!r}, {one.name!r}, {_source(one.source)})" for one in deployments]
    limit = {} if manner.limit == "usual" else {"limit": manner.limit}
    return _SCRIPT.format(deployments=",\n        ".join(made), limit=limit)


def _source(source: Directory | Git) -> str:
    if isinstance(source, Directory):
        return repr(str(source.path))
    said = [repr(source.url)]
    if source.interval is not None:
        said.append(f"pull_interval={source.interval}")
    if source.token:
        said.append('credentials={"username": "robot", "access_token": Secret.load("repository")}')
    return f"GitRepository({', '.join(said)})"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
