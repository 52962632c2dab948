"""What Git tells of its own processes in a trace (GIT_TRACE2_EVENT, see git-scm.com/docs/api-trace2)."""

from __future__ import annotations

import json


def processes_in(trace: str) -> int:
    """How many processes of Git began in that part of a trace, of which each line is an object, the last perhaps not
    whole."""
    return sum(_event(line) == "start" for line in trace.splitlines())


def _event(line: str) -> str:
    try:
        return str(json.loads(line).get("event"))
    except ValueError:
        return ""
