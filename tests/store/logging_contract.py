"""What every store promises about the lines of a run's log; its tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from uuid import uuid4

import pytest

from flowsource.errors import RunNotFound, Superseded
from flowsource.store.protocol import Store
from flowsource.store.values import LogLine
from tests.store.words import COMPLETED, NOW, lines, registration, serve


class Logging:
    async def test_lines_come_back_in_order_and_each_once(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, lines(1, 2))
        await store.append_lines(run.id, lines(5, 2, 3))
        assert await store.lines(run.id) == lines(1, 2, 3, 5)
        assert await store.lines(run.id, after=(1, 2), limit=1) == lines(3)
        assert await store.lines(run.id, after=(1, 5)) == []

    async def test_a_line_that_is_there_is_left_as_it_is(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, lines(1))
        await store.append_lines(run.id, [LogLine(seq=1, at=NOW, level=40, text="other")])
        assert await store.lines(run.id) == lines(1)

    @pytest.mark.parametrize("text", ["", "a\x00b", "\x1b[31mred", "naïve ☃", "x" * 65536])
    async def test_any_text_comes_back_as_it_was(self, store: Store, text: str) -> None:
        run = await (await serve(store, registration())).ask()
        line = LogLine(seq=1, at=NOW, level=20, text=text, logger="my.logger")
        await store.append_lines(run.id, [line])
        assert await store.lines(run.id) == [line]

    async def test_what_cannot_be_encoded_is_made_visible(self, store: Store) -> None:
        run = await (await serve(store, registration())).ask()
        await store.append_lines(run.id, [LogLine(seq=1, at=NOW, level=20, text="\udc80")])
        [line] = await store.lines(run.id)
        assert line.text == "\\udc80"

    async def test_the_last_lines_come_with_the_end(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        await store.append_lines(run.id, lines(1))
        this = uuid4()
        for _ in range(2):
            await store.finish(run.id, run.epoch, COMPLETED, at=NOW, transition_id=this, lines=lines(1, 2))
        assert await store.lines(run.id) == lines(1, 2)

    async def test_an_end_that_is_refused_keeps_no_lines(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        with pytest.raises(Superseded):
            await store.finish(run.id, run.epoch + 1, COMPLETED, at=NOW, transition_id=uuid4(), lines=lines(1))
        assert await store.lines(run.id) == []

    async def test_lines_of_a_run_that_is_not_there_are_refused(self, store: Store) -> None:
        with pytest.raises(RunNotFound):
            await store.append_lines(uuid4(), lines(1))
