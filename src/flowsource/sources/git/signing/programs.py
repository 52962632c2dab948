"""Programs that are asked for an answer: with an input, without a terminal, and not for long."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flowsource.errors import SourceInvalid, SourceUnavailable

_LONGEST: Final = 30.0


@contextmanager
def private_directory() -> Iterator[Path]:
    """A new directory that nobody else can look into, gone afterwards with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="flowsource-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def ask(
    arguments: Sequence[str | os.PathLike[str]], *, home: Path, package: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """What a program answers to `given`, with `home` for all that it would look for or leave behind.

    Raises SourceInvalid naming the `package` of one that is not installed, SourceUnavailable for one that hangs.
    """
    name = os.fspath(arguments[0])
    program = shutil.which(name)
    if program is None:
        raise SourceInvalid(f"verify: the program {name} is not installed; install the package {package}.")
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C"}
    try:
        return subprocess.run(
            [program, *arguments[1:]],
            input=given,
            capture_output=True,
            timeout=_LONGEST,
            env=environment,
            cwd=home,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceUnavailable(f"verify: {name} did not answer within {_LONGEST:g} s.") from None
