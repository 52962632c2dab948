"""Programs that some tests need and not every machine has."""

from __future__ import annotations

import os
import shutil

import pytest


def requires(program: str) -> None:
    """Skip the test, saying why, where `program` is not installed; fail it where CI says that everything must be."""
    if shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed, and in CI nothing is skipped")
        pytest.skip(f"{program} is not installed")
