"""What every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from flowsource.runner.processes.control_groups import join, made, place_for
from flowsource.store import open_store
from flowsource.store.protocol import Store

pytest_plugins = ["tests.support.limits"]

# The suite judges what is computed, never how fast this machine was.
settings.register_profile("suite", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


# A shell starts what goes on in the background with Ctrl-C ignored, and processes that tests start would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str | None:
    """Say which tests are cut short, side by side with others as they may run."""
    if os.environ.get("FLOWSOURCE_FIRE") == "full":
        return None
    return "tests/fire runs in short form, and leaves out what takes minutes; `make fire` runs all of it"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The only event loop that we run on."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def held_together() -> Iterator[None]:
    """Have whatever the tests start, and the groups that servers make which tests kill, end with them at the latest.

    That is for where a control group can be made. It is no excuse for a test that leaves something behind.
    """
    with made(place_for(f"flowsource-tests-{uuid4()}")) as group:
        if group is not None:
            join(group)
        yield
        if group is not None:
            join(group.parent)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store in a file of its own."""
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield store
