"""Exit codes, all in this place, and the one line that an error becomes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowsource import errors
from flowsource.text import painted, printable

if TYPE_CHECKING:
    from flowsource.runs import RunState

OK = 0
RUN_FAILED = 1
CHECK_FAILED = 1
BAD_INPUT = 2
NOT_FOUND = 3
AUTHENTICATION = 4
UNAVAILABLE = 5
CONFLICT = 6
OUR_FAULT = 70
TIMED_OUT = 124
INTERRUPTED = 130
# As the shell tells of a program that SIGPIPE ended.
NOBODY_READS = 141

# The first that fits counts, so what is special stands before what is general.
_CODES: Mapping[type[errors.FlowsourceError], int] = {
    errors.InvalidInput: BAD_INPUT,
    errors.EntrypointError: BAD_INPUT,
    errors.NotFound: NOT_FOUND,
    errors.SourceMissing: NOT_FOUND,
    errors.RefNotFound: NOT_FOUND,
    errors.AuthenticationFailed: AUTHENTICATION,
    errors.NotAuthenticated: AUTHENTICATION,
    errors.NotAllowed: AUTHENTICATION,
    errors.SourceError: UNAVAILABLE,
    errors.StoreError: UNAVAILABLE,
    errors.InvalidTransition: CONFLICT,
    errors.Superseded: CONFLICT,
    errors.Outdated: CONFLICT,
    errors.InConflict: CONFLICT,
}


def code_for_error(error: Exception) -> int:
    """The exit code that tells of `error`."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), OUR_FAULT)


def code_for_state(state: RunState) -> int:
    """The exit code of a command that waited for a run, once the run is in this final state."""
    return {"completed": OK, "timed_out": TIMED_OUT}.get(state, RUN_FAILED)


def report(error: Exception) -> int:
    """Say on standard error what went wrong, and return the exit code for it."""
    code = code_for_error(error)
    text = str(error)
    if code == OUR_FAULT:
        text = f"{type(error).__name__}: {error}. This is a fault in flowsource; --debug shows where."
    say_error(text)
    return code


def say_error(text: str) -> None:
    """Say on standard error that something is wrong."""
    print(f"{painted('error:', '31', sys.stderr)} {printable(text)}", file=sys.stderr)
