"""`flowsource store` removes what was kept long enough, and says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.pruning_contract import DAY, ended
from tests.store.words import Server


async def a_history(server: Server) -> None:
    """Runs that ended 100 and 50 days ago, and the newest."""
    now = datetime.now(UTC)
    for days in (100, 50, 1):
        await ended(server, now - days * DAY, f"ended-{days}", count=3)


def names(line: CommandLine) -> list[str]:
    return [run["name"] for run in line("runs", "ls", "--json").json]


def test_what_would_go_is_told_and_stays(alone: CommandLine) -> None:
    keep(alone, a_history)

    done = alone("store", "prune", "--dry-run")

    assert (done.code, done.err) == (0, "This would remove 1 runs, 6 lines of logs and 0 events.\n")
    assert alone("store", "prune", "--dry-run", "--json").json == {"runs": 1, "lines": 6, "events": 0, "dry_run": True}
    assert len(names(alone)) == 3


def test_what_was_kept_long_enough_goes_once(alone: CommandLine) -> None:
    keep(alone, a_history)

    assert alone("store", "prune").err == "Removed 1 runs, 6 lines of logs and 0 events.\n"
    assert names(alone) == ["ended-1", "ended-50"]
    assert alone("store", "prune", "--json").json == {"runs": 0, "lines": 0, "events": 0, "dry_run": False}


def test_a_log_that_may_have_been_removed_is_not_called_empty(alone: CommandLine) -> None:
    keep(alone, a_history)
    alone("store", "prune")

    assert alone("logs", "ended-50").err == (
        "ended-50 has written nothing, or its log was not kept for so long (FLOWSOURCE_KEEP_LOGS).\n"
    )
    assert len(alone("logs", "ended-1").out.splitlines()) == 3


def test_a_setting_that_makes_no_sense_is_bad_input(alone: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    done = alone.run("store", "prune", environ={"FLOWSOURCE_KEEP_RUNS": "90"})

    assert done.code == 2
    assert "FLOWSOURCE_KEEP_RUNS: '90' is not how long something is kept" in done.err
