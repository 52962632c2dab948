"""A repository in a place whose name a shell would misread."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    repository = FixtureRepository.create(tmp_path / "it's served" / "flows.git")
    repository.commit_files({"flows.py": "ANSWER = 41\n"})
    return repository
