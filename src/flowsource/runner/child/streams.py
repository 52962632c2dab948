"""The standard streams of a run's process, of which what was written is there even if the process is not any more."""

from __future__ import annotations

import atexit
import ctypes
import io
import sys

_LINE_BUFFERED = 1


class EagerStream(io.TextIOWrapper):
    """Passes on each line as soon as it is whole, and what was printed without a line end at once."""

    def write(self, text: str, /) -> int:
        """Write `text`."""
        written = super().write(text)
        if not text:
            # What `print(..., end="")` writes in the end: no line end is to be waited for.
            self.flush()
        return written


def open_streams() -> None:
    """Make standard output and error anew on their descriptors; text that is no Unicode is shown as escapes."""
    sys.stdout = sys.__stdout__ = _text_to(1)  # type: ignore[misc]  # `__stdout__` is final, but not here
    sys.stderr = sys.__stderr__ = _text_to(2)  # type: ignore[misc]


def share_lines_of_c() -> None:
    """Have code in C show each of its lines at once too, where it would fill a buffer first; and all in the end."""
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, _LINE_BUFFERED, 0)
    atexit.register(libc.fflush, None)


def _text_to(descriptor: int) -> EagerStream:
    raw = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
    return EagerStream(raw, "utf-8", "backslashreplace", line_buffering=True)
