"""The log of an attempt: all of it, until it is too much; and then its end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import UUID

import anyio
import pytest

from flowsource.errors import RunNotFound, StoreUnavailable
from flowsource.runner.output import run_log
from flowsource.runner.output.run_log import RunLog
from flowsource.runner.output.tail import LINES
from flowsource.runner.output.terminal import Terminal
from flowsource.runs import Run
from flowsource.settings import LogLimits
from flowsource.store.protocol import Store
from flowsource.store.values import LogLine
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


def log_of(run: Run, store: Store, limits: LogLimits | None = None) -> RunLog:
    return RunLog(run, store=store, terminal=Terminal(StringIO()), limits=limits or LogLimits())


@asynccontextmanager
async def saving(log: RunLog) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(log.save)
        yield
        await until(lambda: not log.unsaved)
        tasks.cancel_scope.cancel()


async def texts(store: Store, run: Run) -> list[str]:
    return [line.text for line in await store.lines(run.id, limit=100_000)]


async def test_lines_and_records_are_kept_in_the_order_in_which_they_came(store: Store, run: Run) -> None:
    log = log_of(run, store)
    words = log.of_process()
    async with saving(log):
        words.printed(b"one\ntw")
        words.recorded({"at": NOW.timestamp(), "level": 30, "logger": "a", "text": "rec\nord", "extra": {"n": 1}})
        words.printed(b"o\nthr")
        words.close()
    lines = await store.lines(run.id)
    assert [(line.seq, line.attempt, line.text) for line in lines] == [
        (1, 1, "one"),
        (2, 1, "rec\nord"),
        (3, 1, "two"),
        (4, 1, "thr"),
    ]
    record = lines[1]
    assert (record.at, record.level, record.logger, record.extra) == (NOW, logging.WARNING, "a", {"n": 1})


@pytest.mark.parametrize("limits", [LogLimits(lines=1000), LogLimits(size=8000)])
async def test_what_is_too_much_is_left_out_and_counted_and_its_end_is_kept(
    store: Store, run: Run, limits: LogLimits
) -> None:
    log = log_of(run, store, limits)
    words = log.of_process()
    async with saving(log):
        for start in range(0, 10_000, 100):
            words.printed("".join(f"{number:07d}\n" for number in range(start, start + 100)).encode()[:-1])
            words.printed(b"\n")
        words.recorded({"at": 0, "level": 40, "logger": "a", "text": "out of memory"})
        words.printed(b"half")
        words.close()
    said = await texts(store, run)
    kept = said.index(next(text for text in said if text.startswith("...")))
    assert said[:kept] == [f"{number:07d}" for number in range(kept)]
    assert said[-2:] == ["out of memory", "half"]
    assert said[-LINES:-2] == [f"{number:07d}" for number in range(10_002 - LINES, 10_000)]
    limit = "1,000 lines" if limits.lines == 1000 else "7.8 KiB"
    assert said[kept] == f"... more than {limit}: from here on only the last 200 lines are kept"
    assert said[kept + 1].startswith(f"... {10_002 - LINES - kept:,} lines (")
    assert said[kept + 1].endswith(f" left out: more than {limit}")
    assert len(said) == kept + 2 + LINES


async def test_a_hook_is_heard_even_if_the_run_said_too_much(store: Store, run: Run) -> None:
    log = log_of(run, store, LogLimits(lines=2))
    async with saving(log):
        for text in (b"a\nb\nc\n", b"hook\n"):
            words = log.of_process()
            words.printed(text)
            words.close()
    note = "... more than 2 lines: from here on only the last 200 lines are kept"
    assert await texts(store, run) == ["a", "b", note, "c", "hook"]


async def test_who_writes_faster_than_can_be_kept_waits_and_loses_nothing(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "_BATCH", 50)
    log = log_of(run, store)
    words = log.of_process()
    async with saving(log):
        for number in range(1000):
            await log.until_room()
            words.printed(b"%d\n" % number)
            assert len(log.unsaved) <= 50
        words.close()
    assert await texts(store, run) == [str(number) for number in range(1000)]


async def test_lines_wait_for_a_store_that_is_away_and_each_is_kept_once(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, tries = store.append_lines, 0

    async def lost_reply(run_id: UUID, lines: Sequence[LogLine]) -> None:
        nonlocal tries
        tries += 1
        await append(run_id, lines)
        if tries == 1:
            raise StoreUnavailable("gone")

    monkeypatch.setattr(store, "append_lines", lost_reply)
    log = log_of(run, store)
    async with saving(log):
        log.of_process().printed(b"one\ntwo\n")
    assert tries == 2
    assert await texts(store, run) == ["one", "two"]


async def test_lines_that_are_refused_end_nothing(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    append, refusals = store.append_lines, [RunNotFound("it")]

    async def refused(run_id: UUID, lines: Sequence[LogLine]) -> None:
        if refusals:
            raise refusals.pop()
        await append(run_id, lines)

    monkeypatch.setattr(store, "append_lines", refused)
    log = log_of(run, store)
    words = log.of_process()
    async with saving(log):
        words.printed(b"one\n")
        await until(lambda: not log.unsaved)
        words.printed(b"two\n")
    assert await texts(store, run) == ["two"]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"at": "x", "level": "y", "logger": None, "text": None, "extra": 3},
        {"at": 1e300, "level": 10**30, "logger": "l" * 10_000, "text": "\udcff \0 \ud800", "extra": []},
        {"at": float("nan"), "level": -1, "logger": {}, "text": []},
    ],
)
async def test_whatever_stands_in_the_place_of_a_record_is_kept_somehow(
    store: Store, run: Run, message: dict[str, Any]
) -> None:
    log = log_of(run, store)
    async with saving(log):
        log.of_process().recorded(message)
    [line] = await store.lines(run.id)
    assert 0 <= line.level <= 1000
    assert "\0" not in line.text
