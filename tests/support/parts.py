"""What some tests need and not every machine has."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def lacks(what: str) -> NoReturn:
    """Skip the test, saying what this machine lacks; fail it where CI says that everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and in CI nothing is skipped")
    pytest.skip(what)


def forbids(what: str) -> NoReturn:
    """Skip the test, saying what this machine does not let anybody do: no set-up can change that, in CI neither."""
    pytest.skip(what)


def requires(program: str) -> None:
    """Skip the test where `program` is not installed; fail it in CI."""
    if shutil.which(program) is None:
        lacks(f"{program} is not installed")
