"""What every test may use."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The suite judges what is computed, never how fast this machine was.
settings.register_profile("suite", deadline=None, max_examples=60)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The only event loop that we run on."""
    return "asyncio"
