"""`flowsource runs rerun`: a new run that does what another did; or one for each that a query asks for."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flowsource.bulk import ended, rerun_runs
from flowsource.cli import exits
from flowsource.cli.given import Words, parameters_from
from flowsource.cli.json_shapes import run_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.several import DryRun, Yes, is_query, refuse_for_one
from flowsource.cli.several_runs import do_to_runs
from flowsource.errors import InvalidInput, RunNotFound
from flowsource.runner.requests import request_run
from flowsource.runner.rerunning import AtRevision
from flowsource.runner.rerunning import rerun as have_again
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.text import one_line


def rerun(
    run: Words,
    /,
    *,
    param: Annotated[tuple[str, ...], Parameter(name=["-p", "--param"], allow_leading_hyphen=True)] = (),
    params: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
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
    param
        A parameter as name=value, in the place of what the other had. The value is read as JSON unless the flow wants
        text.
    params
        Such parameters as a JSON object, as @FILE that holds one, or as - for standard input.
    at
        Which code: `active`, what the deployment serves when it begins, or `same`, the revision of the other, which is
        fetched again where it is not kept here any more.
    json
        Print the new run as JSON; with a query, how many were asked for.
    """

    is_changed = bool(param) or params is not None
    if is_changed and at == "same":
        raise InvalidInput(
            "-p: what serves now says which parameters there are; leave out --at same, or the parameters."
        )

    async def ask(store: Store) -> tuple[Run, Run] | None:
        try:
            before = await store.run(run)
        except RunNotFound:
            if is_query(run):
                return None
            raise
        refuse_for_one(dry_run=dry_run, yes=yes)
        if not is_changed:
            return before, await have_again(store, before, at=at)
        schema = (await store.deployment(before.deployment)).facts.parameter_schema
        values = {**before.parameters, **parameters_from(params, param, schema)}
        return before, await request_run(store, before.deployment, values, tags=before.tags)

    asked = with_store(ask)
    if asked is None and is_changed:
        raise InvalidInput("-p: it is for one run, and this is a query; leave it out.")
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
        how = " with other parameters" if is_changed else ""
        follow = f"flowsource logs {new.id} -f"
        say(f"Asked for {new.name}, which does again what {before.name} did{how}. Follow it:\n  {follow}")
        print(f"{one_line(new.name)}  {new.id}")
    return exits.OK
