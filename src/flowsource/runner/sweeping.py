"""What killed servers left of the places where their runs worked."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import anyio.to_thread

from flowsource.errors import NotFound, RunNotFound
from flowsource.store.protocol import Store

# Hooks are called after the end of a run, and may use what is there.
_LEFT_FOR = timedelta(hours=1)


async def sweep_workplaces(store: Store, scratch: Path, *, now: datetime) -> None:
    """Remove the directories below `scratch` of runs that ended long ago, or that nobody knows."""
    for name in await anyio.to_thread.run_sync(_names_in, scratch):
        # Named by the run, and by the claim of it.
        run_id = _run_in(name)
        if run_id is not None and await _is_over(store, run_id, now=now):
            await anyio.to_thread.run_sync(lambda left: shutil.rmtree(left, ignore_errors=True), scratch / name)


async def _is_over(store: Store, run_id: UUID, *, now: datetime) -> bool:
    try:
        run = await store.run(str(run_id))
    except RunNotFound:
        return True
    except NotFound:
        return False  # It is there, and not for us to know: somebody else here serves with another token.
    return run.state.is_final and run.changed_at < now - _LEFT_FOR


def _names_in(directory: Path) -> list[str]:
    return os.listdir(directory) if directory.is_dir() else []


def _run_in(name: str) -> UUID | None:
    try:
        return UUID(name[:36])
    except ValueError:
        return None
