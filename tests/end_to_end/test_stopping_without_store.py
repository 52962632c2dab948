"""A server is stopped while its store is away: it ends as it should, and says what is not told yet."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.support.postgres import postgres_server
from tests.support.servers import server_process
from tests.support.serving import READY, started
from tests.support.waiting import PATIENCE

SCRIPT = """
from flowsource import flow

@flow
def work(): ...

if __name__ == "__main__":
    work.serve("hourly", interval=3600)
"""

# The variables that lead to a store, and what takes that away.
Store = tuple[dict[str, str], Callable[[], object]]


@contextmanager
def _postgres(place: Path) -> Iterator[Store]:
    with postgres_server() as server, server.database() as address:
        yield {"FLOWSOURCE_STORE": address}, lambda: server.stop(signal.SIGQUIT)
        server.start()


@contextmanager
def _http(place: Path) -> Iterator[Store]:
    with server_process(place / "server-home") as server:
        token = server.token("fleet", "runner")
        said = {"FLOWSOURCE_STORE": server.url, "FLOWSOURCE_TOKEN_FILE": str(token)}
        yield said, lambda: server.end(signal.SIGKILL)


@pytest.mark.parametrize("store", [_postgres, _http])
def test_a_server_that_is_stopped_while_its_store_is_away_ends_and_says_what_is_not_told(
    store: Callable[[Path], AbstractContextManager[Store]], tmp_path: Path
) -> None:
    script = tmp_path / "elsewhere" / "flows.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    with store(tmp_path) as (environ, take_away), started(script, tmp_path / "home", environ=environ) as server:
        server.wait_until_said(READY)
        take_away()
        server.process.send_signal(signal.SIGTERM)
        deadline = monotonic() + PATIENCE
        while server.process.poll() is None:
            assert monotonic() < deadline, server.output
            sleep(0.02)
        said = server.output
        assert server.process.returncode == 0, said
        assert "Traceback" not in said
        assert said.count("the store does not hear that this server stops") == 1
        assert "Stopped." in said
