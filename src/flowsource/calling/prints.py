"""Prints of a flow as log records."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from flowsource.calling.calls import current_call
from flowsource.context import get_run_logger

_lock = Lock()
_users = 0
_everywhere = False
_really_print = builtins.print


@contextmanager
def prints_as_records(*, everywhere: bool = False) -> Iterator[None]:
    """While open, what a call of a flow with `log_prints` prints to standard output makes records of its run.

    Other code of the process prints as ever, in this thread and in others; unless what is part of no call is to be
    logged `everywhere`, as in the process of a run, where threads know of no call.
    """
    global _users, _everywhere, _really_print
    with _lock:
        if _users == 0:
            _really_print, builtins.print = builtins.print, _print
        _users += 1
        _everywhere = _everywhere or everywhere
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                builtins.print, _everywhere = _really_print, False


def _print(*values: Any, sep: str | None = " ", file: Any = None, **others: Any) -> None:
    call = current_call.get()
    is_logged = _everywhere if call is None else call.logs_prints
    if is_logged and file in (None, sys.stdout):
        get_run_logger().info("%s", (" " if sep is None else sep).join(map(str, values)))
    else:
        _really_print(*values, sep=sep, file=file, **others)
