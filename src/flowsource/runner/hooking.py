"""Hooks of a flow: called in a process of their own, with a time limit, and without a say in how the run ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio

from flowsource.errors import FlowsourceError
from flowsource.runner.conversation import converse
from flowsource.runner.desk import Answer
from flowsource.runner.output.listening import OnMessage, OnOutput, Room
from flowsource.runner.processes.starter import Starter

HOOK_TIME = timedelta(seconds=60)
# Hooks hold no slot of a run: a slow one must not keep the next run waiting. So they have a limit of their own.
HOOKS_AT_ONCE = 8


async def call_hooks(
    server: Starter,
    order: dict[str, Any],
    *,
    on_output: OnOutput,
    on_message: OnMessage,
    until_room: Room,
    on_ask: Answer,
    say: Callable[[int, str], None],
    within: timedelta = HOOK_TIME,
) -> None:
    """Have the hooks called that `order` names; what stands in their way is told by `say`, with a level of logging.

    They are ended when they are not done `within` that time, and `on_ask` answers what they ask. Cancelled, it ends
    their process.
    """
    hook, is_done = order["hook"], False

    def hear(message: dict[str, Any]) -> None:
        nonlocal is_done
        if message["type"] == "hooked":
            is_done = True
        elif message["type"] == "log":
            on_message(message)

    try:
        with anyio.move_on_after(within.total_seconds()) as limit:
            await converse(server, order, on_output=on_output, on_message=hear, until_room=until_room, on_ask=on_ask)
    except FlowsourceError as error:
        say(logging.ERROR, f"The {hook} hooks could not be called: {error}")
        return
    if limit.cancelled_caught:
        say(logging.ERROR, f"The {hook} hooks were ended: they took longer than {within.total_seconds():g} s.")
    elif not is_done:
        say(logging.ERROR, f"The process that called the {hook} hooks ended before they were all called.")
