"""`flowsource runs` and `flowsource logs` tell what became of runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.calling import CommandLine


@pytest.fixture(scope="module")
def failed(served: CommandLine) -> str:
    """The id of a run that failed."""
    done = served("run", "greet/daily", "--watch", "--json", "-p", "failing=true", "--name", "poor-one", "--tag", "odd")
    run_id = done.json["id"]
    assert isinstance(run_id, str)
    return run_id


def test_the_newest_runs_come_first(served: CommandLine) -> None:
    for name in ("older", "newer"):
        served("run", "greet/daily", "--watch", "--name", name)

    done = served("runs", "ls", "--limit", "2")

    header, newer, older = done.out.splitlines()
    assert header.split() == ["STATE", "RUN", "DEPLOYMENT", "REVISION", "WHEN", "TOOK"]
    assert newer.split()[:4] == ["✔", "completed", "newer", "greet/daily"]
    assert older.split()[2] == "older"
    assert newer.index("newer") == older.index("older") == header.index("RUN")


def test_runs_are_found_by_state_and_deployment(served: CommandLine, failed: str) -> None:
    found = served("runs", "ls", "--state", "failed", "--state", "crashed", "--deployment", "daily", "--json").json

    assert {run["state"] for run in found} == {"failed"}
    assert failed in [run["id"] for run in found]


def test_runs_of_an_unknown_deployment_are_not_found(served: CommandLine) -> None:
    done = served("runs", "ls", "--deployment", "greet/dayly")

    assert (done.code, done.out) == (3, "")
    assert "did you mean greet/daily?" in done.err


def test_where_there_are_no_runs_it_says_what_makes_some(alone: CommandLine) -> None:
    done = alone("runs", "ls")

    assert (done.code, done.out) == (0, "")
    assert "Ask for one: flowsource run FLOW/DEPLOYMENT" in done.err
    assert alone("runs", "ls", "--json").json == []


@pytest.mark.parametrize("part", [slice(None), slice(0, 32)])
def test_a_run_is_shown_whole_by_id_or_a_beginning_of_it(served: CommandLine, failed: str, part: slice) -> None:
    done = served("runs", "show", failed[part])

    revision = served("runs", "show", failed, "--json").json["revision"]["id"]
    shown = " ".join(done.out.split())
    assert done.out.startswith(f"poor-one  {failed}\n")
    for fact in (
        "state ✖ failed",
        "deployment greet/daily",
        "failure RuntimeError: as was asked for",
        f"revision {revision}",
        'parameters {"',
        "tags kind, odd",
        'File "flows.py", line 17, in greet',
        f"({datetime.now().astimezone():%Y-%m-%d}",
    ):
        assert fact in shown


def test_a_run_is_found_by_its_name(served: CommandLine, failed: str) -> None:
    run = served("runs", "show", "poor-one", "--json").json

    assert run["id"] == failed
    assert (run["failure"]["kind"], run["failure"]["message"]) == ("RuntimeError", "as was asked for")
    assert datetime.fromisoformat(run["ended_at"]).utcoffset() == datetime.now(UTC).utcoffset()
    assert run["has_result"] is False


def test_a_run_that_is_not_there_is_not_found(served: CommandLine) -> None:
    for words in (("runs", "show"), ("logs",)):
        done = served(*words, "nobody")

        assert (done.code, done.out) == (3, "")
        assert done.err == "error: no run 'nobody'. `flowsource runs ls` lists the latest.\n"


def test_the_log_of_a_run_has_its_lines_in_order(served: CommandLine, failed: str) -> None:
    out = served("logs", failed).out

    assert [line.split(maxsplit=1)[1] for line in out.splitlines()] == [
        "INFO    Hello, world!",
        "INFO    Hello, world!",
        "ERROR   now it fails",
    ]


def test_the_log_as_json_is_an_object_a_line(served: CommandLine, failed: str) -> None:
    lines = [json.loads(line) for line in served("logs", failed, "--json").out.splitlines()]

    assert [(line["seq"], line["level"], line["text"]) for line in lines] == [
        (1, "INFO", "Hello, world!"),
        (2, "INFO", "Hello, world!"),
        (3, "ERROR", "now it fails"),
    ]


def test_following_goes_on_until_the_run_has_ended(served: CommandLine, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    served("run", "greet/daily", "--name", "followed", "-p", f"gate={gate}", "-p", "failing=true")
    with served.start("logs", "followed", "--follow") as process:
        assert process.stdout is not None and process.stderr is not None
        assert "Hello, world!" in process.stdout.readline()
        gate.touch()
        rest, said = process.stdout.read(), process.stderr.read()

    assert process.returncode == 0
    assert rest.splitlines()[-1].endswith("ERROR   now it fails")
    assert "✖ failed" in said


def test_a_run_that_wrote_nothing_is_not_met_with_silence(served: CommandLine) -> None:
    served("run", "greet/daily", "-p", "times=0", "--watch", "--name", "silent")

    done = served("logs", "silent")

    assert (done.out, done.err) == ("", "silent has written nothing.\n")
