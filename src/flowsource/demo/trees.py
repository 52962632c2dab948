"""Where the trees of the demonstration's commits are: in the installed package, or in a checkout of the project."""

from __future__ import annotations

from pathlib import Path

from flowsource.demo.repository import steps

_INSTALLED = Path(__file__).parent / "commits"
_IN_A_CHECKOUT = Path(__file__).parents[3] / "fixtures" / "repos" / "demo"


def commit_trees() -> list[Path]:
    """The directories, one for each commit, in order."""
    return steps(_INSTALLED if _INSTALLED.is_dir() else _IN_A_CHECKOUT)
