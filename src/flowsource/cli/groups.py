"""Groups of commands, and how their help looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App, Parameter
from cyclopts.help import HelpPanel
from cyclopts.help.formatters import DefaultFormatter

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions


def group(name: str, about: str) -> App:
    """A group of commands. Calling it returns what the command returns, and raises what it raises."""
    return App(
        name=name,
        help=about,
        help_format="markdown",
        help_formatter=_PlainHelp(),
        version_flags=[],
        default_parameter=Parameter(negative=(), show_default=False),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )


class _PlainHelp(DefaultFormatter):
    """Two columns under a heading, without the frames."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one group of entries."""
        from cyclopts.help.specs import (
            DefaultStyled,
            TableSpec,
            get_default_command_columns,
            get_default_parameter_columns,
        )
        from rich.padding import Padding

        if panel.entries:
            columns_for = get_default_command_columns if panel.format == "command" else get_default_parameter_columns
            # Before the name and the description there may be a column of its own for what is required.
            columns = columns_for(console, options, panel.entries)[-2:]
            console.print(f"{panel.title}:", style="bold")
            console.print(DefaultStyled(Padding(TableSpec().build(columns, panel.entries), (0, 0, 1, 2))))
