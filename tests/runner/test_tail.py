"""The end of a flood: at least its last lines, and every other one counted."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from flowsource.runner.output.tail import LINES, LeftOut, Tail

NOW = datetime.now(UTC)


@given(st.lists(st.integers(1, 700), max_size=12), st.integers(1, 5))
@example([1, 1, 197], 1)
def test_the_last_lines_are_kept_and_no_line_is_uncounted(sizes: list[int], size: int) -> None:
    tail: Tail[str] = Tail()
    said: list[str] = []
    for lines in sizes:
        said += (more := [f"{len(said) + number} {'x' * size}" for number in range(lines)])
        tail.printed("".join(f"{line}\n" for line in more).encode(), at=NOW)
        tail.recorded("a record", 8)
        said.append("a record")
    last, left_out = tail.close()
    kept = [line if isinstance(line, str) else line[1] for line in last]
    assert kept == said[len(said) - len(kept) :]
    assert len(kept) == min(LINES, len(said))
    assert left_out.lines == len(said) - len(kept)


def test_a_flood_takes_little_memory_and_its_bytes_are_counted() -> None:
    tail: Tail[str] = Tail()
    for _ in range(500):
        tail.printed(b"y\n" * 32_768, at=NOW)
        assert tail._size < 200_000
    last, left_out = tail.close()
    assert (len(last), left_out) == (LINES, LeftOut(500 * 32_768 - LINES, 500 * 65_536 - 2 * LINES))


def test_long_lines_are_fewer() -> None:
    tail: Tail[str] = Tail()
    for number in range(100):
        tail.printed(b"%d" % number + b"x" * 60_000 + b"\n", at=NOW)
        assert tail._size < 1_200_000
    last, left_out = tail.close()
    assert left_out.lines + len(last) == 100
    assert 10 < len(last) < 20


def test_half_a_line_is_the_last_one_and_then_all_begins_anew() -> None:
    tail: Tail[str] = Tail()
    tail.printed(b"a\nha", at=NOW)
    tail.printed(b"lf", at=NOW)
    assert tail.close() == ([(NOW, "a"), (NOW, "half")], LeftOut())
    assert tail.close() == ([], LeftOut())
