"""What a run asks of its server while it goes on: each question in a conversation of its own.

The other end of that is handed in at a desk, of which all processes that a flow forks have the address. So they may ask
at once, from threads too, and none hears the answer to another.
"""

from __future__ import annotations

import socket
from typing import Any

from flowsource.runner import frames

_desk: socket.socket | None = None


def ask_at(desk: socket.socket) -> None:
    """Have what this process asks, and those that it forks, handed in at `desk`."""
    global _desk
    _desk = desk


def begin_to_ask() -> socket.socket | None:
    """A new conversation, to be closed; None where nobody answers. It ends when who asks, or who answers, is gone."""
    if _desk is None:
        return None
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            socket.send_fds(_desk, [b"?"], [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
    return ours


def ask(conversation: socket.socket, question: dict[str, Any]) -> dict[str, Any]:
    """The answer to `question`, waiting for it; raises EOFError or OSError when nobody is there to give one."""
    conversation.sendall(frames.encode(question))
    return frames.receive(conversation)
