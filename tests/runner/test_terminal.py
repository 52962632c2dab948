"""What a serving process says: to a person, or to nobody, and never at the cost of the runs."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import Any, TextIO
from uuid import UUID

import pytest

from flowsource.errors import AuthenticationFailed
from flowsource.runner.output.terminal import Terminal, telling_records
from flowsource.runner.output.writer import Writer
from flowsource.runs import Cancellation, Failure, Run, RunState
from flowsource.source_status import SourceStatus
from flowsource.store.values import LogLine
from flowsource.watch.status import after_failure
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
A_MINUTE = timedelta(minutes=1)


def line(text: str) -> LogLine:
    return LogLine(seq=1, at=NOW, level=20, logger=None, text=text)


class Pipe:
    """A pipe with an end to write text to, and what its other end receives once it is read."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.reading, self.writing = os.fdopen(reading, "rb"), os.fdopen(writing, "w")
        self.received = b""
        self._reader = threading.Thread(target=self._read)

    def read(self) -> None:
        """Begin to read, until the other end is closed."""
        self._reader.start()

    def _read(self) -> None:
        self.received = self.reading.read()

    def lines(self) -> list[str]:
        """All that was written, once nothing more can be."""
        self.writing.close()
        self._reader.join()
        return self.received.decode().splitlines()


class Stopped(StringIO):
    """Takes nothing until it is told to be going on."""

    def __init__(self) -> None:
        super().__init__()
        self.going_on = threading.Event()

    def write(self, text: str) -> int:
        self.going_on.wait()
        return super().write(text)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.writing.close()
    pipe.reading.close()


