"""Listings look as they are kept: in a pipe, on a terminal, and on one without colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.goldens import COMMANDS, PLACE, file_of, fill, shown


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory that has some of everything."""
    place = tmp_path_factory.mktemp("golden") / "home"
    fill(place)
    return place


@pytest.mark.parametrize("command", COMMANDS)
def test_a_listing_looks_as_it_is_kept(home: Path, command: str) -> None:
    assert shown(home, command) == file_of(command).read_text(encoding="utf-8"), "python -m tests.cli.goldens"


def test_nothing_is_kept_that_no_command_shows() -> None:
    assert {file.name for file in PLACE.iterdir()} == {file_of(command).name for command in COMMANDS}
