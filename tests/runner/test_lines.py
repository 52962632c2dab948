"""Lines of output, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.runner.output.lines import MAX_LINE_BYTES, LineSplitter
from tests.runner.cutting import cut

texts = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=50)


@given(
    st.lists(st.binary(max_size=50) | texts.map(str.encode), max_size=6),
    st.lists(st.integers(0, 400), max_size=8),
    st.integers(4, 20) | st.just(MAX_LINE_BYTES),
)
def test_lines_are_the_same_however_the_output_is_cut(lines: list[bytes], places: list[int], longest: int) -> None:
    data = b"\n".join(lines)
    whole, pieces = LineSplitter(longest), LineSplitter(longest)
    expected = [*whole.feed(data), *whole.close()]
    got = [line for piece in cut(data, places) for line in pieces.feed(piece)]
    assert [*got, *pieces.close()] == expected


def test_bytes_that_are_no_text_are_shown_and_nothing_is_lost() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"caf\xc3\xa9 \xff \0\r\nlast")) == ["café \\xff \\x00"]
    assert list(splitter.close()) == ["last"]


def test_a_line_without_an_end_is_split_and_kept() -> None:
    splitter = LineSplitter()
    pieces = [*splitter.feed(b"x" * (3 * MAX_LINE_BYTES + 5)), *splitter.close()]
    assert [len(piece) for piece in pieces] == [MAX_LINE_BYTES] * 3 + [5]


@given(texts, st.integers(4, 9), st.booleans())
def test_a_long_line_is_split_between_two_characters(text: str, longest: int, is_ended: bool) -> None:
    splitter = LineSplitter(longest)
    pieces = [*splitter.feed(text.encode() + b"\n" * is_ended), *splitter.close()]
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= longest for piece in pieces)


@pytest.mark.parametrize("sign", ["é", "€", "🐳"])
@pytest.mark.parametrize("before", range(4))
def test_a_character_at_the_end_of_64_kb_stays_whole(sign: str, before: int) -> None:
    text = "x" * before + sign * MAX_LINE_BYTES
    splitter = LineSplitter()
    assert "".join([*splitter.feed(text.encode()), *splitter.close()]) == text


def test_bytes_that_are_no_text_are_split_where_they_must_be() -> None:
    splitter = LineSplitter(8)
    assert [*splitter.feed(b"\x80" * 20), *splitter.close()] == ["\\x80" * 8, "\\x80" * 8, "\\x80" * 4]
