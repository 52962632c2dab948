"""`flowsource logs` shows the lines that are wanted, and tells attempts apart."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest

from flowsource.cli.following import LineShower, Wanted
from flowsource.store.values import LogLine
from tests.cli.calling import CommandLine

NOW = datetime.now(UTC)


def line(text: str, *, attempt: int = 1, level: int = 20) -> LogLine:
    return LogLine(attempt=attempt, seq=1, at=NOW, level=level, text=text)


def shown(lines: list[LogLine], *, is_retried: bool = False) -> list[str]:
    out = StringIO()
    show = LineShower(out, is_retried=is_retried)
    for one in lines:
        show(one)
    return [text.rpartition("  ")[2] for text in out.getvalue().splitlines()]


def test_each_attempt_has_its_heading_where_there_is_more_than_one() -> None:
    first, second = line("one"), line("two", attempt=2)
    assert shown([first]) == ["one"]
    assert shown([first, second, second], is_retried=True) == [
        "── attempt 1 ──",
        "one",
        "── attempt 2 ──",
        "two",
        "two",
    ]
    # While it is followed, nobody knows of the second when the first is shown.
    assert shown([first, second]) == ["one", "── attempt 2 ──", "two"]


def test_only_wanted_lines_are_shown_and_of_those_that_are_there_the_last() -> None:
    seen: list[str] = []
    wanted = Wanted(lambda one: seen.append(one.text), level=30, attempt=2, tail=2)
    for text in ("a", "b", "c"):
        wanted(line(text, attempt=2, level=40))
    wanted(line("another attempt", level=40))
    wanted(line("not so grave", attempt=2))
    assert seen == []
    wanted.caught_up()
    wanted(line("d", attempt=2, level=30))
    wanted(line("e", attempt=3, level=30))
    assert seen == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [(("--level", "loud"), "--level"), (("--attempt", "0"), "--attempt"), (("--tail", "-1"), "--tail")],
)
def test_what_cannot_be_wanted_is_refused(alone: CommandLine, options: tuple[str, str], wrong: str) -> None:
    done = alone("logs", "any", *options)
    assert done.code == 2
    assert f"{wrong}: " in done.err
