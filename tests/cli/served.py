"""`flowsource` as a process that goes on, such as one that serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.serving import ServingScript, started


@contextmanager
def going_on(directory: Path, home: Path, *words: str) -> Iterator[ServingScript]:
    """The command of these words, in `directory`; it is stopped with the context, and must end with 0 then."""
    script = directory.parent / f"{directory.name}-command" / "command.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        "import os, sys\nfrom flowsource.cli import main\n"
        f"os.chdir({str(directory)!r})\nsys.exit(main({list(words)!r}))\n"
    )
    with started(script, home) as process:
        yield process
        if process.process.poll() is None:
            assert process.stop() == 0, process.output
