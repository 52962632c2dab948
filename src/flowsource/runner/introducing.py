"""What a runner says of itself, so that people know which process on which host it is."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from importlib.metadata import version

from flowsource.store.values import RunnerInfo


def info_of_us(limit: int | None, *, now: datetime) -> RunnerInfo:
    """Of this process, which begins `now` and executes up to `limit` runs at once."""
    return RunnerInfo(
        host=socket.gethostname(), pid=os.getpid(), version=version("flowsource"), started_at=now, limit=limit
    )
