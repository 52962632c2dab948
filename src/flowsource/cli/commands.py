"""Which commands there are. The module of each is imported when it is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from flowsource.errors import InvalidInput


def dispatch(words: Sequence[str]) -> int:
    """Call the command that `words` name and return its exit code; raises InvalidInput for what nobody understands."""
    try:
        code = _app()(words)
    except CycloptsError as error:
        raise InvalidInput(f"{_first_paragraph(error)} {_advice(words)}") from None
    # Help was shown instead.
    return 0 if code is None else int(code)


def _app() -> App:
    app = _group("flowsource", "Push to Git; the next run uses it.")
    app.command("flowsource.cli.run:run", name="run")
    app.command("flowsource.cli.logs:logs", name="logs")
    app.command("flowsource.cli.demo:demo", name="demo")
    runs = _group("runs", "What has run, runs and will run.")
    runs.command("flowsource.cli.runs:ls", name="ls")
    runs.command("flowsource.cli.runs:show", name="show")
    deployments = _group("deployments", "What is served: flows with their schedules and revisions.")
    deployments.command("flowsource.cli.deployments:ls", name="ls")
    deployments.command("flowsource.cli.deployments:show", name="show")
    app.command(runs)
    app.command(deployments)
    return app


def _group(name: str, about: str) -> App:
    return App(
        name=name,
        help=about,
        help_format="plaintext",
        help_formatter="plain",
        version_flags=[],
        default_parameter=Parameter(negative=(), show_default=False),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )


def _first_paragraph(error: CycloptsError) -> str:
    text = str(error).strip().replace("\n", " ")
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _advice(words: Sequence[str]) -> str:
    # Only words that cannot be anybody's data are repeated.
    known = {"run", "runs", "logs", "deployments", "demo", "ls", "show"}
    path = []
    for word in words[:2]:
        if word not in known:
            break
        path.append(word)
    return f"See `{' '.join(['flowsource', *path, '--help'])}`."
