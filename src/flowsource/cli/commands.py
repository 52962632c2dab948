"""Which commands there are. The module of each is imported when it is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App, CycloptsError

from flowsource.cli.groups import group
from flowsource.errors import InvalidInput


def commands() -> App:
    """All commands of `flowsource`, by name."""
    app = group("flowsource", "Push to Git; the next run uses it.")
    app.command("flowsource.cli.serve:serve", name="serve")
    app.command("flowsource.cli.dev:dev", name="dev")
    app.command("flowsource.cli.run:run", name="run")
    app.command("flowsource.cli.runs:runs", name="runs")
    app.command("flowsource.cli.logs:logs", name="logs")
    app.command("flowsource.cli.why:why", name="why")
    app.command("flowsource.cli.deployments:deployments", name="deployments")
    app.command("flowsource.cli.triggers:triggers", name="triggers")
    app.command("flowsource.cli.events:events", name="events")
    app.command("flowsource.cli.schedules:schedules", name="schedules")
    app.command("flowsource.cli.sources:source", name="source")
    app.command("flowsource.cli.runners:runners", name="runners")
    app.command("flowsource.cli.config:config", name="config")
    app.command("flowsource.cli.store:store", name="store")
    app.command("flowsource.cli.servers:server", name="server")
    app.command("flowsource.cli.server_tokens:tokens", name="tokens")
    app.command("flowsource.cli.dashboard:dashboard", name="dashboard")
    app.command("flowsource.cli.doctor:doctor", name="doctor")
    app.command("flowsource.cli.completion:completion", name="completion")
    app.command("flowsource.cli.demo:demo", name="demo")
    return app


def dispatch(words: Sequence[str]) -> int:
    """Call the command that `words` name and return its exit code; raises InvalidInput for what nobody understands."""
    app = commands()
    try:
        code = app(words)
    except CycloptsError as error:
        path, _, _ = app.parse_commands(words)
        said = " ".join(str(error).split()).rstrip(".")
        raise InvalidInput(f"{said}. See `{' '.join(('flowsource', *path, '--help'))}`.") from None
    # Help was shown instead.
    return 0 if code is None else int(code)
