"""Migrations: one step from one revision of the tables to the next, or to the one before."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from flowsource.store.schema import Lineage


def take_step(connection: Connection, lineage: Lineage, at: str, to: str) -> None:
    """Change the tables from revision `at` to `to`, which are neighbours, in the transaction that goes on."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _written(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(_written, lineage.places)))
    is_up = lineage.revisions.index(at) < lineage.revisions.index(to)
    (command.upgrade if is_up else command.downgrade)(config, to)


def _written(path: Path) -> str:
    return str(path).replace("%", "%%")
