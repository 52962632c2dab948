"""Each way to fail has its exit code, and one line that says what to do."""

from __future__ import annotations

import pytest

from flowsource import errors
from flowsource.cli import exits
from flowsource.runs import RunState
from tests.cli.calling import CommandLine


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("x"), 2),
        (errors.InvalidParameters("f", {"a": "is required"}), 2),
        (errors.EntrypointNotFound("f.py:g", "here", ["h"]), 2),
        (errors.DeploymentNotFound("x"), 3),
        (errors.RunNotFound("x"), 3),
        (errors.RefNotFound("main", "here"), 3),
        (errors.SourceMissing("x"), 3),
        (errors.AuthenticationFailed("x"), 4),
        (errors.SourceUnavailable("x"), 5),
        (errors.UnsafeTree("x"), 5),
        (errors.StoreUnavailable("x"), 5),
        (errors.NotAuthenticated("x"), 4),
        (errors.NotAllowed("x"), 4),
        (errors.StoreVersionMismatch("x"), 5),
        (errors.InvalidTransition("completed", "running"), 6),
        (errors.Superseded("x"), 6),
        (ZeroDivisionError("x"), 70),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exits.code_for_error(error) == code


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("timed_out", 124), ("failed", 1), ("crashed", 1)])
def test_the_state_of_a_run_is_an_exit_code(state: str, code: int) -> None:
    assert exits.code_for_state(RunState(state)) == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bogus", 'Unknown command "bogus"'),
        ("runs lss", 'Did you mean "ls"?'),
        ("runs ls --bogus", "Unknown option: --bogus. See `flowsource runs ls --help`."),
        ("runs ls --limit many", "--limit"),
        ("runs ls --limit 0", "--limit 0: give 1 or more."),
        ("runs ls --state odd", "there are scheduled, claimed, running"),
        ("runs show", "See `flowsource runs show --help`."),
        ("run a/b --at noon", "--at noon: give a time such as"),
        ("run a/b --timeout 3", "--timeout: it limits how long --watch follows the run; give both."),
    ],
)
def test_what_cannot_be_understood_is_one_line_that_names_it(alone: CommandLine, words: str, said: str) -> None:
    done = alone(*words.split())

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_store_that_cannot_be_opened_is_said_without_a_traceback(alone: CommandLine) -> None:
    alone.home.write_text("a file, where a directory should be")

    done = alone("runs", "ls")

    assert done.code == 5
    assert str(alone.home) in done.err
    assert done.err.count("\n") == 1


def test_debug_shows_the_traceback(alone: CommandLine) -> None:
    done = alone.run("runs", "show", "nothing", "--debug")

    assert done.code == 1
    assert "Traceback (most recent call last)" in done.err
    assert "RunNotFound" in done.err


def test_a_reader_that_has_seen_enough_is_no_error(alone: CommandLine) -> None:
    with alone.start("deployments", "ls", "--json") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (141, "")
