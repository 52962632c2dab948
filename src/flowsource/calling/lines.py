"""What a flow logs when it is called directly, as lines on standard error with the name of the call."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from flowsource.calling.calls import Call, Lines, current_call
from flowsource.context import LOGGER_NAME
from flowsource.hooks import State, state_after

ENGINE = "flowsource.engine"


class LinesHere(Lines):
    """Tells of one call: that it began, and how it ended, around what it logs."""

    def __init__(self, call: Call, name: str) -> None:
        self._call, self.name = call, name

    def began(self) -> None:
        """Tell that the flow is called."""
        logger = logging.getLogger(ENGINE)
        logger.info("Created flow run %r for flow %r", self.name, self._call.flow.name)

    def ended(self, error: BaseException | None) -> None:
        """Tell how the call ended."""
        known: State | None = getattr(self._call, "state", None)
        state = known or state_after(error)
        level = logging.INFO if state.is_completed() else logging.ERROR
        logging.getLogger(LOGGER_NAME).log(level, "Finished in state %s", state)


def lines_of(call: Call) -> LinesHere:
    """The lines about `call`, which begin with this."""
    if isinstance(call.lines, LinesHere):
        return call.lines
    lines = LinesHere(call, _name_of(call))
    call.lines = lines
    lines.began()
    return lines


def show_lines_here() -> None:
    """Show records of runs on standard error, unless logging is set up."""
    for name in (LOGGER_NAME, ENGINE):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            handler = _StandardError()
            handler.setFormatter(_CallFormatter())
            logger.addHandler(handler)


class _StandardError(logging.StreamHandler[Any]):
    """Writes to whatever standard error is by then, and steps back where logging has been set up since."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """Where to."""
        return sys.stderr

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().hasHandlers():
            super().emit(record)


class _CallFormatter(logging.Formatter):
    """`16:40:34.048 | INFO    | Flow run 'muscular-perch' - Hello world!`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        call = current_call.get()
        if record.name != LOGGER_NAME:
            origin = f"{record.name} - "
        elif call is not None:
            origin = f"Flow run {lines_of(call).name!r} - "
        else:
            origin = ""
        text = f"{at}.{int(record.msecs):03d} | {record.levelname:<7} | {origin}{record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def _name_of(call: Call) -> str:
    name: str | None = getattr(call, "name", None)
    if name is None:
        from coolname import generate_slug

        name = generate_slug(2)
    return name
