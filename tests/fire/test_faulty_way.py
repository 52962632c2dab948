"""Between a runner and its server requests and answers are lost, late, doubled, out of order, cut and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.server_access import TOKEN
from flowsource.store import open_store
from tests.fire.checking import untrue
from tests.fire.length import FULL, rounds
from tests.fire.mixture import SCRIPT, ask_for_all, is_exact, token_file, token_of, until_all_have_ended
from tests.support.http_faults import FAULTS, Faults
from tests.support.http_way import http_way
from tests.support.live import processes_below, serving
from tests.support.servers import server_process
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(7200 if FULL else 300)]

# In the short form there are so few requests that there must be a fault more often.
RATE = 0.05 if FULL else 0.1
WITHIN = 3600 if FULL else PATIENCE


async def test_whatever_the_way_does_to_requests_each_attempt_is_made_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = rounds("runs of each kind on a faulty way", short=3, full=500)
    script, home, ledger = tmp_path / "flows.py", tmp_path / "runner", tmp_path / "ledger"
    script.write_text(SCRIPT)
    way = Faults(seed=5)
    with server_process(tmp_path / "server") as server, http_way(server.port, way) as url:
        environ = {**await token_file(server, tmp_path), "LEDGER": str(ledger)}
        monkeypatch.setenv(TOKEN, await token_of(server, "anna", "operator"))
        async with serving(script, home, address=url, environ=environ) as runner:
            way.rate = RATE
            asked = await ask_for_all(runner, count)
            await until_all_have_ended(runner, len(asked), within=WITHIN)
            way.rate = 0
            assert await runner.stop() == 0, runner.said[-4000:]
        assert way.happened.keys() >= (set(FAULTS) if FULL else set()), way.happened
        assert way.happened.total() > 10, way.requests
        print(f"{way.requests} requests, of which {way.happened.total()} met a fault: {dict(way.happened)}")
        async with open_store(server.store) as store:
            wrong = await untrue(store, home, acknowledged=[run.id for run in asked], ledger=ledger)
            assert wrong == [], runner.said[-4000:]
            await is_exact(store, asked, count, ledger)
    assert processes_below(home) == []
