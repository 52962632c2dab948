"""Killed, or out of disk, at every single operation: nothing half made is seen, and the next process makes it good."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.snapshots import dying

REPOSITORY = Path(__file__).parents[2]
WHOLE = ["data", "data/rows.csv", "flows.py", "latest"]


def rounds(how: str, directory: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", dying.__name__, how, directory],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    operations = " ".join(one["operation"] for one in told)
    for step in ("os.mkdir", "tree/flows.py", "os.chmod", "manifest.json", "complete", "os.rename"):
        assert step in operations, "the rounds reach every step"
    return told


@pytest.mark.parametrize("how", ["kill", "fail"])
def test_whenever_it_stops_a_snapshot_is_whole_or_absent(tmp_path: Path, how: str) -> None:
    for told in rounds(how, tmp_path):
        where = told["operation"]
        assert told["left"]["holds"] == (WHOLE if told["left"]["visible"] else []), where
        assert told["swept"]["staging"] == [], where
        assert told["swept"]["visible"] == told["left"]["visible"], where
        assert told["ensured"] == {"staging": [], "visible": True, "holds": WHOLE}, where
        assert told["damage"] == [], where
        if how == "fail":
            assert told["left"]["staging"] == [], where
