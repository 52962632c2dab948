"""What a flow can know about the run it is part of, outside of one."""

from __future__ import annotations

import asyncio

import pytest

from flowsource import current_run, tags
from flowsource.context import current_tags
from flowsource.errors import InvalidInput


def test_tags_add_up_and_end_with_their_block() -> None:
    with tags("etl", "nightly"):
        with tags("etl", "inner") as all_of_them:
            assert current_tags() == all_of_them == ("etl", "nightly", "inner")
        assert current_tags() == ("etl", "nightly")
    assert current_tags() == ()


def test_tasks_have_their_own_tags() -> None:
    async def tagged(name: str) -> tuple[str, ...]:
        with tags(name):
            await asyncio.sleep(0)
            return current_tags()

    async def both() -> list[tuple[str, ...]]:
        return list(await asyncio.gather(tagged("one"), tagged("two")))

    assert asyncio.run(both()) == [("one",), ("two",)]


@pytest.mark.parametrize("given", ["", 5, None])
def test_what_is_no_tag_is_refused(given: object) -> None:
    with pytest.raises(InvalidInput, match=f"tags: {given!r} is not a non-empty string"), tags(given):  # type: ignore[arg-type]  # refused at run time too
        pass


def test_there_is_no_run_outside_of_one() -> None:
    assert current_run() is None
