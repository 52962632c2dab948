"""An empty directory, whose repositories a server serves."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def served(tmp_path: Path) -> Path:
    served = tmp_path / "served"
    served.mkdir()
    return served
