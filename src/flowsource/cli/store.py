"""`flowsource store`: the memory itself, and the version of its tables."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flowsource.addresses import shown
from flowsource.cli.groups import group
from flowsource.cli.output import print_json, say
from flowsource.settings import Settings
from flowsource.store import open_database

store = group("store", "The memory: where it is, and the version of its tables.")

Json = Annotated[bool, Parameter(help="Print it as JSON.")]
Version = Annotated[str, Parameter(help="One that `flowsource store status` names.")]


@store.command
def status(*, json: Json = False) -> int:
    """Where the memory is, and whether it can be used; its tables are brought up to date on the way."""
    address = Settings.load().store
    database = open_database(address)
    database.close()
    known = database.lineage.revisions
    if json:
        print_json({"store": shown(address), "version": known[-1], "known": list(known)})
    else:
        print(f"store    {shown(address)}\nversion  {known[-1]}\nknown    {', '.join(known)}")
    return 0


@store.command
def downgrade(version: Version, /) -> int:
    """Bring the tables back to an older version, for an older flowsource; stop every server before."""
    address = Settings.load().store
    database = open_database(address)
    try:
        database.downgrade(version)
    finally:
        database.close()
    say(f"{shown(address)} is of version {version} now. Whatever of this flowsource opens it brings it up again.")
    return 0
