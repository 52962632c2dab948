"""Where the code of a flow object lives, so that a run can load it anew."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowsource.entrypoints import flow_at
from flowsource.errors import InvalidDeployment
from flowsource.flows import Flow
from flowsource.runner.instances import keep_instance
from flowsource.settings import Settings
from flowsource.sourced import SourcedFlow
from flowsource.sources.base import Source
from flowsource.sources.local import LocalStorage
from flowsource.watch.latest import Latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A source and an entrypoint in it. `found` is a snapshot that is known already; runs start in `directory`.

    `instance` is the file with the object whose method the flow is.
    """

    source: Source
    entrypoint: str
    found: Latest | None = None
    directory: Path | None = None
    instance: Path | None = None


def origin_of(flow: Flow[..., Any]) -> Origin:
    """Where `flow` is from: its source, or the file that defines it; raises InvalidDeployment when a run could not
    load it from there."""
    if isinstance(flow, SourcedFlow):
        return Origin(source=flow.source, entrypoint=flow.entrypoint.text, found=flow.found)
    owner = _owner_of(flow)
    function = inspect.unwrap(owner or flow.fn)
    file = _file_of(function)
    if file is None:
        raise InvalidDeployment(
            f"{flow!r} is defined in no file, so that a run could not load it; put it into a file and serve that."
        )
    if _is_installed(file):
        raise InvalidDeployment(
            f"{flow!r} is defined in {file}, which is installed and no code of yours; "
            "serve a function in a file of your own that calls it."
        )
    path = _path_to(flow, function, file) if owner is None else _path_of_method(flow, owner, file)
    if path is None:
        what = "is a lambda without a name" if "<lambda>" in _qualname(function) else "is defined inside a function"
        raise InvalidDeployment(
            f"{flow!r} {what}, so that a run could not load it; give it a name at the top of its module."
        )
    top = _import_root(file)
    return Origin(
        source=LocalStorage(top, modules_only=True),
        entrypoint=f"{file.relative_to(top).as_posix()}:{path}",
        directory=Path.cwd(),
        instance=_instance_of(flow),
    )


def _owner_of(flow: Flow[..., Any]) -> type[Any] | None:
    """The class that the flow is a method of; None for a function."""
    if flow.bound_to is None:
        return None
    return flow.bound_to if isinstance(flow.bound_to, type) else type(flow.bound_to)


def _instance_of(flow: Flow[..., Any]) -> Path | None:
    """The file with the object whose method the flow is; None for a function and for the method of a class itself."""
    if flow.bound_to is None or isinstance(flow.bound_to, type):
        return None
    return keep_instance(flow.bound_to, sys.modules[type(flow.bound_to).__module__], Settings.load().cache)


def _path_of_method(flow: Flow[..., Any], owner: type[Any], file: Path) -> str | None:
    """The dotted name of the method in the module of its class, or None when a run could not find the class there.

    Raises InvalidDeployment when a run would find another method.
    """
    if "<" in owner.__qualname__:
        return None
    for name in dir(owner):
        if isinstance(found := getattr(owner, name, None), Flow):
            bound = found if found.bound_to is not None else found.__get__(flow.bound_to, owner)
            if _is_like(flow, bound):
                return f"{owner.__qualname__}.{name}"
    raise InvalidDeployment(
        f"{flow!r} is not what {owner.__qualname__} in {file.name} has under any name, and that is what a run would "
        "load; say the options in the class, by the decorator of the method."
    )


def _file_of(function: Any) -> Path | None:
    try:
        has_code = inspect.isroutine(function) or inspect.isclass(function)
        name = inspect.getsourcefile(function if has_code else type(function))
    except TypeError:
        return None
    path = Path(name).resolve() if name else None
    return path if path is not None and path.is_file() else None


def _is_installed(file: Path) -> bool:
    """Whether `file` is Python's own, or was put where packages are installed."""
    import site
    import sysconfig

    places = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    places += [*site.getsitepackages(), site.getusersitepackages()]
    return any(file.is_relative_to(Path(place).resolve()) for place in places)


def _path_to(flow: Flow[..., Any], function: Any, file: Path) -> str | None:
    """The dotted name under which a run finds this flow in its module, or None when it cannot have one there.

    Raises InvalidDeployment when a run would find something else.
    """
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    for name, value in vars(module).items() if module is not None else ():
        if value is flow:
            return name
    path = getattr(function, "__qualname__", None)
    if path is None or "<" in path:
        return None
    if module is not None and not _is_like(flow, flow_at(path.split("."), module)):
        raise InvalidDeployment(
            f"{flow!r} is not what {path!r} in {file.name} is, and that is what a run would load; "
            "give this one a name at the top of that file, as in `my_flow = ...`, and serve it from there."
        )
    return str(path)


def _is_like(flow: Flow[..., Any], other: Flow[..., Any] | None) -> bool:
    """Whether `other` does the same, and is told the same way."""
    return other is not None and _said(other) == _said(flow)


def _said(flow: Flow[..., Any]) -> tuple[object, ...]:
    called = flow.fn, flow.bound_to is None, flow.should_validate_parameters, flow.log_prints, dict(flow.hooks)
    named = flow.name, flow.description, flow.version, flow.flow_run_name
    return *called, *named, flow.timeout_seconds, flow.retry_policy


def _qualname(function: Any) -> str:
    return getattr(function, "__qualname__", "")


def _import_root(file: Path) -> Path:
    """The directory that `file` is imported from: its own, or the one above its topmost package."""
    top = file.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    return top
