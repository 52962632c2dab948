"""`flowsource logs`: what a run wrote."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.following import follow_run, read_log, say_state, show_line
from flowsource.cli.json_shapes import line_json
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json_line, say
from flowsource.store.protocol import BEFORE_ALL, LogLine, Store


def logs(
    run: str, /, *, follow: Annotated[bool, Parameter(name=["--follow", "-f"])] = False, json: bool = False
) -> int:
    """What a run wrote and logged.

    Parameters
    ----------
    run
        Its id, a beginning of the id that no other run has, or its name (the newest of that name).
    follow
        Print lines as they come, until the run ends.
    json
        Print each line as a JSON object of its own.
    """

    def show_json(line: LogLine) -> None:
        print_json_line(line_json(line))

    async def read(store: Store) -> int:
        found = await store.run(run)
        show = show_json if json else show_line
        if follow:
            await follow_run(store, found, on_line=show, on_state=say_state)
        elif await read_log(store, found, show) == BEFORE_ALL:
            say(f"{found.name} has written nothing{'' if found.state.is_final else ' yet; -f waits for it'}.")
        return exits.OK

    return with_store(read)
