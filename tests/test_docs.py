"""The examples that people read are run: those in docstrings as they stand, those on pages as far as compiling them."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import flowsource

PACKAGE = Path(flowsource.__file__).parent
PROJECT = Path(__file__).parent.parent

FENCE = re.compile(r"^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


def _modules_with_examples() -> list[str]:
    files = (file for file in sorted(PACKAGE.rglob("*.py")) if "    >>> " in file.read_text(encoding="utf-8"))
    return [
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for file in files
    ]


def _pages() -> list[Path]:
    return [*sorted(PROJECT.glob("*.md")), *sorted(PROJECT.glob("docs/**/*.md"))]


def _blocks(page: str) -> list[tuple[int, str]]:
    """The Python on a page, each piece with the number of its first line."""
    return [(page.count("\n", 0, match.start("code")) + 1, match["code"]) for match in FENCE.finditer(page)]


@pytest.mark.parametrize("module", _modules_with_examples())
def test_examples_in_docstrings_are_true(module: str) -> None:
    result = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(PROJECT)))
def test_python_on_a_page_compiles(page: Path) -> None:
    for line, code in _blocks(page.read_text(encoding="utf-8")):
        # Blank lines in front, so that an error names the line of the page.
        compile("\n" * (line - 1) + code, str(page), "exec")


def test_the_readme_shows_python() -> None:
    assert _blocks((PROJECT / "README.md").read_text(encoding="utf-8"))
