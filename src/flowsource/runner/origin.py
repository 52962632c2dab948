"""Where the code of a flow object lives, so that a run can load it anew."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowsource.errors import InvalidDeployment
from flowsource.flows import Flow
from flowsource.sourced import SourcedFlow
from flowsource.sources.base import Source
from flowsource.sources.local import LocalStorage
from flowsource.watch.latest import Latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A source and an entrypoint in it. `found` is a snapshot that is known already; runs start in `directory`."""

    source: Source
    entrypoint: str
    found: Latest | None = None
    directory: Path | None = None


def origin_of(flow: Flow[..., Any]) -> Origin:
    """Where `flow` is from: its source, or the file that defines it; raises InvalidDeployment when a run could not
    load it from there."""
    if isinstance(flow, SourcedFlow):
        return Origin(source=flow.source, entrypoint=flow.entrypoint.text, found=flow.found)
    if flow.is_bound:
        raise InvalidDeployment(f"{flow!r}: a method of an instance cannot be served yet; serve a function instead.")
    function = inspect.unwrap(flow.fn)
    file = _file_of(function)
    if file is None:
        raise InvalidDeployment(
            f"{flow!r} is defined in no file, so that a run could not load it; put it into a file and serve that."
        )
    path = _path_to(flow, function)
    if path is None:
        raise InvalidDeployment(
            f"{flow!r} is defined inside a function, so that a run could not load it; move it to the top of its module."
        )
    top = _import_root(file)
    return Origin(
        source=LocalStorage(top, modules_only=True),
        entrypoint=f"{file.relative_to(top).as_posix()}:{path}",
        directory=Path.cwd(),
    )


def _file_of(function: Any) -> Path | None:
    try:
        name = inspect.getsourcefile(function if inspect.isroutine(function) else type(function))
    except TypeError:
        return None
    path = Path(name).resolve() if name else None
    return path if path is not None and path.is_file() else None


def _path_to(flow: Flow[..., Any], function: Any) -> str | None:
    """The name under which the module holds this very flow, else the dotted name of its function."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    held = [name for name, value in vars(module).items() if value is flow] if module is not None else []
    if held:
        return held[0]
    path = getattr(function, "__qualname__", None)
    return None if path is None or "<" in path else str(path)


def _import_root(file: Path) -> Path:
    """The directory that `file` is imported from: its own, or the one above its topmost package."""
    top = file.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    return top
