"""What every store promises about lines that are looked for in a log; its tests subclass this."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from uuid import UUID

import pytest

from flowsource.store import logs
from flowsource.store.protocol import Store
from flowsource.store.values import AFTER_ALL, BEFORE_ALL, LineFilter, LinePage, LinePlace, LogLine
from tests.store.words import NOW, lines, registration, serve

LEVELS = (10, 20, 20, 30, 40, 50)
TEXTS = ("", "disk full", "DISK FULL", "naïve", "NAÏVE", "100%", "a_b", "a*b", "a\\b", "a\x00disk", "\uffff", "\udc80")


def a_log(*, attempts: int = 3, each: int = 40) -> list[LogLine]:
    """Lines of all levels with all texts, the same ones each time."""
    chance = Random("log")
    return [
        LogLine(attempt=attempt, seq=seq, at=NOW, level=chance.choice(LEVELS), text=chance.choice(TEXTS))
        for attempt in range(1, attempts + 1)
        for seq in range(1, each + 1)
    ]


def as_kept(line: LogLine) -> LogLine:
    """What no database can encode is kept so that it is seen."""
    return replace(line, text=line.text.encode("utf-8", "backslashreplace").decode())


async def through_pages(
    store: Store, run_id: UUID, wanted: LineFilter, *, backwards: bool = False, limit: int = 7
) -> tuple[list[LogLine], list[LinePage]]:
    """All lines that are wanted, in order, and the pages on which they were."""
    found: list[LogLine] = []
    pages: list[LinePage] = []
    place: LinePlace = AFTER_ALL if backwards else BEFORE_ALL
    while not pages or not pages[-1].is_last:
        page = await store.find_lines(run_id, wanted, begin=place, backwards=backwards, limit=limit)
        assert len(page.lines) <= limit
        found = [*page.lines, *found] if backwards else [*found, *page.lines]
        pages.append(page)
        place = page.upto
    return found, pages


class LineSearch:
    @pytest.mark.parametrize("backwards", [False, True])
    @pytest.mark.parametrize("looked_at", [5, 20_000])
    async def test_what_is_found_from_either_end_is_what_matches(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, backwards: bool, looked_at: int
    ) -> None:
        monkeypatch.setattr(logs, "LOOKED_AT", looked_at)
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, a_log())
        there = list(map(as_kept, a_log()))
        for wanted in (
            LineFilter(),
            LineFilter(level=20),
            LineFilter(level=30),
            LineFilter(level=41),
            LineFilter(level=60),
            LineFilter(attempt=2),
            LineFilter(attempt=9),
            LineFilter(text="disk"),
            LineFilter(text="Disk Full", level=40, attempt=3),
            *(
                LineFilter(text=text)
                for text in ("NAÏVE", "%", "_", "*", "\\", "\x00DISK", "\uffff", "udc80", "nowhere")
            ),
        ):
            found, pages = await through_pages(store, run.id, wanted, backwards=backwards)
            assert found == [line for line in there if wanted.matches(line)], wanted
            if looked_at == 5 and (wanted.level or wanted.text):
                assert max(len(page.lines) for page in pages) <= 5

    async def test_of_a_long_log_a_call_looks_at_a_part_and_tells_how_far_it_came(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logs, "LOOKED_AT", 10)
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, lines(*range(1, 36)))
        nowhere = LineFilter(text="nowhere")
        pages = (await through_pages(store, run.id, nowhere))[1]
        assert [page.upto for page in pages] == [(1, 10), (1, 20), (1, 30), (1, 35)]
        backwards = (await through_pages(store, run.id, nowhere, backwards=True))[1]
        assert [page.upto for page in backwards] == [(1, 26), (1, 16), (1, 6), (1, 1)]

    async def test_the_last_lines_come_in_their_order(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, [*lines(1, 2, 3), *lines(1, 2, attempt=2)])
        page = await store.find_lines(run.id, begin=AFTER_ALL, backwards=True, limit=3)
        assert page == LinePage([*lines(3), *lines(1, 2, attempt=2)], (1, 3), False)
        before = await store.find_lines(run.id, begin=page.upto, backwards=True, limit=3)
        assert before == LinePage(lines(1, 2), (1, 1), True)

    async def test_whoever_follows_goes_on_behind_all_that_was_looked_at(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        wanted = LineFilter(level=40)
        assert await store.find_lines(run.id, wanted) == LinePage([], BEFORE_ALL, True)
        await store.append_lines(run.id, lines(1, 2))
        page = await store.find_lines(run.id, LineFilter(text="nowhere"))
        assert page == LinePage([], (1, 2), True)
        error = LogLine(seq=3, at=NOW, level=40, text="there")
        await store.append_lines(run.id, [error])
        assert await store.find_lines(run.id, wanted, begin=page.upto) == LinePage([error], (1, 3), True)

    async def test_the_first_error_is_found_among_many_lines_at_once(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logs, "LOOKED_AT", 10)
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, lines(*range(1, 200)))
        error = LogLine(seq=200, at=NOW, level=40, text="at last")
        await store.append_lines(run.id, [error])
        assert (await store.find_lines(run.id, LineFilter(level=40), limit=1)).lines == [error]
