"""What people who come from Prefect have in their files runs with its import changed, and does what they know."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from flowsource.demo.repository import FixtureRepository
from tests.cli.calling import CommandLine
from tests.support.git_server import git_server
from tests.support.parts import requires
from tests.support.repositories import FIXTURES
from tests.support.serving import ServingScript, serving
from tests.support.waiting import PATIENCE

EXAMPLES = FIXTURES.parent / "peer_page"
ADDRESS = "https://example.org/org/repo.git"

HELLO = """\
from flowsource import flow, get_run_logger


@flow
def hello(name: str = "world"):
    get_run_logger().info(f"Hello {name}!")
"""
MY_FLOW = """\
from flowsource import flow


@flow(log_prints=True)
def my_flow(word: str = "one"):
    print("the word is", word)
"""


@contextmanager
def example(name: str, place: Path, *, remote: str = ADDRESS) -> Iterator[tuple[ServingScript, CommandLine]]:
    """The example of that name as it serves, and the command line beside it."""
    with serving(script_of(name, place, remote=remote), place / "home") as served:
        yield served, CommandLine(place / "home")


def script_of(name: str, place: Path, *, remote: str) -> Path:
    script = place / "script" / f"{name}.py"
    script.parent.mkdir()
    script.write_text((EXAMPLES / script.name).read_text(encoding="utf-8").replace(ADDRESS, remote), encoding="utf-8")
    return script


def log_of(flowsource: CommandLine, run: str) -> list[str]:
    """The lines of a run's log, as text alone."""
    return [line["text"] for line in map(_json, flowsource("logs", run, "--json").out.splitlines())]


def _json(line: str) -> dict[str, Any]:
    import json

    read: dict[str, Any] = json.loads(line)
    return read


def stop_with_ctrl_c(served: ServingScript) -> None:
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(PATIENCE) == 0, served.output


def test_a_flow_is_served_on_an_interval_until_ctrl_c_pauses_its_schedule(tmp_path: Path) -> None:
    with example("hello_world", tmp_path) as (served, flowsource):
        deployment = flowsource("deployments", "show", "hello-world/my-first-deployment", "--json").json
        assert (deployment["tags"], deployment["parameters"]) == (["onboarding"], {"goodbye": True})
        assert [schedule["said"] for schedule in deployment["schedules"]] == ["every minute"]
        assert deployment["next_at"] is not None
        assert set(deployment["parameter_schema"]["properties"]) == {"name", "goodbye"}
        assert "hello-world/my-first-deployment" in served.output

        done = flowsource("run", "my-first-deployment", "-p", "name=Ada", "--watch", "--json").json
        assert (done["state"], done["tags"]) == ("completed", ["onboarding"])
        assert done["parameters"] == {"goodbye": True, "name": "Ada"}
        assert log_of(flowsource, done["id"]) == ["Hello Ada from flowsource! 🤗", "Goodbye Ada!"]

        stop_with_ctrl_c(served)
        assert "Schedules are paused" in served.output
        deployment = flowsource("deployments", "show", "my-first-deployment", "--json").json
        assert (deployment["stopped"], deployment["next_at"]) == (True, None)


def test_a_schedule_is_kept_where_a_stop_is_not_to_pause_it(tmp_path: Path) -> None:
    with example("keeps_its_schedule", tmp_path) as (served, flowsource):
        stop_with_ctrl_c(served)

        assert "Schedules are paused" not in served.output
        deployment = flowsource("deployments", "show", "my-first-deployment", "--json").json
        assert deployment["stopped"] is False
        assert deployment["next_at"] is not None


def test_a_deployment_says_what_it_was_given(tmp_path: Path) -> None:
    with example("repo_info", tmp_path) as (_, flowsource):
        deployment = flowsource("deployments", "show", "get-repo-info/my-first-deployment", "--json").json
        assert [schedule["expression"] for schedule in deployment["schedules"]] == ["* * * * *"]
        assert deployment["tags"] == ["testing", "tutorial"]
        assert deployment["description"] == "Logs how many stars a repository has."
        assert deployment["version"] == "tutorial/deployments"

        done = flowsource("run", "my-first-deployment", "--watch", "--json").json
        assert done["state"] == "completed"
        assert log_of(flowsource, done["id"]) == ["org/repo has 8 stars"]


