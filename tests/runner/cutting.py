"""A stream as a pipe may hand it over: in pieces of any length."""

from __future__ import annotations


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces that end at `places`, counted round and round."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
