"""A remote that says what it is told to."""

from __future__ import annotations

import pytest

from tests.watch.told import Remote


@pytest.fixture
def remote() -> Remote:
    return Remote()
