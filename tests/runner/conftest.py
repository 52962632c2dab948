"""What starts runs, for the tests of a module, and a place to write flows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runner.processes.starter import Starter, open_starter
from flowsource.settings import START_METHODS


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Starter]:
    """What starts runs when nothing else is asked for."""
    async with open_starter() as server:
        yield server


@pytest.fixture(scope="module", params=START_METHODS)
async def starter(request: pytest.FixtureRequest) -> AsyncIterator[Starter]:
    """What starts runs, by one method after the other: for what must hold under each."""
    async with open_starter(request.param) as starter:
        yield starter


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes files by name (`flows` is flows.py) into a directory, and returns it."""

    def write(**files: str) -> Path:
        root = tmp_path / "code"
        root.mkdir(exist_ok=True)
        for name, text in files.items():
            (root / f"{name}.py").write_text(dedent(text))
        return root

    return write
