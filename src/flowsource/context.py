"""What a flow can know about the run it is part of."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from flowsource.revisions import Revision

LOGGER_NAME = "flowsource.run"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The run that this process executes. `scratch` is a directory of its own, removed when the run ends."""

    id: UUID
    name: str
    deployment: str
    revision: Revision
    scheduled_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    scratch: Path


_current: RunContext | None = None
_is_run_process = False


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
    """The run that this process executes; None outside a run, as when a flow is called directly."""
    return _current


def get_run_logger() -> logging.Logger:
    """The logger whose records belong to the run; outside a run they go to standard error unless logging is set up."""
    logger = logging.getLogger(LOGGER_NAME)
    if _current is None and not logger.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)-7s | %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    return logger
