"""`flowsource store` tells where the memory is, and brings its tables back."""

from __future__ import annotations

import json

from flowsource.store.schema import REVISIONS
from tests.cli.calling import CommandLine


def test_the_memory_is_told_with_the_version_of_its_tables(served: CommandLine) -> None:
    said = served("store", "status").out
    assert "sqlite:///" in said
    assert REVISIONS[-1] in said
    assert json.loads(served("store", "status", "--json").out)["version"] == REVISIONS[-1]


def test_a_version_that_there_never_was_is_refused(served: CommandLine) -> None:
    refused = served("store", "downgrade", "7777")
    assert refused.code == 5
    assert "7777" in refused.err


def test_a_memory_that_is_at_a_version_already_stays_so(served: CommandLine) -> None:
    assert served("store", "downgrade", REVISIONS[-1]).code == 0
