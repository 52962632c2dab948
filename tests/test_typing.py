"""mypy and pyright agree on what may be done with a flow: they object to the lines marked as wrong, and to no other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SNIPPETS = sorted((HERE / "typing").glob("*.py"))

Lines = set[tuple[str, int]]


def test_mypy_objects_to_the_wrong_lines_alone() -> None:
    told = _told_by("mypy", "--strict", "--no-error-summary", "--hide-error-context", "--show-absolute-path")
    objections = re.findall(r"^(.+?):(\d+): error: ", told, re.MULTILINE)

    assert _marked() == {(Path(file).name, int(line)) for file, line in objections}, told


def test_pyright_objects_to_the_wrong_lines_alone() -> None:
    told = _told_by("pyright", "--outputjson", "--pythonpath", sys.executable)
    errors = [entry for entry in json.loads(told)["generalDiagnostics"] if entry["severity"] == "error"]
    objections = {(Path(entry["file"]).name, entry["range"]["start"]["line"] + 1) for entry in errors}

    assert _marked() == objections, "\n".join(f"{entry['file']}: {entry['message']}" for entry in errors)


def _told_by(tool: str, *options: str) -> str:
    command = [sys.executable, "-m", tool, *options, *map(str, SNIPPETS)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    assert done.returncode == 1, f"{tool} was to find mistakes, and only those:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _marked() -> Lines:
    return set(_wrong_lines())


def _wrong_lines() -> Iterator[tuple[str, int]]:
    for snippet in SNIPPETS:
        for number, line in enumerate(snippet.read_text(encoding="utf-8").splitlines(), start=1):
            if line.endswith("# wrong"):
                yield snippet.name, number
