"""`flowsource store status` and `downgrade`: where the memory is, and the version of its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flowsource.addresses import shown
from flowsource.cli.output import print_json
from flowsource.settings import Settings
from flowsource.store import open_database

if TYPE_CHECKING:
    from flowsource.store.schema import Lineage

Json = Annotated[bool, Parameter(help="Print it as JSON.")]
Version = Annotated[str, Parameter(help="One that `flowsource store status` names.")]


def status(*, json: Json = False) -> int:
    """Where the memory is, and whether it can be used; its tables are brought up to date on the way."""
    address = Settings.load().store
    database = open_database(address)
    database.close()
    _tell(address, database.lineage, database.lineage.newest, json=json)
    return 0


def downgrade(version: Version, /, *, json: Json = False) -> int:
    """Bring the tables back to an older version, for an older flowsource; stop every server before.

    Whatever of this flowsource opens it next brings it up again.
    """
    address = Settings.load().store
    database = open_database(address)
    try:
        database.downgrade(version)
    finally:
        database.close()
    _tell(address, database.lineage, version, json=json)
    return 0


def _tell(address: str, lineage: Lineage, version: str, *, json: bool) -> None:
    if json:
        print_json({"store": shown(address), "version": version, "known": list(lineage.revisions)})
    else:
        print(f"store    {shown(address)}\nversion  {version}\nknown    {', '.join(lineage.revisions)}")
