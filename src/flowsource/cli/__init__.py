"""The door in the terminal.

Standard output is data, standard error is talk. Nothing is imported here before it is known which command is wanted,
so that help and version are there at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says (that of this process, unless given) and return the exit code."""
    from flowsource.cli import exits

    words, is_debugging = _without_debug(sys.argv[1:] if arguments is None else arguments)
    try:
        _make_streams_patient()
        code = _answer(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python must not find that out once more when it leaves.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.NOBODY_READS
    except Exception as error:
        if is_debugging:
            raise
        return exits.report(error)


def _answer(words: Sequence[str]) -> int:
    if words in ([], ["--help"], ["-h"]):
        from flowsource.cli.front_page import FRONT_PAGE

        print(FRONT_PAGE)
        return 0
    if words == ["--version"]:
        import flowsource

        print(f"flowsource {flowsource.__version__}")
        return 0
    from flowsource.cli.commands import dispatch

    return dispatch(words)


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments without `--debug`, which may stand anywhere before `--`, and whether it was there."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"] + words[end:]
    return kept, len(kept) < len(words)


def _make_streams_patient() -> None:
    """What an old locale cannot show is written as an escape, instead of being an error."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
