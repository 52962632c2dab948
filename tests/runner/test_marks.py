"""Records among output, however the stream is cut, and whoever else writes to it."""

from __future__ import annotations

import select
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowsource.runner.output.marks import MarkedOutput, marked, new_mark
from tests.runner.cutting import cut

MARK = new_mark()


def heard(data: bytes, places: list[int]) -> list[Any]:
    """Records, and what was printed before, between and after them."""
    output = MarkedOutput(MARK)
    parts = [part for piece in cut(data, places) for part in output.feed(piece)] + [output.close()]
    told: list[Any] = [b""]
    for part in parts:
        if isinstance(part, bytes):
            told[-1] += part
        else:
            told += [part, b""]
    return told


@given(
    st.lists(st.binary(max_size=40) | st.text(max_size=6000), max_size=6),
    st.lists(st.integers(0, 40_000), max_size=8),
)
def test_records_and_prints_are_told_apart_however_the_stream_is_cut(
    said: list[bytes | str], places: list[int]
) -> None:
    data, printed = b"", b""
    expected: list[bytes | dict[str, str]] = []
    for what in said:
        if isinstance(what, bytes):
            data += what
            printed += what
        else:
            data += b"".join(marked({"text": what}, MARK))
            expected += [printed, {"text": what}]
            printed = b""
    assert heard(data, places) == [*expected, printed]


def test_each_piece_is_short_enough_to_be_written_at_once() -> None:
    assert max(map(len, marked({"text": "x" * 100_000}, MARK))) <= select.PIPE_BUF


def test_what_looks_like_a_record_and_is_none_is_passed_over() -> None:
    for piece in (b"=x", b"=[]", b"", b">1 x", b"-9 x", b"=" + b"x" * 9000):
        assert heard(b"before " + MARK + piece + b"\nafter", []) == [b"before after"]


def test_a_record_that_is_begun_again_and_again_takes_bounded_memory() -> None:
    output = MarkedOutput(MARK)
    for writer in range(1000):
        piece = MARK + b"<%d " % writer + b"x" * 4000 + b"\n"
        assert list(output.feed(piece)) == []
    for _ in range(1000):
        assert list(output.feed(MARK + b"-1 " + b"x" * 4000 + b"\n")) == []
    assert sum(map(len, output._begun.values())) < 2 * 1024 * 1024
