"""Which flows there are in files, told from their text alone: nothing is imported for it."""

from __future__ import annotations

import ast
from pathlib import Path

from flowsource.entrypoints import parse
from flowsource.errors import EntrypointLoadFailed, EntrypointNotFound, InvalidInput
from flowsource.sources.local_scan import scan

# The decorator, however it was imported.
_FLOW = "flow"


def place_of(given: str) -> tuple[Path, list[str]]:
    """The directory that PATH[:NAME] is about, and the entrypoints in it that are meant.

    A directory stands for all flows in it, or for the one that NAME is the entrypoint of; a file for all of its own, or
    for the one of that NAME. Raises InvalidInput, EntrypointLoadFailed for a file that is no Python now, or
    EntrypointNotFound where there is no flow.
    """
    place, _, name = given.partition(":")
    path = Path(place).expanduser()
    if path.is_dir():
        entrypoints = [parse(name).text] if name else _flows_below(path)
        if not entrypoints:
            raise EntrypointNotFound(given, str(path), [])
        return path, entrypoints
    if not path.is_file() or path.suffix != ".py":
        raise InvalidInput(f"PATH: {str(path)!r} is neither a directory nor a Python file; give one of them.")
    top = _import_root(path)
    file = path.absolute().relative_to(top).as_posix()
    names = [name] if name else flows_in(path.read_bytes(), file)
    if not names:
        raise EntrypointNotFound(given, file, [])
    return top, [parse(f"{file}:{each}").text for each in names]


def flows_in(text: bytes, file: str) -> list[str]:
    """The names of the functions at the top of a module that `@flow` decorates, in their order.

    Raises EntrypointLoadFailed where the text is no Python; `file` is what to call it.

    >>> flows_in(b"@flow(retries=2)\\nasync def load(): ...", "etl.py")
    ['load']
    """
    try:
        tree = ast.parse(text, file)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        shown = (error.text or "").strip() if isinstance(error, SyntaxError) else ""
        raise EntrypointLoadFailed(file, f"{type(error).__name__}: {said} ({file}{line})", f"    {shown}") from None
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node.name for node in functions if any(map(_is_flow, node.decorator_list))]


def _is_flow(decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", None)) == _FLOW


def _flows_below(directory: Path) -> list[str]:
    files = sorted(path for path in scan(directory.resolve()).paths if path.endswith(".py"))
    return [f"{file}:{name}" for file in files for name in flows_in((directory / file).read_bytes(), file)]


def _import_root(file: Path) -> Path:
    """The directory that `file` is imported from: its own, or the one above its topmost package."""
    top = file.absolute().parent
    while (top / "__init__.py").is_file():
        top = top.parent
    return top
