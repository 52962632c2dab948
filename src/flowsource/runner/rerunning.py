"""Having a run again: a new run that does what another did."""

from __future__ import annotations

from typing import Literal
from uuid import uuid4

from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.store.values import NewRun

AtRevision = Literal["active", "same"]


async def rerun(store: Store, run: Run, *, at: AtRevision = "active", idempotency_key: str | None = None) -> Run:
    """A new run with the parameters and tags of `run`, due now: at what serves by then, or at the `same` revision.

    Whether its parameters fit is for the flow to say, which may have changed. Where the revision is gone by then, the
    new run crashes and says so. Raises InConflict for one that went on inside another, or that has no revision yet.
    """
    now = store.now()
    new = NewRun(
        deployment_id=run.deployment_id,
        scheduled_at=now,
        rerun_of=run.id,
        at_same_revision=at == "same",
        # With one of its own it may be asked for again where the answer is lost.
        idempotency_key=idempotency_key or f"once {uuid4()}",
    )
    return await store.create_run(new, now=now)
