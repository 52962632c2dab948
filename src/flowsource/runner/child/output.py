"""What a run's process logs, put in order into what it prints."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import select
import sys

from flowsource.runner.child.records import told
from flowsource.runner.output.marks import marked

_STANDARD_ERROR, _STANDARD_OUTPUT = 2, 1


def capture_output(output: int, mark: bytes) -> None:
    """Have all that this process prints heard by its runner, its records from INFO on, and what a crash leaves.

    `output` is the pipe that standard output and error lead to.
    """
    root = logging.getLogger()
    root.handlers[:] = [OutputHandler(output, mark)]
    root.setLevel(logging.INFO)
    faulthandler.enable(_STANDARD_ERROR)


class OutputHandler(logging.Handler):
    """Writes each record into the pipe of what is printed, behind `mark`; see `marks`.

    It works the same in threads, and in processes that the flow forks.
    """

    def __init__(self, output: int, mark: bytes) -> None:
        super().__init__()
        self._output, self._mark = output, mark
        self._pipe = _file_of(output)

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`."""
        try:
            pieces = marked(told(record, self.format), self._mark)
            _flush()
            if (descriptor := self._descriptor()) is not None:
                for piece in pieces:
                    _write(descriptor, piece)
        except OSError:
            pass  # The runner is gone, and with it whoever could hear of that.
        except Exception:  # As every handler does: what is logged ends no flow.
            self.handleError(record)

    def _descriptor(self) -> int | None:
        """One that still leads to the pipe. A flow may close ours, and open a file of its own in its place."""
        for descriptor in (self._output, _STANDARD_ERROR, _STANDARD_OUTPUT):
            with contextlib.suppress(OSError):  # It is closed.
                if _file_of(descriptor) == self._pipe:
                    return descriptor
        return None


def _file_of(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _flush() -> None:
    """Have what was printed before stand before; the flow may have put anything in the place of a stream."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _write(descriptor: int, piece: bytes) -> None:
    while True:
        try:
            os.write(descriptor, piece)
            return
        except BlockingIOError:
            # Some programs that a flow starts make their standard output, which is ours too, one that does not wait.
            select.select([], [descriptor], [])
