"""What a flow can know about the run it is part of."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from flowsource.calling.calls import current_call
from flowsource.errors import InvalidInput
from flowsource.events import Event
from flowsource.revisions import Revision

LOGGER_NAME = "flowsource.run"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The run that this process executes, or the flow that was called inside it and is going on.

    `flow` is the flow's name, `attempt` counts from 1. The flow is asked to end at `deadline`, where it has a timeout.
    `scratch` is a directory of its own, removed when the run ends. `parent_id` is the run that asked for this one, or
    called it. `fencing_token` grows whenever the run is claimed anew: who keeps the greatest that they saw, and refuses
    a smaller one, is safe from a run that was given up and goes on. `event` is what a trigger saw; None without one.
    """

    id: UUID
    name: str
    flow: str = ""
    deployment: str
    revision: Revision
    source: str = ""
    scheduled_at: datetime
    attempt: int = 1
    deadline: datetime | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    parent_id: UUID | None = None
    fencing_token: int = 0
    scratch: Path
    event: Event | None = None

    @property
    def ref(self) -> str | None:
        """The branch, tag or other name that the revision was found by."""
        return self.revision.ref


_current: RunContext | None = None
_is_run_process = False
_tags: ContextVar[tuple[str, ...]] = ContextVar("tags", default=())


def enter_run_process() -> None:
    """Say that this process was started to load a flow, for a run or for an inspection, and does nothing else."""
    global _is_run_process
    _is_run_process = True


def is_run_process() -> bool:
    """Whether this process was started to load a flow."""
    return _is_run_process


def enter_run(context: RunContext) -> None:
    """Make `context` the one of this process, which executes one run and no other."""
    global _current
    _current = context


def current_run() -> RunContext | None:
    """The run that this process executes, or the call inside it; None outside a run, as when a flow is called
    directly."""
    call = current_call.get()
    nested: RunContext | None = getattr(call, "context", None)
    return nested or _current


def process_run() -> RunContext | None:
    """The run that this process executes, whatever is called inside it."""
    return _current


@contextmanager
def tags(*names: str) -> Iterator[tuple[str, ...]]:
    """While open, runs that are asked for and flows that are called have these tags too; those of several add up.

    Raises InvalidInput for what is no tag.
    """
    for name in names:
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"tags: {name!r} is not a non-empty string; give each tag as text, as in tags('etl').")
    token = _tags.set(tuple(dict.fromkeys((*_tags.get(), *names))))
    try:
        yield _tags.get()
    finally:
        _tags.reset(token)


def current_tags() -> tuple[str, ...]:
    """What a run that is asked for here is tagged with by `tags(...)`."""
    return _tags.get()


def get_run_logger() -> logging.Logger:
    """The logger whose records belong to the run.

    Outside a run they go to standard error, each with the name of the call it is part of, unless logging is set up.
    """
    logger = logging.getLogger(LOGGER_NAME)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if _current is None and not logger.hasHandlers():
        from flowsource.calling.lines import show_lines_here

        show_lines_here()
    return logger
