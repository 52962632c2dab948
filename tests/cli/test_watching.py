"""`flowsource runs watch` and `events tail`: what changes, as it does."""

from __future__ import annotations

import json
import signal
import subprocess

from tests.cli.calling import CommandLine


def until(process: subprocess.Popen[str], said: str) -> str:
    """The first line of its output that has that text; the limit of the test is that of waiting."""
    assert process.stdout is not None
    return next(line for line in process.stdout if said in line)


def end(process: subprocess.Popen[str]) -> None:
    """Interrupt it, as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


def listening(served: CommandLine, process: subprocess.Popen[str], name: str) -> str:
    """Ask for runs until it tells of one, since nobody hears when it listens; that line."""
    asked = served.run("run", "greet/daily", "--name", name, "--watch")
    assert asked.code == 0
    return until(process, name)


def test_runs_are_told_as_they_change(served: CommandLine) -> None:
    with served.start("runs", "watch", "name:watched-*", "--json") as process:
        first = served.start("events", "tail", "--limit", "1")
        until(first, " ")  # It has read from the store, which the other began to do before it.
        seen = []
        for number in range(10):
            served.run("run", "greet/daily", "--name", f"watched-{number}", "--watch")
            line = until(process, "watched-")
            seen.append(json.loads(line))
            if seen[-1]["name"] == f"watched-{number}":
                break
        assert seen[-1]["deployment"] == "greet/daily"
        end(first)
        first.communicate()
        end(process)


def test_what_a_query_does_not_ask_for_is_not_told(served: CommandLine) -> None:
    with served.start("runs", "watch", "name:wanted-*") as process, served.start("events", "tail") as other:
        until(other, " ")
        served.run("run", "greet/daily", "--name", "not-asked-for", "--watch")
        for number in range(10):
            served.run("run", "greet/daily", "--name", f"wanted-{number}", "--watch")
        line = until(process, "wanted-")
        assert "greet/daily" in line
        end(other)
        end(process)