def test_what_is_said_is_written_in_order_and_all_of_it_once_closed(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as stream:
        terminal = Terminal(stream)
        for number in range(1000):
            terminal.line("calm-otter", line(f"line {number}"))
        terminal.close()
    said = (tmp_path / "said").read_text().splitlines()
    assert [text.rpartition("│ ")[2] for text in said] == [f"line {number}" for number in range(1000)]


def test_a_stream_that_is_no_file_is_written_to_as_well() -> None:
    stream = StringIO()
    terminal = Terminal(stream)
    terminal.stopped([])
    terminal.close()
    assert stream.getvalue().endswith("✔ Stopped.\n")


def test_a_disk_that_is_full_ends_nothing() -> None:
    with open("/dev/full", "w") as stream:
        terminal = Terminal(stream)
        terminal.line("calm-otter", line("nobody will see this"))
        terminal.stopped([])
        terminal.close()


def test_a_pipe_that_nobody_holds_ends_nothing(pipe: Pipe) -> None:
    pipe.reading.close()
    terminal = Terminal(pipe.writing)
    terminal.stopped([])
    terminal.close()


def test_a_stream_that_was_closed_ends_nothing(tmp_path: Path) -> None:
    stream: TextIO = (tmp_path / "said").open("w")
    terminal = Terminal(stream)
    stream.close()
    terminal.stopped([])
    terminal.close()


def test_a_process_without_standard_error_says_nothing_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    terminal = Terminal()
    terminal.stopped([])
    terminal.close()


def test_signs_that_the_stream_has_not_are_shown_as_escapes(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w", encoding="ascii") as stream:
        terminal = Terminal(stream)
        terminal.stopped([])
        terminal.close()
    assert (tmp_path / "said").read_text().endswith(r"\u2714 Stopped." + "\n")


def test_nobody_waits_for_a_reader_that_sleeps_and_a_note_counts_what_was_left_out(pipe: Pipe) -> None:
    writer = Writer(pipe.writing, most_waiting=200_000)
    for number in range(100_000):
        writer.write(f"line {number}")  # It would wait for ever: nothing is read yet, and a pipe holds 64 kB.
    pipe.read()
    writer.close(within=A_MINUTE)
    *shown, note = pipe.lines()
    assert shown == [f"line {number}" for number in range(len(shown))]
    assert note == f"... {100_000 - len(shown)} lines not shown: they came faster than they were read"


async def test_a_gap_is_told_as_soon_as_it_is_read_again_and_then_all_is_shown() -> None:
    stream = Stopped()
    writer = Writer(stream, most_waiting=10)
    for number in range(20):
        writer.write(f"line {number}")
    stream.going_on.set()
    await until(lambda: "not shown" in stream.getvalue())
    writer.write("and on")
    writer.close(within=A_MINUTE)
    assert stream.getvalue().splitlines()[-1] == "and on"
    assert stream.getvalue().count("not shown") == 1


@contextmanager
def talking(lines: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that says so many lines on standard error, closes nothing, and ends."""
    script = dedent(f"""
        import sys
        from flowsource.runner.output.writer import Writer
        writer = Writer(sys.stderr)
        for _ in range({lines}):
            writer.write("x" * 100)
    """)
    # Whoever asks for unbuffered streams has none that Python waits for.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_process_ends_although_nobody_reads_what_it_said() -> None:
    with talking(5000) as process:
        assert process.wait(PATIENCE) == 0


def test_a_process_that_ends_has_said_all() -> None:
    with talking(500) as process:
        said = process.communicate()[1].splitlines()
    assert (len(said), set(said)) == (500, {b"x" * 100})


def test_what_a_server_says_cannot_steer_the_terminal() -> None:
    stream = StringIO()
    terminal = Terminal(stream)
    before = SourceStatus(label="host/repo", since=NOW)
    terminal.source_changed(before, after_failure(before, AuthenticationFailed("go away \x1b[2J"), at=NOW))
    terminal.close()
    assert "source host/repo is auth failed: go away \\x1b[2J" in stream.getvalue()


def run(state: RunState, name: str = "calm-otter", **facts: Any) -> Run:
    return Run(
        id=UUID(int=1),
        name=name,
        deployment_id=UUID(int=2),
        deployment="etl/nightly",
        state=state,
        scheduled_at=NOW,
        due_at=NOW + timedelta(seconds=5),
        created_at=NOW,
        changed_at=NOW,
        started_at=NOW - timedelta(seconds=2),
        ended_at=NOW if state.is_final else None,
        attempt=1,
        **facts,
    )


WHY = Failure(kind="ValueError", message="no good")


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (run(RunState.RUNNING), "● etl/nightly started"),
        (run(RunState.COMPLETED), "✔ etl/nightly completed after 2.00 s"),
        (run(RunState.FAILED, failure=WHY), "✖ etl/nightly failed after 2.00 s: ValueError: no good"),
        (run(RunState.TIMED_OUT), "⧗ etl/nightly timed out after 2.00 s"),
        (run(RunState.CRASHED, failure=WHY), "⚡ etl/nightly crashed after 2.00 s: ValueError: no good"),
        (run(RunState.RETRYING, failure=WHY), "↻ etl/nightly retries in 5 s, as attempt 2: ValueError: no good"),
        (run(RunState.LOST), "? etl/nightly is lost: its server is out of sight"),
        (
            run(RunState.CANCELLED, cancellation=Cancellation(asked_at=NOW, by="ann", reason="wrong day")),
            "⊘ etl/nightly cancelled by ann (wrong day) after 2.00 s",
        ),
    ],
    ids=lambda value: value.state.value if isinstance(value, Run) else "",
)
def test_what_becomes_of_a_run_is_one_line(ended: Run, said: str) -> None:
    stream = StringIO()
    terminal = Terminal(stream)
    terminal.run_moved(ended)
    terminal.close()
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  calm-otter    {re.escape(said)}\n", stream.getvalue())


def test_the_words_of_several_runs_stand_in_columns_and_each_line_says_whose_it_is() -> None:
    stream = StringIO()
    terminal = Terminal(stream)
    terminal.run_moved(run(RunState.RUNNING, "magnificent-albatross"))
    terminal.line("calm-otter", line("one\ntwo \x1b[2J"))
    terminal.line("a-name-that-is-longer-than-any-column", line("three"))
    terminal.line("calm-otter", LogLine(seq=1, at=NOW, level=40, logger="etl", text="four"))
    terminal.close()
    assert [text[10:] for text in stream.getvalue().splitlines()] == [
        "magnificent-albatross  ● etl/nightly started",
        "calm-otter             │ one",
        "calm-otter             │ two \\x1b[2J",
        "a-name-that-is-longer-t…  │ three",
        "calm-otter                │ ERROR    four",
    ]


def test_each_run_keeps_a_colour_of_its_own_on_a_terminal_and_has_none_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    names = [f"run-{number}" for number in range(10)]
    colours = dict.fromkeys(names, "")
    for text in shown_on_a_terminal(names * 2):
        found = re.search(r"\x1b\[([\d;]+)m(run-\d) *\x1b\[0m  \x1b\[([\d;]+)m│", text)
        assert found is not None
        assert found[1] == found[3]
        assert colours[found[2]] in ("", found[1])
        colours[found[2]] = found[1]
    assert len(set(colours.values())) == 10
    monkeypatch.setenv("NO_COLOR", "1")
    assert all("\x1b" not in text for text in shown_on_a_terminal(names))


def shown_on_a_terminal(names: list[str]) -> list[str]:
    """What a terminal receives of a line of each of those runs."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as stream:
        terminal = Terminal(stream)
        for name in names:
            terminal.line(name, line("hello"))
        terminal.close()
        received = b""
        while received.count(b"\n") < len(names):
            received += screen.read(65_536)
    return received.decode().splitlines()


def test_for_machines_each_line_is_an_object(pipe: Pipe) -> None:
    terminal = Terminal(pipe.writing, log_format="json")
    logger = logging.getLogger("flowsource.test")
    root = logging.getLogger()
    others, root.handlers[:] = root.handlers[:], []
    try:
        with telling_records(terminal):
            logger.warning("the store is %s", "away")
        assert root.handlers == []
    finally:
        root.handlers[:] = others
    terminal.run_moved(run(RunState.RUNNING))
    terminal.line("calm-otter", LogLine(seq=7, at=NOW, level=30, logger="etl", text="a\nb", extra={"rows": 3}))
    terminal.run_moved(run(RunState.FAILED, failure=WHY))
    terminal.stopped([])
    terminal.close()
    pipe.read()
    log, started, said, failed, stopped = map(json.loads, pipe.lines())
    assert (log["event"], log["level"], log["message"]) == ("log", "WARNING", "the store is away")
    assert (started["event"], started["run"], started["deployment"]) == ("run.started", "calm-otter", "etl/nightly")
    assert said == {
        "time": "2026-03-01T12:00:00+00:00",
        "level": "WARNING",
        "event": "run.output",
        "message": "a\nb",
        "run": "calm-otter",
        "deployment": None,
        "fields": {"attempt": 1, "seq": 7, "logger": "etl", "extra": {"rows": 3}},
    }
    assert (failed["level"], failed["fields"]["failure"]) == ("ERROR", {"kind": "ValueError", "message": "no good"})
    assert (stopped["event"], stopped["message"]) == ("server.stopped", "Stopped.")


def test_a_gap_is_told_to_machines_as_an_object_too(pipe: Pipe) -> None:
    terminal = Terminal(pipe.writing, log_format="json")
    for _ in range(40_000):
        terminal.line("calm-otter", line("x" * 100))
    pipe.read()
    terminal.close()
    assert [json.loads(text)["event"] for text in pipe.lines()].count("log.gap") == 1
