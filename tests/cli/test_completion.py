"""What completes commands and options in a shell, without a Python."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
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


def typed_in_zsh(script: str, directory: Path, line: str) -> Iterator[str]:
    """What zsh shows, more and more of it, when Tab is pressed behind `line`."""
    requires("zsh")
    (directory / "_flowsource").write_text(script)
    given = {"PATH": os.environ["PATH"], "HOME": str(directory), "TERM": "xterm", "PS1": "READY> "}
    ours, theirs = pty.openpty()
    with subprocess.Popen(["zsh", "-f", "-i"], env=given, stdin=theirs, stdout=theirs, stderr=theirs) as shell:
        os.close(theirs)
        shown = b""
        try:
            for typed in (
                f"fpath=({directory} $fpath); autoload -U compinit; compinit -u -D; PS1='NOW> '\n",
                f"{line}\t",
            ):
                awaited = b"READY> " if not shown else b"NOW> \x1b"
                while awaited not in shown:
                    shown += os.read(ours, 65536)
                os.write(ours, typed.encode())
            while True:
                shown += os.read(ours, 65536)
                yield shown.decode()
        finally:
            shell.kill()
            os.close(ours)


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("flowsource runs rer", "flowsource runs rerun"),
        ("flowsource server token rev", "flowsource server token revoke"),
        ("flowsource deployments delete --dr", "--dry-run  -- Show what would go, and remove nothing."),
    ],
)
def test_zsh_completes_commands_and_options(alone: CommandLine, tmp_path: Path, line: str, completed: str) -> None:
    assert any(completed in shown for shown in typed_in_zsh(alone("completion", "zsh").out, tmp_path, line))


def test_fish_completes_commands_and_options(alone: CommandLine, tmp_path: Path) -> None:
    requires("fish")
    script = tmp_path / "flowsource.fish"
    script.write_text(alone("completion", "fish").out)
    lines = ("runs rer", "server token rev", "deployments delete --dr")
    asks = "; ".join(f"complete -C 'flowsource {line}'" for line in lines)
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; {asks}"], env=given, capture_output=True, text=True, check=True
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["rerun", "revoke", "--dry-run"]


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
