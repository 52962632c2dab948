"""What a run's process is told to do, and how it answers.

It reads one order from the channel, with the desk at which a run may ask, and answers with messages. For a run these
are `loaded` right before the flow is called, `nested` for the flows that are called in it, `event` for what it tells,
then one `outcome`; for an inspection `facts` or `rejected`; for hooks `hooked`. What the process prints and logs goes
through its file descriptors instead.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Any

from flowsource.context import enter_run_process
from flowsource.runner import frames
from flowsource.runner.child.asking import ask_at
from flowsource.runner.child.calling import outcome_of_run
from flowsource.runner.child.emitting import tell_by
from flowsource.runner.child.hooks import call_back
from flowsource.runner.child.inspecting import inspected
from flowsource.runner.child.modules import use_digest_loader
from flowsource.runner.child.nesting import Send
from flowsource.runner.child.output import capture_output
from flowsource.runner.child.protection import protect
from flowsource.runner.child.terminating import Termination

# Whether what holds for everybody else, that a snapshot is only to be read, can be made to hold for root.
protects_snapshots = False


def main(channel: socket.socket, output: int) -> None:
    """Do what the order on `channel` says, and answer there. `output` is the pipe of what it prints."""
    order, descriptors = frames.receive_with_descriptors(channel)
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
    capture_output(output, bytes.fromhex(order["mark"]))
    for desk in descriptors:
        ask_at(socket.socket(fileno=desk))
    if order["kind"] == "hook":
        call_back(order)
        send({"type": "hooked"})
    else:
        tell_by(send)
        send({"type": "outcome", **outcome_of_run(order, send, termination)})
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
