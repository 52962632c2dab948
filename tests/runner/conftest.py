"""A fork server for the tests of a module, and a place to write flows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runner.starter import Starter, open_starter


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Starter]:
    async with open_starter() as server:
        yield server


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
