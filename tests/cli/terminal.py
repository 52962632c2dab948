"""The command line as a terminal shows it."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from fcntl import ioctl

from tests.cli.calling import CommandLine
from tests.support.waiting import PATIENCE


def on_a_terminal(command_line: CommandLine, *words: str, columns: int = 80, **environ: str) -> str:
    """What the command shows on a terminal of that width."""
    kept = {name: value for name, value in command_line.environ().items() if name not in ("COLUMNS", "NO_COLOR")}
    program = [sys.executable, "-m", "flowsource", *words]
    return shown_by(program, {**kept, "TERM": "xterm", **environ}, columns=columns)


def shown_by(program: Sequence[str], environ: Mapping[str, str], *, columns: int) -> str:
    """What a program, which must end with 0, shows on a terminal of that width."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(program, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        assert process.wait(PATIENCE) == 0
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        # How Linux says that nobody has the other side open any more.
        return b""
