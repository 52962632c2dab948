"""`flowsource runners`: which processes serve, and where."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import anyio

from flowsource.store import open_store
from flowsource.store.values import RunnerInfo
from tests.cli.calling import CommandLine
from tests.store.words import HOUR, registration

NOW = datetime.now(UTC)


def registered(home: Path, *infos: RunnerInfo | None) -> None:
    """Have a runner for each of these in the memory under `home`; the first is out of sight."""

    async def register() -> None:
        async with open_store(f"sqlite:///{home / 'flowsource.db'}") as store:
            for place, info in enumerate(infos):
                until = NOW + (HOUR if place else -HOUR)
                await store.register(uuid4(), [registration(f"d{place}")], lease_until=until, now=NOW, info=info)

    home.mkdir()
    anyio.run(register)


def test_each_runner_is_shown_with_what_it_says_of_itself(tmp_path: Path) -> None:
    hostile = RunnerInfo(host="evil\x1b[2J\nhost", pid=17, version="9.9", started_at=NOW, limit=None)
    registered(tmp_path / "home", None, hostile)
    flowsource = CommandLine(tmp_path / "home")

    shown = flowsource("runners", "ls")
    told = flowsource("runners", "ls", "--json").json

    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert len(shown.out.splitlines()) == 3
    assert "17, flowsource 9.9" in shown.out
    assert shown.out.count("out of sight") == 1
    by_host = {one["host"]: one for one in told}
    assert by_host.keys() == {None, hostile.host}
    assert by_host[hostile.host]["deployments"] == ["etl/d1"]


def test_where_nobody_serves_that_is_said(tmp_path: Path) -> None:
    assert "No runners" in CommandLine(tmp_path / "home")("runners", "ls").err
