"""A server with one deployment for all tests of the command line, and an empty home for those that want no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calling import CommandLine
from tests.support.serving import serving

SCRIPT = '''
from pathlib import Path
from time import sleep

from flowsource import flow, get_run_logger


@flow(log_prints=True)
def greet(name: str = "world", times: int = 1, failing: bool = False, gate: str = ""):
    """Greet somebody."""
    for number in range(times):
        print(f"Hello, {name}!")
    while gate and not Path(gate).exists():
        sleep(0.005)
    if failing:
        get_run_logger().error("now it fails")
        raise RuntimeError("as was asked for")
    return {"greeted": name}


if __name__ == "__main__":
    greet.serve(name="daily", interval=86400, tags=["kind"], parameters={"times": 2}, limit=20)
'''


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line of a home where `greet/daily` is served."""
    directory = tmp_path_factory.mktemp("served")
    script = directory / "script" / "flows.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    with serving(script, directory / "home"):
        yield CommandLine(directory / "home")


@pytest.fixture
def alone(tmp_path: Path) -> CommandLine:
    """The command line of an empty home."""
    return CommandLine(tmp_path / "home")
