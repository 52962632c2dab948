"""A remote that says what it is told to, and an empty cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.snapshots.cache import SnapshotCache
from tests.watch.told import Remote


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def cache(tmp_path: Path) -> SnapshotCache:
    return SnapshotCache(tmp_path / "cache")
