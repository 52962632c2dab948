"""`flowsource runs rerun`: a new run that does what another did; or one for each that a query asks for."""

from __future__ import annotations

from flowsource.bulk import ended, rerun_runs
from flowsource.cli import exits
from flowsource.cli.given import Words
from flowsource.cli.json_shapes import run_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.several import DryRun, Yes, is_query, refuse_for_one
from flowsource.cli.several_runs import do_to_runs
from flowsource.errors import RunNotFound
from flowsource.runner.rerunning import AtRevision
from flowsource.runner.rerunning import rerun as have_again
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.text import one_line


def rerun(
    run: Words,
    /,
    *,
    at: AtRevision = "active",
    dry_run: DryRun = False,
    yes: Yes = False,
    json: bool = False,
) -> int:
    """Ask for a new run with the parameters and tags of another; or for one for each that a query asks for.

    Parameters
    ----------
    run
        The other: its id, a beginning of the id that no other run has, its name (the newest of that name), or a query
        such as 'state:failed after:2d', of which those that have ended are done again.
    at
        Which code: `active`, what the deployment serves when it begins, or `same`, the revision of the other, which is
        fetched again where it is not kept here any more.
    json
        Print the new run as JSON; with a query, how many were asked for.
    """

    async def ask(store: Store) -> tuple[Run, Run] | None:
        try:
            before = await store.run(run)
        except RunNotFound:
            if is_query(run):
                return None
            raise
        refuse_for_one(dry_run=dry_run, yes=yes)
        return before, await have_again(store, before, at=at)

    asked = with_store(ask)
    if asked is None:
        return do_to_runs(
            run,
            "do again",
            ended,
            lambda store, query: rerun_runs(store, query, at_same_revision=at == "same", now=store.now),
            nothing="No run that has ended is like that.",
            dry_run=dry_run,
            yes=yes,
            json=json,
        )
    before, new = asked
    if json:
        print_json(run_json(new))
    else:
        say(f"Asked for {new.name}, which does again what {before.name} did. Follow it:\n  flowsource logs {new.id} -f")
        print(f"{one_line(new.name)}  {new.id}")
    return exits.OK
