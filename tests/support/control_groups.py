"""Control groups that tests make, where this machine lets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from flowsource.runner.processes.control_groups import made, place_for
from tests.support.parts import forbids


@contextmanager
def control_group() -> Iterator[Path]:
    """A group that is ended with the block; skips the test where there can be none."""
    with made(place_for(f"flowsource-test-{uuid4()}")) as group:
        if group is None:
            forbids("no control group of version 2 can be made below the one that the tests are in")
        yield group
