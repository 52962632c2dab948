"""The command line as a person uses it: words in; output, talk and an exit code out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flowsource.cli import main
from tests.cli import schemas


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: what it wrote to standard output, to standard error, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def json(self) -> Any:
        """The JSON that standard output is."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`flowsource` with its memory in `home`. Whatever it prints with `--json` must be as its published schema says."""

    home: Path

    def __call__(self, *words: str) -> Done:
        """Do it in this process, which saves the time to import everything again."""
        out, err = StringIO(), StringIO()
        with patch.dict(os.environ, self.environ(), clear=True), redirect_stdout(out), redirect_stderr(err):
            code = main(words)
        return _held(words, Done(out.getvalue(), err.getvalue(), code))

    def start(self, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Begin it in a process of its own, all of it in pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "flowsource", *words],
            env={**self.environ(), **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, given: str = "", environ: Mapping[str, str] | None = None) -> Done:
        """Do it in a process of its own, with `given` on standard input."""
        with self.start(*words, environ=environ) as process:
            out, err = process.communicate(given)
            return _held(words, Done(out, err, process.returncode))

    def environ(self) -> dict[str, str]:
        """What the environment of the command is."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWSOURCE_")}
        return {**kept, "FLOWSOURCE_HOME": str(self.home)}


def _held(words: Sequence[str], done: Done) -> Done:
    if "--json" in words:
        schemas.hold(words, done.out)
    return done
