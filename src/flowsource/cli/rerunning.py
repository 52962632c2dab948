"""`flowsource runs rerun`: a new run that does what another did."""

from __future__ import annotations

from flowsource.cli import exits
from flowsource.cli.json_shapes import run_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.runner.rerunning import AtRevision
from flowsource.runner.rerunning import rerun as have_again
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.text import one_line


def rerun(run: str, /, *, at: AtRevision = "active", json: bool = False) -> int:
    """Ask for a new run with the parameters and tags of another.

    Parameters
    ----------
    run
        The other: its id, a beginning of the id that no other run has, or its name (the newest of that name).
    at
        Which code: `active`, what the deployment serves when it begins, or `same`, the revision of the other, which is
        fetched again where it is not kept here any more.
    json
        Print the new run as JSON.
    """

    async def ask(store: Store) -> tuple[Run, Run]:
        before = await store.run(run)
        return before, await have_again(store, before, at=at)

    before, new = with_store(ask)
    if json:
        print_json(run_json(new))
    else:
        say(f"Asked for {new.name}, which does again what {before.name} did. Follow it:\n  flowsource logs {new.id} -f")
        print(f"{one_line(new.name)}  {new.id}")
    return exits.OK
