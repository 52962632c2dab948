"""What a run's process logs, sent to its runner in order with what it prints."""

from __future__ import annotations

import builtins
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from flowsource.context import LOGGER_NAME

_MAX_RECORD_CHARACTERS = 64 * 1024

Send = Callable[[dict[str, Any]], None]


@contextlib.contextmanager
def prints_as_records() -> Iterator[None]:
    """While open, `print` to standard output makes a record of the run."""
    logger, really_print = logging.getLogger(LOGGER_NAME), builtins.print

    def record(*values: Any, sep: str | None = " ", file: Any = None, **others: Any) -> None:
        if file in (None, sys.stdout):
            logger.info("%s", (" " if sep is None else sep).join(map(str, values)))
        else:
            really_print(*values, sep=sep, file=file, **others)

    builtins.print = record
    try:
        yield
    finally:
        builtins.print = really_print


class ChannelHandler(logging.Handler):
    """Sends each record to the runner, and marks its place among what is printed.

    The mark is written to the pipe itself: descriptor 1 may be anything by now.
    """

    def __init__(self, send: Send, output: int, mark: bytes) -> None:
        super().__init__()
        self._send, self._output, self._mark = send, output, mark
        self._owner = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            cut = text[:_MAX_RECORD_CHARACTERS]
            if len(text) > len(cut):
                cut += f" ... [{len(text) - len(cut)} characters more]"
            if os.getpid() != self._owner:
                # A process that the flow forked: what two wrote to the channel at once would be no message.
                sys.stderr.write(f"{record.levelname} {cut}\n")
                return
            self._send(
                {"type": "log", "at": record.created, "level": record.levelno, "logger": record.name, "text": cut}
            )
            os.write(self._output, self._mark)
        except Exception:
            self.handleError(record)


def capture_logging(handler: logging.Handler) -> None:
    """Have all records of this process handed to `handler`, from INFO on."""
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
