"""What completes commands and options in a shell, without a Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowsource.cli.commands import commands
from tests.cli.calling import CommandLine
from tests.support.parts import requires


def completed(script: str, directory: Path, *words: str) -> list[str]:
    """What bash offers for the last of `words`; no program can be found while it does."""
    requires("bash")
    file = directory / "completion"
    file.write_text(script)
    said = " ".join(f"'{word}'" for word in words)
    ask = f"source {file}; PATH=/nowhere; COMP_WORDS=({said}); COMP_CWORD={len(words) - 1}; _flowsource"
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{ask}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["flowsource", "dep"], ["deployments"]),
        (["flowsource", "runs", "re"], ["rerun"]),
        (["flowsource", "server", "token", "rev"], ["revoke"]),
        (["flowsource", "deployments", "delete", "--dr"], ["--dry-run"]),
        (["flowsource", "serve", "--tag-"], ["--tag-ref"]),
        (["flowsource", "completion", ""], ["bash", "fish", "zsh"]),
    ],
)
def test_bash_completes_commands_and_options(
    alone: CommandLine, tmp_path: Path, words: list[str], offered: list[str]
) -> None:
    assert sorted(completed(alone("completion", "bash").out, tmp_path, *words)) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_of_every_command(alone: CommandLine, shell: str) -> None:
    done = alone("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert [name for name in commands() if not name.startswith("-") and name not in done.out] == []


def test_a_shell_that_is_not_known_is_refused(alone: CommandLine) -> None:
    assert alone("completion", "tcsh").code == 2
