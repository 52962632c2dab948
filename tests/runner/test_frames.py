"""Messages on the channel, and lines of output, however the bytes are cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.runner.frames import Decoder, encode
from flowsource.runner.lines import MAX_LINE_BYTES, LineSplitter

messages = st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.booleans())))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 10_000), max_size=8))
def test_messages_arrive_whole_however_the_stream_is_cut(sent: list[dict[str, Any]], places: list[int]) -> None:
    decoder = Decoder()
    received: list[dict[str, Any]] = []
    for piece in cut(b"".join(map(encode, sent)), places):
        received.extend(decoder.feed(piece))
    assert received == sent


def test_what_is_no_json_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode({"value": float("nan")})


def test_a_length_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(Decoder().feed(b"\xff\xff\xff\xff"))


@given(st.lists(st.binary(max_size=50), max_size=6), st.lists(st.integers(0, 400), max_size=8))
def test_lines_are_the_same_however_the_output_is_cut(lines: list[bytes], places: list[int]) -> None:
    data = b"\n".join(lines)
    whole, pieces = LineSplitter(), LineSplitter()
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
