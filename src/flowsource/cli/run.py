"""`flowsource run`: ask for a run, and watch it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, TextIO

import anyio
from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.following import LineShower, follow_run, say_state
from flowsource.cli.given import instant_from, parameters_from
from flowsource.cli.json_shapes import run_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.times import both
from flowsource.deployments import Deployment
from flowsource.errors import InvalidInput
from flowsource.runner.requests import request_run
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.text import one_line


def run(
    deployment: str,
    /,
    *,
    param: Annotated[tuple[str, ...], Parameter(name=["-p", "--param"], allow_leading_hyphen=True)] = (),
    params: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    watch: Annotated[bool, Parameter(name=["--watch", "-w"])] = False,
    name: str | None = None,
    tag: tuple[str, ...] = (),
    at: str | None = None,
    timeout: float | None = None,
    json: bool = False,
) -> int:
    """Ask for a run of a deployment.

    The server that serves the deployment executes it. With --watch the lines of its log come on standard output, its
    states on standard error, and the exit code is that of the run: 0 completed, 1 failed, 124 timed out.

    Parameters
    ----------
    deployment
        As flow/deployment, or the deployment's own name where only one has it.
    param
        A parameter as name=value, over those of the deployment. The value is read as JSON unless the flow wants text.
    params
        Parameters as a JSON object, as @FILE that holds one, or as - for standard input.
    watch
        Follow the run until it ends. Ctrl-C stops following, not the run.
    name
        What to call the run; else it gets a name of its own.
    tag
        A tag for the run; may be given again.
    at
        When it is due, as 2026-03-01T02:00 (on this machine's clock) or with an offset; else now.
    timeout
        With --watch: seconds to follow it at most. It goes on after that, and the exit code is 124.
    json
        Print the run as JSON: as it was asked for, or with --watch as it ended; its log goes to standard error then.
    """
    if timeout is not None and not watch:
        raise InvalidInput("--timeout: it limits how long --watch follows the run; give both.")
    if timeout is not None and not 0 <= timeout < float("inf"):
        raise InvalidInput(f"--timeout: {timeout} is not a time; give a number of seconds, 0 or more.")
    due_at = instant_from(at) if at is not None else None

    async def ask_and_watch(store: Store) -> int:
        known = await store.deployment(deployment)
        values = parameters_from(params, param, known.facts.parameter_schema)
        asked = await request_run(store, known.full_name, values, at=due_at, tags=tag, run_name=name)
        _say_asked(asked, known, is_watched=watch)
        if not watch:
            if json:
                print_json(run_json(asked))
            else:
                print(f"{one_line(asked.name)}  {asked.id}")
            return exits.OK
        ended = await _watch(store, asked, timeout=timeout, log_to=sys.stderr if json else sys.stdout)
        if json:
            print_json(run_json(ended))
        return exits.code_for_state(ended.state) if ended.state.is_final else exits.TIMED_OUT

    return with_store(ask_and_watch)


async def _watch(store: Store, run: Run, *, timeout: float | None, log_to: TextIO) -> Run:
    """The run as it ended, or as it is when the timeout has passed."""
    try:
        with anyio.move_on_after(timeout):
            return await follow_run(store, run, on_line=LineShower(log_to), on_state=say_state)
    except anyio.get_cancelled_exc_class():
        say(f"\nNot watching any more; {run.name} goes on. Follow it again:\n  {_follow_command(run)}")
        raise
    say(f"Not watching any more after {timeout:g} s; {run.name} goes on. Follow it again:\n  {_follow_command(run)}")
    return await store.run(str(run.id))


def _say_asked(run: Run, deployment: Deployment, *, is_watched: bool) -> None:
    now = datetime.now(UTC)
    due = f", due {both(run.scheduled_at, now=now)}" if run.scheduled_at > now else ""
    say(f"Asked for {run.name}, a run of {run.deployment}{due}.")
    if deployment.stopped:
        say("No server serves it now; it will wait for one.")
    if not is_watched:
        say(f"Follow it:\n  {_follow_command(run)}")


def _follow_command(run: Run) -> str:
    # By its id: a name may be anything, and the next run may have the same.
    return f"flowsource logs {run.id} -f"
