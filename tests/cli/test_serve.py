"""`flowsource serve`: what a script would serve, without a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from tests.cli.calling import CommandLine
from tests.cli.served import going_on
from tests.support.serving import READY

FLOWS = """
from flowsource import flow

@flow
def load(day: str = "today", rows: int = 1):
    print(f"{rows} rows of {day}")

@flow
def tidy():
    pass
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "place"
    directory.mkdir()
    (directory / "flows.py").write_text(FLOWS)
    return directory


def test_a_flow_of_a_directory_is_served_as_the_options_say(alone: CommandLine, place: Path) -> None:
    words = ("--cron", "0 2 * * *", "--interval", "90m", "--timezone", "Europe/Berlin", "--tag", "etl", "-p", "rows=3")
    with going_on(place, alone.home, "serve", ".", "flows.py:load", "--name", "nightly", *words) as served:
        served.wait_until_said(READY)
        shown = alone("deployments", "show", "load/nightly", "--json").json
        assert (shown["source"], shown["tags"], shown["parameters"]) == (str(place), ["etl"], {"rows": 3})
        assert [schedule["timezone"] for schedule in shown["schedules"]] == ["Europe/Berlin"] * 2
        done = alone.run("run", "load/nightly", "--watch")
        assert (done.code, "3 rows of today" in done.out) == (0, True)


def test_a_branch_of_a_repository_is_served(alone: CommandLine, place: Path, tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "repo.git")
    repository.commit_files({"flows.py": FLOWS})
    words = ("serve", str(repository.path), "flows.py:tidy", "--branch", "main", "--no-dashboard")
    with going_on(place, alone.home, *words) as served:
        served.wait_until_said(READY)
        [shown] = alone("deployments", "ls", "--json").json
        assert (shown["name"], shown["active"]["ref"]) == ("tidy/tidy", "refs/heads/main")
        assert "Dashboard" not in served.output


def test_a_file_lists_deployments_beside_settings(alone: CommandLine, place: Path) -> None:
    (place / "flowsource.toml").write_text(
        'log_lines = 7\n[[deployments]]\nsource = "."\nentrypoint = "flows.py:load"\nname = "a"\ntags = ["etl"]\n'
        'parameters = { day = "monday" }\ncron = ["0 2 * * *", "0 3 * * *"]\n'
        '[[deployments]]\nsource = "."\nentrypoint = "flows.py:tidy"\non_completion_of = "load/a"\n'
    )
    with going_on(place, alone.home, "serve") as served:
        served.wait_until_said(READY)
        first, second = alone("deployments", "ls", "--json").json
        assert (first["name"], first["parameters"], len(first["schedules"])) == ("load/a", {"day": "monday"}, 2)
        assert (second["name"], len(second["triggers"])) == ("tidy/tidy", 1)


def test_all_that_is_wrong_with_a_file_is_told_at_once(alone: CommandLine, place: Path) -> None:
    file = place / "mine.toml"
    file.write_text(
        'log_linse = 7\n[[deployments]]\nsorce = "."\nentrypoint = "flows"\nname = "a"\ncron = "x"\nparameters = 4\n'
        '[[deployments]]\nsource = "."\nentrypoint = "flows.py:tidy"\ntimezone = "UTC"\nlimit = 0\n'
    )
    done = alone("serve", "-f", str(file))
    assert (done.code, done.out) == (2, "")
    told = done.err.splitlines()
    for number, said in enumerate(
        (
            "deployments 1 (a): sorce: a deployment has no such key; source may be meant",
            "deployments 1 (a): source: it is missing",
            "deployments 1 (a): entrypoint: 'flows' does not name a flow",
            "deployments 1 (a): cron: 'x' is not a cron expression",
            "deployments 1 (a): parameters: ",
            "deployments 2: timezone: there is no schedule for it",
            "deployments 2: limit: 0 is not 1 or more",
            "log_linse: there is no such setting",
        )
    ):
        assert f"{file}: {said}" in told[number]
    assert not alone.home.exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["."], "ENTRYPOINT: it is missing"),
        ([".", "flows.py:load", "-f", "x.toml"], "--file: it lists deployments with their sources"),
        (["--tag", "etl"], "--tag: it goes with a source"),
        (["-f", "not-there.toml"], "not-there.toml cannot be read"),
        (["memory://x", "flows.py:load", "--branch", "main"], "memory://x is none; leave it out"),
        ([".", "flows.py:load", "--interval", "soon"], "interval soon: give seconds"),
        ([".", "not_there.py:load"], "the source has no file 'not_there.py'; files there: flows.py"),
    ],
)
def test_what_cannot_be_served_is_refused(
    alone: CommandLine, place: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
) -> None:
    monkeypatch.chdir(place)
    done = alone("serve", *words)
    assert (done.code, why in done.err) == (2, True), done.err


def test_a_file_without_deployments_shows_how_to_say_one(alone: CommandLine, place: Path) -> None:
    (place / "empty.toml").write_text("log_lines = 7\n")
    done = alone("serve", "-f", str(place / "empty.toml"))
    assert (done.code, "it lists no deployments" in done.err, "[[deployments]]" in done.err) == (2, True, True)
