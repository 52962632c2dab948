"""Messages on the channel, however the bytes are cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsource.runner.frames import Decoder, encode
from tests.runner.cutting import cut

messages = st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.booleans())))


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
