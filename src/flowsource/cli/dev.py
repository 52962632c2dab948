"""`flowsource dev`: serve what is being written, each run as it was saved last."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.dev_flows import place_of
from flowsource.cli.output import say
from flowsource.errors import EntrypointError, InvalidInput
from flowsource.runner.origin import Origin
from flowsource.runner.serving import RunnerDeployment, deployment_at, serve
from flowsource.sources.local import LocalStorage

_NAME = "dev"
_LOOK_EVERY = 0.25


def dev(
    path: Annotated[str, Parameter(name="PATH[:NAME]")], /, *, name: str = _NAME, no_dashboard: bool = False
) -> int:
    """Serve flows that you are writing: each run takes what was saved last, and an error is shown when it is saved.

    Until what is there loads, it waits for the next edit. Nothing has a schedule: ask for runs with `flowsource run`,
    or on the dashboard.

    Parameters
    ----------
    path
        A Python file, or a directory: all functions at the top of a file that @flow decorates are served. Behind a
        colon the name of the one that is meant; of a directory it is an entrypoint, as in flows:etl/load.py:load.
    name
        What to call the deployments, beside the names of their flows (dev).
    no_dashboard
        Have no dashboard on this machine.
    """
    place = Path(path.partition(":")[0]).expanduser()
    if not place.exists():
        raise InvalidInput(f"PATH: {str(place)!r} is not there; give a Python file or a directory.")
    watched = LocalStorage(place if place.is_dir() else place.absolute().parent)
    while True:
        seen = anyio.run(watched.resolve)
        try:
            serve(*_deployments(path, name), webserver=not no_dashboard)
        except EntrypointError as error:
            exits.say_error(str(error))
            say("Waiting for you to save a repair; Ctrl-C stops.")
        else:
            return exits.OK
        while anyio.run(watched.resolve) == seen:
            anyio.run(anyio.sleep, _LOOK_EVERY)
        say("Saved; looking at it again.")


def _deployments(path: str, name: str) -> list[RunnerDeployment]:
    top, entrypoints = place_of(path)
    source = LocalStorage(top)
    return [
        deployment_at(Origin(source=source, entrypoint=entrypoint, directory=Path.cwd()), name)
        for entrypoint in entrypoints
    ]
