"""`flowsource completion`: what a shell needs to complete commands and options by itself."""

from __future__ import annotations

from typing import Literal

from flowsource.cli import exits


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print what completes commands and options in a shell, which then starts nothing of flowsource for it.

    For bash, keep it in ~/.local/share/bash-completion/completions/flowsource; for zsh as _flowsource in a directory of
    $fpath; for fish in ~/.config/fish/completions/flowsource.fish. Print it again after an update.

    Parameters
    ----------
    shell
        Which one: bash, zsh or fish.
    """
    # Here and not above: it is the list of commands that names this module.
    from flowsource.cli.commands import commands

    print(commands().generate_completion(shell=shell), end="")
    if shell == "zsh":
        # A file of $fpath is the body of its function, and what is generated only defines one of another name.
        print('\n_cyclopts_flowsource "$@"')
    return exits.OK
