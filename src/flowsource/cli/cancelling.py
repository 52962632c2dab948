"""`flowsource runs cancel`: ask a run to end, and see it end; or all that a query asks for."""

from __future__ import annotations

import sys

import anyio

from flowsource.bulk import cancel_runs, unfinished
from flowsource.cli import exits
from flowsource.cli.following import say_state
from flowsource.cli.given import Words
from flowsource.cli.json_shapes import run_json
from flowsource.cli.life import phases_text
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.people import By, Reason, author
from flowsource.cli.several import DryRun, Yes, is_query, refuse_for_one
from flowsource.cli.several_runs import do_to_runs
from flowsource.errors import InConflict, InvalidInput, RunNotFound
from flowsource.runner.requests import LOOK_EVERY
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import about


def cancel(
    run: Words,
    /,
    *,
    reason: Reason = None,
    by: By = None,
    wait: bool = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: bool = False,
) -> int:
    """Ask a run to end, with all its processes; or all runs that a query asks for.

    One that waits is cancelled at once. One that goes on is asked to end by its server, and made to after the grace of
    its deployment. On a terminal, or with --wait, that is followed to its end; Ctrl-C ends the following alone. The
    exit code is 0 once the run is cancelled (or asked to end, where that is not followed), 6 where it ended otherwise.

    Parameters
    ----------
    run
        Its id, a beginning of the id that no other run has, its name (the newest of that name), or a query such as
        'state:running tag:etl'.
    wait
        Follow it until it has ended, also where no terminal is.
    json
        Print the run as JSON; with a query, how many were cancelled.
    """
    who = author(by, reason)

    async def ask(store: Store) -> Run | None:
        try:
            found = await store.run(run)
        except RunNotFound:
            if is_query(run):
                return None
            raise
        refuse_for_one(dry_run=dry_run, yes=yes)
        if found.state.is_final and found.state is not RunState.CANCELLED:
            raise _ended_otherwise(found)
        asked = await store.ask_cancel(found.id, who, now=store.now())
        return await _follow(store, asked) if wait or sys.stdout.isatty() else asked

    after = with_store(ask)
    if after is None:
        if wait:
            raise InvalidInput("--wait: it follows one run, and this is a query; leave it out.")
        return do_to_runs(
            run,
            "cancel",
            unfinished,
            lambda store, query: cancel_runs(store, query, who, now=store.now),
            nothing="No run that has not ended is like that.",
            dry_run=dry_run,
            yes=yes,
            json=json,
        )
    if json:
        print_json(run_json(after))
    if after.state.is_final and after.state is not RunState.CANCELLED:
        raise _ended_otherwise(after)
    if not json:
        said = "is cancelled" if after.state.is_final else "is asked to end; --wait follows it"
        say(f"{after.name} {said}.")
    return exits.OK


async def _follow(store: Store, run: Run) -> Run:
    """The run once it has ended; each phase of its end is said when it is seen."""
    told = 0
    try:
        async with store.changes(about(run.id)) as ear:
            while True:
                run = await store.run(str(run.id))
                phases = phases_text(run.cancellation) if run.cancellation is not None else []
                for phase in phases[told:]:
                    say(phase)
                told = len(phases)
                if run.state.is_final:
                    say_state(run)
                    return run
                await ear.wait(LOOK_EVERY)
    except anyio.get_cancelled_exc_class():
        say(f"\nNot following any more; {run.name} is still asked to end.")
        raise


def _ended_otherwise(run: Run) -> InConflict:
    how = run.state.replace("_", " ")
    why = f" ({run.failure.message})" if run.failure is not None else ""
    return InConflict(f"{run.name} was not cancelled: it is {how}{why}. `flowsource runs show {run.id}` tells more.")
