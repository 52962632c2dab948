"""`flowsource logs` shows the lines that are wanted, and tells attempts apart."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import anyio
import pytest

from flowsource.cli.following import LineShower
from flowsource.store.values import LogLine
from tests.cli.calling import CommandLine, Done
from tests.cli.keeping import keep, opened
from tests.store.words import ANNA, Server

NOW = datetime.now(UTC)


def line(text: str, *, attempt: int = 1, level: int = 20, seq: int = 1) -> LogLine:
    return LogLine(attempt=attempt, seq=seq, at=NOW, level=level, text=text)


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


def written(alone: CommandLine) -> None:
    """Have a run with two attempts of 1500 lines, of which a few are errors."""

    async def write(server: Server) -> None:
        run = await server.ask(name="long")
        for attempt in (1, 2):
            some = [line(f"Line {seq}", attempt=attempt, seq=seq) for seq in range(1, 1500)]
            await server.store.append_lines(run.id, some)
            await server.store.append_lines(run.id, [line(f"bad {attempt}", attempt=attempt, level=40, seq=1500)])

    keep(alone, write)


def texts(done: Done) -> list[str]:
    """The lines that were shown, without their times and headings."""
    return [text.rpartition("  ")[2] for text in done.out.splitlines() if not text.startswith("──")]


def test_only_wanted_lines_are_shown_and_of_those_the_last(alone: CommandLine) -> None:
    written(alone)
    assert texts(alone("logs", "long", "--level", "error")) == ["bad 1", "bad 2"]
    assert texts(alone("logs", "long", "--level", "error", "--attempt", "2")) == ["bad 2"]
    assert texts(alone("logs", "long", "--grep", "line 14", "--attempt", "1", "--tail", "2")) == [
        "Line 1498",
        "Line 1499",
    ]
    assert texts(alone("logs", "long", "--tail", "3")) == ["Line 1498", "Line 1499", "bad 2"]
    assert len(texts(alone("logs", "long", "--tail", "2500"))) == 2500
    assert len(texts(alone("logs", "long"))) == 3000
    assert texts(alone("logs", "long", "--tail", "0")) == []
    none = alone("logs", "long", "--grep", "nowhere")
    assert (none.out, none.err) == ("", "long has no such line.\n")


def test_whoever_follows_from_a_tail_sees_what_is_wanted_of_what_comes(alone: CommandLine) -> None:
    written(alone)
    with alone.start("logs", "long", "--tail", "1", "--grep", "bad", "--follow") as process:
        assert process.stdout is not None
        first = process.stdout.readline() + process.stdout.readline()

        async def go_on() -> None:
            async with opened(alone) as store:
                run = await store.run("long")
                more = [line("good", attempt=2, seq=1501), line("bad 3", attempt=2, seq=1502)]
                await store.append_lines(run.id, more)
                await store.ask_cancel(run.id, ANNA, now=NOW)

        anyio.run(go_on)
        rest, _ = process.communicate()
    assert [text.rpartition("  ")[2] for text in (first + rest).splitlines()] == ["── attempt 2 ──", "bad 2", "bad 3"]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [(("--level", "loud"), "--level"), (("--attempt", "0"), "--attempt"), (("--tail", "-1"), "--tail")],
)
def test_what_cannot_be_wanted_is_refused(alone: CommandLine, options: tuple[str, str], wrong: str) -> None:
    done = alone("logs", "any", *options)
    assert done.code == 2
    assert f"{wrong}: " in done.err
