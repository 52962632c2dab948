"""What is told of how a flow ended, whatever it returned or raised: small, plain, and within a time."""

from __future__ import annotations

import json
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from flowsource.entrypoints import user_traceback
from flowsource.json_values import json_problems

MAX_RESULT_BYTES = 256 * 1024
MAX_MESSAGE_CHARACTERS = 16 * 1024
MAX_TRACEBACK_CHARACTERS = 128 * 1024
# How long an exception may take to say what it is.
PATIENCE_SECONDS = 1.0


class _TooSlow(BaseException):
    pass


def result_of(value: Any) -> dict[str, Any]:
    """`value` when it is JSON and small, else a note of its type and size."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    try:
        text = json.dumps(value, allow_nan=False)
        if len(text) > MAX_RESULT_BYTES:
            note = f"a result of type {kind} and {len(text):,} bytes was not kept: {MAX_RESULT_BYTES:,} are the most"
            return {"has_result": False, "result": note}
        if not json_problems({"result": value}) and json.loads(text) == value:
            return {"has_result": True, "result": value}
    except Exception:
        pass  # What is no JSON raises, and so may what says of itself that it is a dict.
    return {"has_result": False, "result": f"a result of type {kind} was not kept: it is not JSON"}


def failure_of(error: BaseException, root: Path, *, is_over: bool) -> dict[str, Any]:
    """What `error` is and says, and where it was raised in the user's own code under `root`.

    Where the flow of the process `is_over` that takes a bounded time; before, its timer and its signals are the user's.
    """
    kind = type(error).__name__
    say = _in_time if is_over else _anyhow
    message = say(lambda: str(error), "<its text {}>")
    details = say(
        lambda: user_traceback(error, root)[0],
        "".join(traceback.format_tb(error.__traceback__)).replace("{", "{{").replace("}", "}}") + f"{kind}: <{{}}>",
    )
    return failed(kind, message, details)


def failed(kind: str, message: str, details: str) -> dict[str, Any]:
    """A failure as it is told to the runner; long texts are cut."""
    return {
        "kind": kind,
        "message": _cut(message, MAX_MESSAGE_CHARACTERS),
        "traceback": _cut(details, MAX_TRACEBACK_CHARACTERS),
    }


def _anyhow(say: Callable[[], str], otherwise: str) -> str:
    """What `say` returns, or where that raises, `otherwise` with a word on how."""
    try:
        return str(say())
    except _TooSlow:
        return otherwise.format("took too long")
    except Exception as worse:
        return otherwise.format(f"raised {type(worse).__name__}")


def _in_time(say: Callable[[], str], otherwise: str) -> str:
    """As `_anyhow`, within a time, and even where `say` would leave the process. For the main thread."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    try:
        return _anyhow(say, otherwise)
    except BaseException as worse:  # How the flow ended is still to be told.
        return otherwise.format(f"raised {type(worse).__name__}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before if before is not None else signal.SIG_DFL)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    # How it begins tells where, how it ends tells what.
    half = most // 2
    return f"{text[:half]}\n... [{len(text) - 2 * half} characters more] ...\n{text[-half:]}"
