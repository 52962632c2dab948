"""Prints of a flow as log records."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from flowsource.calls import current_call
from flowsource.context import get_run_logger

_lock = Lock()
_users = 0
_really_print = builtins.print


@contextmanager
def prints_as_records() -> Iterator[None]:
    """While open, what a call of a flow with `log_prints` prints to standard output makes records of its run.

    Other code of the process prints as ever, in this thread and in others.
    """
    global _users, _really_print
    with _lock:
        if _users == 0:
            _really_print, builtins.print = builtins.print, _print
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                builtins.print = _really_print


def _print(*values: Any, sep: str | None = " ", file: Any = None, **others: Any) -> None:
    call = current_call.get()
    if call is not None and call.flow.log_prints and file in (None, sys.stdout):
        get_run_logger().info("%s", (" " if sep is None else sep).join(map(str, values)))
    else:
        _really_print(*values, sep=sep, file=file, **others)
