"""A run that writes as fast as it can: the server stays small, others are heard, and the end of the flood is kept."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from flowsource.runner.requests import request_run
from tests.fire.length import rounds
from tests.support.live import serving

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

FLOWS = """
    import os
    from flowsource import flow, serve

    @flow
    def flood(size: int):
        block = b"y\\n" * 32_768
        for _ in range(size):
            os.write(1, block)
        print("the last words")

    @flow
    def one_line(size: int):
        for _ in range(size):
            os.write(1, b"x" * 65_536)
        print()
        print("the last words")

    @flow
    def other(): print("heard")

    if __name__ == "__main__":
        os.environ |= {"FLOWSOURCE_LOG_MIB": "1", "FLOWSOURCE_LOG_LINES": "20000"}
        serve(*[one.to_deployment(name="x") for one in (flood, one_line, other)], limit=4)
"""


def resident(pid: int) -> int:
    """The most that a process had in memory, in MiB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) >> 10


@pytest.mark.parametrize("flow", ["flood", "one-line"])
async def test_a_flood_hurts_nobody_and_its_end_is_kept(tmp_path: Path, flow: str) -> None:
    blocks = rounds(f"megabytes of a flood, {flow}", short=24, full=1024) * 16
    script = tmp_path / "flows.py"
    script.write_text(dedent(FLOWS))
    async with serving(script, tmp_path / "home") as server:
        await server.until_final(await request_run(server.store, "other/x", {}))
        before = resident(server.process.pid)
        flood = await request_run(server.store, f"{flow}/x", {"size": blocks})
        others = [await request_run(server.store, "other/x", {}) for _ in range(3)]
        for other in others:
            ended = await server.until_final(other)
            assert [line.text for line in await server.store.lines(ended.id)] == ["heard"]
        with anyio.fail_after(500):
            while not (await server.store.run(str(flood.id))).state.is_final:  # noqa: ASYNC110 - another process ends it
                await anyio.sleep(0.05)
        lines, place = [], (0, 0)
        while more := await server.store.lines(flood.id, after=place):
            lines += [line.text for line in more]
            place = more[-1].place
        assert (lines[-1], sum(map(len, lines)) < 3 << 20) == ("the last words", True)
        assert any(" left out: more than " in text for text in lines)
        grown = resident(server.process.pid) - before
        print(f"a flood of {blocks >> 4} MiB: from {before} MiB, {grown} more")
        assert grown < 50
