"""What the page on the API says is to be typed works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
import pytest

from tests.server.serving import Served
from tests.store.words import Server
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def test_each_command_of_the_page_does_what_it_says(server: Served, runner: Server, tmp_path: Path) -> None:
    requires("curl")
    script = "\n".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    for line, ours in {"API=": f"{server.url}/api/v1", "TOKEN=": server.secret}.items():
        script, count = re.subn(f"^{line}.*$", f"{line}{ours}", script, flags=re.MULTILINE)
        assert count == 1
    assert script.count("curl -sS") > 10

    done = await anyio.run_process(
        ["sh", "-euc", script.replace("curl -sS", "curl -sS --fail-with-body")], cwd=tmp_path, check=False
    )

    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    [deployment] = await server.store.deployments()
    assert deployment.paused
    assert [run.parameters for run in await server.store.runs()] == [{"day": "monday"}]
    assert len(await server.store.schedules([deployment.id])) == 2
