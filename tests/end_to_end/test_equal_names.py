"""Deployments of several sources that have modules of the same names, in one server."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runner.requests import request_run
from flowsource.settings import START_METHODS
from tests.support.live import serving

pytestmark = pytest.mark.anyio

SCRIPT = """
    from pathlib import Path
    from flowsource import flow, serve

    def of(place):
        return flow.from_source(Path(__file__).with_name(place), "flows.py:main").to_deployment(place)

    if __name__ == "__main__":
        serve(of("one"), of("other"))
"""


@pytest.mark.parametrize("method", START_METHODS)
async def test_each_run_has_the_modules_of_its_own_source(method: str, tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(dedent(SCRIPT))
    for place in ("one", "other"):
        (tmp_path / place / "parts").mkdir(parents=True)
        (tmp_path / place / "flows.py").write_text("import helper\ndef main(): return [helper.NAME, helper.part()]\n")
        (tmp_path / place / "helper.py").write_text(f"from parts.names import part\nNAME = {place!r}\n")
        (tmp_path / place / "parts" / "names.py").write_text(f"def part(): return 'a part of {place}'\n")
    environ = {"FLOWSOURCE_START_METHOD": method}
    async with serving(tmp_path / "serve.py", tmp_path / "home", environ=environ) as server:
        runs = [await request_run(server.store, f"main/{place}", {}) for place in ("one", "other", "one")]
        results = [(await server.until_final(run)).result for run in runs]
        assert await server.stop() == 0
    assert results == [[place, f"a part of {place}"] for place in ("one", "other", "one")]
