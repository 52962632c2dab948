"""A dead server is buried once nothing that its runs left goes on, and not before."""

from __future__ import annotations

import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from flowsource.runner.lifesigns import bury_the_dead
from flowsource.store import open_store
from tests.store.words import registration, runner_ids
from tests.support.control_groups import control_group
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


async def test_what_a_dead_server_left_is_ended_before_it_is_buried(tmp_path: Path) -> None:
    signs, server = tmp_path / "signs", uuid4()
    signs.mkdir()
    with control_group() as group, subprocess.Popen(["sleep", "600"]) as left:
        (group / "cgroup.procs").write_text(str(left.pid))
        (signs / str(server)).write_text(str(group))
        async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
            await store.register(server, [registration()], lease_until=NOW + timedelta(hours=1), now=NOW)
            await bury_the_dead(store, signs)
            assert await runner_ids(store) == []
        assert left.wait(PATIENCE) == -signal.SIGKILL
        assert not group.exists()
    assert list(signs.iterdir()) == []


async def test_a_dead_server_whose_processes_do_not_end_yet_is_left_for_the_next_look(tmp_path: Path) -> None:
    signs, server = tmp_path / "signs", uuid4()
    signs.mkdir()
    # As a group looks in which something waits for a disk that does not answer, so that no signal reaches it.
    stuck = tmp_path / "stuck"
    stuck.mkdir()
    (stuck / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    (signs / str(server)).write_text(str(stuck))
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        await store.register(server, [registration()], lease_until=NOW + timedelta(hours=1), now=NOW)
        await bury_the_dead(store, signs)
        assert await runner_ids(store) == [server]
        (stuck / "cgroup.events").write_text("populated 0\nfrozen 0\n")
        await bury_the_dead(store, signs)
        assert await runner_ids(store) == []
    assert list(signs.iterdir()) == []
