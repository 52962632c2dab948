"""Hooks in their process: what stands in their way is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from flowsource.runner.hooking import call_hooks
from flowsource.runner.processes.starter import Starter
from tests.support.orders import order_for

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]
FAILED = {"type": "failed", "name": "Failed", "message": "boom"}


async def _refuse(question: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError(f"nobody is asked {question}")


async def said_of_hooks(server: Starter, root: Path, **more: Any) -> list[tuple[int, str]]:
    """What is said of the hooks that `flows.py` under `root` has for a failure."""
    said: list[tuple[int, str]] = []
    await call_hooks(
        server,
        order_for(root, kind="hook", hook="failure", state=FAILED),
        on_output=lambda data: None,
        on_message=lambda message: None,
        until_room=anyio.lowlevel.checkpoint,
        on_ask=_refuse,
        say=lambda level, text: said.append((level, text)),
        **more,
    )
    return said


def flow_with(hook: str) -> str:
    return f"""
        import os, time
        from flowsource import flow

        def hook(flow, flow_run, state):
            {hook}

        @flow(on_failure=[hook])
        def main(): ...
    """


async def test_hooks_that_take_too_long_are_ended_and_that_is_said(starter: Starter, write: Write) -> None:
    root = write(flows=flow_with("time.sleep(600)"))
    said = await said_of_hooks(starter, root, within=timedelta(seconds=0.5))
    assert said == [(logging.ERROR, "The failure hooks were ended: they took longer than 0.5 s.")]


async def test_hooks_whose_process_ends_before_they_are_done_are_said_so(server: Starter, write: Write) -> None:
    root = write(flows=flow_with("os._exit(3)"))
    said = await said_of_hooks(server, root)
    assert said == [(logging.ERROR, "The process that called the failure hooks ended before they were all called.")]


async def test_of_hooks_that_were_called_nothing_is_said(server: Starter, write: Write) -> None:
    assert await said_of_hooks(server, write(flows=flow_with("print('told')"))) == []
