"""`flowsource demo`: see it work."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from flowsource.cli import exits
from flowsource.cli.output import Cell, print_table, say
from flowsource.demo.serving import DemoFailed
from flowsource.demo.stage import Stage, stage
from flowsource.demo.story import DEPLOYMENT, Story
from flowsource.logins import local_link
from flowsource.runner.announcing import dashboards
from flowsource.runs import Run
from flowsource.settings import Settings
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.text import revision_text


def demo(*, keep: bool = False) -> int:
    """See it work: a repository, pushes and runs, in a few seconds.

    Makes a Git repository in a temporary directory, serves a flow from it over HTTP on this machine, asks for runs,
    pushes a change, a commit that does not load, and its repair; then shows which commit each run used.

    Nothing else on this machine is touched, and nothing is left behind.

    Parameters
    ----------
    keep
        Go on serving afterwards, until Ctrl-C.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with stage() as here:
        try:
            return anyio.run(_demonstrate, here, keep)
        except DemoFailed as failed:
            exits.say_error(f"{failed}. The last that the serving process said:\n{here.serving.last_lines()}")
            return exits.RUN_FAILED
        finally:
            # Impatience would only leave half of it behind.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)


async def _demonstrate(here: Stage, keep: bool) -> int:
    async with open_store(Settings.load().store) as store:
        story = Story(here, store, tell=say)
        await story.play()
        _print_runs(story.runs)
        if keep:
            await _keep_serving(here, store)
        else:
            say(f"\nNothing is left of it. To try it by hand: {_command()} demo --keep")
    return exits.OK


def _print_runs(runs: Sequence[Run]) -> None:
    say("")
    rows = [
        [Cell(run.name, "1"), Cell(revision_text(run.revision) if run.revision else "-"), Cell(str(run.result))]
        for run in runs
    ]
    print_table(("RUN", "COMMIT", "OUTPUT"), rows)
    sys.stdout.flush()


def _command() -> str:
    """How this command was called, which need not be on the PATH."""
    return sys.argv[0] if Path(sys.argv[0]).name == "flowsource" else "flowsource"


async def _keep_serving(here: Stage, store: Store) -> None:
    """Wait for Ctrl-C, which is the good end here; raises DemoFailed when the serving process ends before it."""
    command = _command()
    say("\nIt goes on serving. Ctrl-C ends it and removes everything. Meanwhile, in a browser:")
    for url in dashboards(Settings.load().signs)[:1]:
        say(f"  {url}{await local_link(store)}    # once; `{command} dashboard` makes another")
    say("or in another terminal:")
    say(f"  export FLOWSOURCE_HOME={here.home}")
    say(f"  {command} runs ls")
    say(f"  {command} run {DEPLOYMENT} -p name=you --watch")
    say(f"  {command} run {DEPLOYMENT} -p seconds=600 --name long && {command} runs cancel long")
    say(f"  {command} deployments pause {DEPLOYMENT}")
    say(f"  git clone {here.url}    # change flows.py, commit, push")
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        while True:
            here.serving.check()
            with anyio.move_on_after(1):
                async for _ in signals:
                    return
