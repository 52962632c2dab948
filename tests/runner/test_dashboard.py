"""The dashboard of a serving process: whatever keeps it from being there keeps nobody from serving."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsource.runner.announcing import dashboards
from flowsource.runner.dashboard import open_dashboard
from flowsource.settings import Settings
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


def settings_in(home: Path) -> Settings:
    return Settings.load({"FLOWSOURCE_HOME": str(home)})


async def test_one_that_cannot_be_started_is_told_of_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    async def refuse(*command: Any, **how: Any) -> None:
        tries.append(command)
        raise BlockingIOError("no process can be had")

    monkeypatch.setattr(anyio, "open_process", refuse)
    async with open_dashboard(settings_in(tmp_path)) as there:
        assert there is not None
        with socket.create_connection(("127.0.0.1", int(there.url.rpartition(":")[2]))):
            await until(lambda: len(tries) > 1)
    assert "no process can be had" in caplog.text


async def test_one_that_cannot_be_told_of_is_there_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path)
    settings.signs.parent.mkdir(parents=True, exist_ok=True)
    settings.signs.write_text("no directory")
    with caplog.at_level(logging.WARNING):
        async with open_dashboard(settings) as there:
            assert there is not None
    assert "does not find the dashboard" in caplog.text


async def test_those_of_the_dead_are_forgotten(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.signs.mkdir(parents=True)
    (settings.signs / "dead.dashboard").write_text("http://127.0.0.1:1")
    async with open_dashboard(settings) as there:
        assert there is not None
        assert [file.name for file in settings.signs.iterdir() if file.name.startswith("dead")] == []
        assert dashboards(settings.signs) == [there.url]
    assert dashboards(settings.signs) == []
