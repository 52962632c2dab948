"""What a run's process is told to do, and how it answers.

It reads one order from the channel and answers with messages. For a run these are `log` for each record, `loaded`
right before the flow is called, `nested` for the flows that are called in it, then one `outcome`; for an inspection
`facts` or `rejected`; for hooks `log` and `hooked`. What the process prints goes through its file descriptors instead.
"""

from __future__ import annotations

import builtins
import contextlib
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from flowsource.context import LOGGER_NAME, enter_run_process
from flowsource.runner import frames
from flowsource.runner.child_calling import outcome_of_run
from flowsource.runner.child_hooks import call_back
from flowsource.runner.child_inspecting import inspected
from flowsource.runner.child_nesting import Send
from flowsource.runner.child_terminating import Termination
from flowsource.runner.modules import use_digest_loader
from flowsource.runner.protection import protect

_MAX_RECORD_CHARACTERS = 64 * 1024

# Whether what holds for everybody else, that a snapshot is only to be read, can be made to hold for root.
protects_snapshots = False


def main(channel: socket.socket, output: int) -> None:
    """Do what the order on `channel` says, and answer there. `output` is the pipe of what it prints."""
    order = frames.receive(channel)
    root = Path(order["root"])
    enter_run_process()
    if protects_snapshots and not order["is_mounted"]:
        protect(order["root"])
    os.chdir(order["directory"])
    if not order["is_mounted"]:
        # Processes that a flow starts import the snapshot the ordinary way; they must not write into it.
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    use_digest_loader(root, Path(order["bytecode"]) if order["bytecode"] else None)

    termination = Termination()
    send = _sender(channel, termination)
    if order["kind"] == "inspect":
        send(inspected(order))
        return
    _capture_logging(_ChannelHandler(send, output, bytes.fromhex(order["mark"])))
    if order["kind"] == "hook":
        call_back(order)
        send({"type": "hooked"})
    else:
        send({"type": "outcome", **outcome_of_run(order, send, termination, _prints_as_records)})
        termination.over()


def _sender(channel: socket.socket, termination: Termination) -> Send:
    owner, turn = os.getpid(), threading.RLock()

    def send(message: dict[str, Any]) -> None:
        if os.getpid() != owner:
            return  # A process that the flow forked has no say in how the run ends.
        # As a whole: what two threads wrote at once, or one that was interrupted, would be no message.
        # With the runner gone there is nobody to tell; the process is about to be killed with it.
        with termination.shield(), turn, contextlib.suppress(OSError):
            channel.sendall(frames.encode(message))

    return send


@contextlib.contextmanager
def _prints_as_records() -> Any:
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


class _ChannelHandler(logging.Handler):
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


def _capture_logging(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