def test_two_flows_are_served_and_each_is_paused_run_and_cancelled_on_its_own(tmp_path: Path) -> None:
    with example("serve_two_flows", tmp_path) as (_, flowsource):
        found = {deployment["name"]: deployment for deployment in flowsource("deployments", "ls", "--json").json}
        assert set(found) == {"slow-flow/sleeper", "fast-flow/fast"}
        sleeper, fast = found["slow-flow/sleeper"], found["fast-flow/fast"]
        assert [schedule["said"] for schedule in sleeper["schedules"]] == ["every 45 seconds"]
        assert (fast["schedules"], fast["description"]) == ([], "Takes no time.")

        paused = flowsource("deployments", "pause", "sleeper", "--json").json
        assert (paused["paused"], paused["next_at"]) == (True, None)
        resumed = flowsource("deployments", "resume", "sleeper", "--json").json
        assert resumed["paused"] is False and resumed["next_at"] is not None

        assert flowsource("run", "fast", "--watch").code == 0
        assert flowsource("run", "sleeper", "-p", "sleep=0", "--watch").code == 0
        asleep = flowsource("run", "sleeper", "-p", "sleep=600", "--json").json
        until_running(flowsource, asleep["id"])
        assert flowsource("runs", "cancel", asleep["id"], "--wait").code == 0
        assert flowsource("runs", "show", asleep["id"], "--json").json["state"] == "cancelled"


def until_running(flowsource: CommandLine, run: str) -> None:
    deadline = monotonic() + PATIENCE
    while (state := flowsource("runs", "show", run, "--json").json["state"]) != "running":
        assert monotonic() < deadline, state
        sleep(0.05)


def test_a_method_of_an_instance_is_served_with_what_the_instance_was_given(tmp_path: Path) -> None:
    with example("data_processor", tmp_path) as (_, flowsource):
        deployment = flowsource("deployments", "show", "process-batch/batch-processor", "--json").json
        assert deployment["parameter_schema"]["required"] == ["batch_id"]
        assert set(deployment["parameter_schema"]["properties"]) == {"batch_id"}

        done = flowsource("run", "batch-processor", "-p", "batch_id=b-7", "--watch", "--json").json
        assert done["state"] == "completed"
        assert log_of(flowsource, done["id"]) == [
            "Processing batch b-7",
            "API URL: https://staging.example.com",
            "Batch size: 100",
        ]
        assert flowsource("run", "batch-processor").code == 2


def test_a_flow_from_a_repository_is_called_and_says_what_it_does(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git")
    repository.commit_files({"flows/hello_world.py": HELLO})
    with git_server(tmp_path / "served") as remote:
        script = script_of("load_from_url", tmp_path, remote=remote.url("repo.git"))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("FLOWSOURCE_")}
        done = subprocess.run(
            [sys.executable, str(script)],
            env={**environ, "FLOWSOURCE_HOME": str(tmp_path / "home")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )

    created, hello, finished = done.stdout.splitlines()
    time = r"^\d\d:\d\d:\d\d\.\d{3} \| INFO    \| "
    name = re.search(time + r".* - Created flow run '([\w-]+)' for flow 'hello'$", created)
    assert name is not None, created
    assert re.search(time + f"Flow run '{name[1]}' - Hello world!$", hello), hello
    assert re.search(time + rf"Flow run '{name[1]}' - Finished in state Completed\(\)$", finished), finished
    assert not (tmp_path / "home" / "flowsource.db").exists()


def test_a_flow_from_a_repository_is_served_and_a_push_is_its_next_run(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "served" / "repo.git")
    repository.commit_files({"flows.py": MY_FLOW})
    with (
        git_server(tmp_path / "served") as remote,
        example("serve_loaded_flow", tmp_path, remote=remote.url("repo.git")) as (_, flowsource),
    ):
        first = flowsource("run", "my-flow/my-deployment", "--watch", "--json").json
        assert (first["state"], log_of(flowsource, first["id"])) == ("completed", ["the word is one"])
        pushed = repository.commit_files({"flows.py": MY_FLOW.replace('"one"', '"two"')})
        # The hint spares us the minute until the next poll.
        flowsource("source", "sync", "my-deployment")
        second = until_on(flowsource, pushed)
        assert log_of(flowsource, second["id"]) == ["the word is two"]


def until_on(flowsource: CommandLine, revision: str) -> dict[str, Any]:
    """The first run that is on `revision`."""
    # Less than the minute after which a poll would find it without the hint.
    deadline = monotonic() + 40
    while True:
        run: dict[str, Any] = flowsource("run", "my-deployment", "--watch", "--json").json
        if run["revision"]["id"] == revision:
            return run
        assert monotonic() < deadline, run
