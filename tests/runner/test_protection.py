"""A run cannot write to the snapshot that it runs from, whoever it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowsource.runner.child import protection
from flowsource.runner.processes.starter import Starter
from tests.support.orders import execute
from tests.support.parts import lacks

pytestmark = pytest.mark.anyio

WRITES = """
import os, subprocess, sys
def main():
    tried = []
    for place in ("flows.py", "new.txt"):
        try:
            open(place, "a").write("x")
        except OSError as error:
            tried.append(type(error).__name__ + ": " + error.strerror)
    code = "open('flows.py', 'a')"
    tried.append(subprocess.run([sys.executable, "-c", code], capture_output=True).returncode)
    return tried
"""


def requires_mounts() -> None:
    """Skip where this process may not mount, saying so; in CI it must be able to."""
    if not protection.is_possible():
        lacks("only root that may mount can be kept from writing by a mount")


async def test_root_cannot_write_to_the_snapshot_of_its_run(starter: Starter, write: Callable[..., Path]) -> None:
    requires_mounts()
    root = write(flows=WRITES)
    heard = await execute(starter, root, is_mounted=False)
    assert heard.outcome["result"] == ["OSError: Read-only file system"] * 2 + [1]
    assert starter.protects_from_root
    assert sorted(path.name for path in root.iterdir()) == ["flows.py"]
    (root / "new.txt").write_text("others still can")


async def test_a_directory_that_is_used_in_place_can_be_written(starter: Starter, write: Callable[..., Path]) -> None:
    root = write(flows=WRITES)
    heard = await execute(starter, root, is_mounted=True)
    assert heard.outcome["result"] == [0]
