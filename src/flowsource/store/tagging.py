"""The tags of runs, kept once more so that runs are found by them."""

from __future__ import annotations

from sqlalchemy import Connection

from flowsource.runs import Run
from flowsource.store.tables import insert_unless_there, run_tags

# What is made visible in one may be another of the same run.


def keep(connection: Connection, run: Run) -> None:
    """Have `run`, which is new, found by its tags."""
    if run.tags:
        connection.execute(
            insert_unless_there(connection, run_tags), [{"run_id": run.id, "tag": tag} for tag in run.tags]
        )
