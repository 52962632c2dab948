"""A fetch that takes its time is seen on a terminal, and leaves nothing there."""

from __future__ import annotations

import io

import pytest

from flowsource.sources.base import Progress, say_nothing
from flowsource.watch import progress
from flowsource.watch.progress import told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_is_shown_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    terminal = Terminal()
    with told("https://host/repo.git\x1b[2J", terminal) as report:
        report(Progress(12_300_000, 100, 400))
        shown = terminal.getvalue()
    assert "25 %  12.3 MB" in shown
    assert "\x1b[2J" not in shown
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_who_waits_a_moment_only_sees_nothing() -> None:
    terminal = Terminal()
    with told("somewhere", terminal) as report:
        report(Progress(1, 1, 1))
    assert terminal.getvalue() == ""


def test_no_more_is_written_than_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    terminal = Terminal()
    with told("somewhere", terminal) as report:
        for number in range(1000):
            report(Progress(number, number, 1000))
    assert terminal.getvalue().count("\r") < 100


def test_in_a_pipe_nothing_is_shown() -> None:
    with told("somewhere", io.StringIO()) as report:
        assert report is say_nothing
