"""What is shown is aligned, harmless, and whole where no person looks at it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from flowsource.cli.output import aligned
from flowsource.cli.times import duration, relative
from tests.cli.calling import CommandLine
from tests.cli.terminal import on_a_terminal

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
ESCAPE = "\x1b"
LONG = "a-rather-long-name-of-a-run-that-no-terminal-of-eighty-columns-will-ever-show-whole"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.00 s"),
        (9.994, "9.99 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3661, "1 h 1 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_is_said_in_its_two_greatest_units(seconds: float, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "now"), (-5, "5 s ago"), (59, "in 59 s"), (-3600, "1 h ago"), (-200000, "2 d ago")]
)
def test_an_instant_is_said_by_how_far_away_it_is(seconds: float, said: str) -> None:
    assert relative(NOW + timedelta(seconds=seconds), now=NOW) == said


def test_a_table_is_aligned_also_where_letters_are_wide() -> None:
    assert aligned([("NAME", "IS"), ("東京", "x"), ("a\nb\x1b[31m", "y")], width=None) == [
        ["NAME        ", "IS"],
        ["東京        ", "x "],
        [r"a\nb\x1b[31m", "y "],
    ]


def test_where_a_table_is_too_wide_its_widest_columns_give_way() -> None:
    assert aligned([("short", "a longer text", "東京東京東京")], width=24) == [["short", "a long…", "東京東 …"]]


def test_what_others_wrote_cannot_steer_a_terminal(served: CommandLine) -> None:
    hostile = f"evil{ESCAPE}]0;title\x07\u202e"
    name = json.dumps(f"{hostile}{ESCAPE}[2J\r\n")

    done = served("run", "greet/daily", "--watch", "--name", hostile, "--params", f'{{"name": {name}}}')
    run_id = next(run["id"] for run in served("runs", "ls", "--json").json if run["name"] == hostile)
    unwatched = served("run", "greet/daily", "--name", hostile)
    all_said = [done, served("runs", "ls"), served("runs", "show", run_id), served("logs", run_id), unwatched]

    assert done.code == 0
    for said in all_said:
        assert set(said.out + said.err) & {ESCAPE, "\x07", "\r", "\u202e"} == set()
    assert r"evil\x1b]0;title\x07\u202e" in all_said[1].out


def test_in_a_pipe_there_is_no_colour_and_nothing_is_cut(served: CommandLine) -> None:
    served("run", "greet/daily", "--name", LONG)

    done = served.run("runs", "ls", environ={"COLUMNS": "40", "TERM": "xterm-256color"})

    assert LONG in done.out
    assert ESCAPE not in done.out + done.err


def test_a_terminal_gets_colour_and_no_line_wider_than_itself(served: CommandLine) -> None:
    served("run", "greet/daily", "--name", LONG)

    shown = on_a_terminal(served, "runs", "ls", columns=80)

    assert f"{ESCAPE}[32m✔ completed" in shown
    plain = without_colours(shown)
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80
    assert "a-rather-long-name" in plain and LONG not in plain


def test_whoever_wants_no_colour_gets_none(served: CommandLine) -> None:
    shown = on_a_terminal(served, "deployments", "ls", NO_COLOR="1")

    assert "greet/daily" in shown
    assert ESCAPE not in shown


def without_colours(text: str) -> str:
    """`text` without the sequences that paint it."""
    pieces = text.split(f"{ESCAPE}[")
    return pieces[0] + "".join(piece.partition("m")[2] for piece in pieces[1:])
