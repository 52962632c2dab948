"""An entrypoint is a text that leads to a flow inside a source; here it is parsed and loaded."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any

from flowsource.errors import EntrypointFileMissing, EntrypointLoadFailed, EntrypointMalformed, EntrypointNotFound
from flowsource.flows import Flow, FlowOptions


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """Where a flow is: in `file` (relative to the source) or `module` (dotted), at `path`, a dotted name in there."""

    text: str
    file: str | None
    module: str | None
    path: tuple[str, ...]


def parse(text: str) -> Entrypoint:
    """The parts of `dir/file.py:name`, `dir/file.py:Class.method`, `pkg.mod:name` or `pkg.mod.name`.

    Raises EntrypointMalformed for anything else, for absolute paths, and for paths that leave the source.

    >>> parse("flows/etl.py:nightly").file
    'flows/etl.py'
    >>> parse("pkg.mod.nightly").module
    'pkg.mod'
    """
    colon = ":" in text
    where, _, name = text.rpartition(":" if colon else ".")
    parts = tuple(name.split("."))
    is_bare_file = not colon and text.endswith(".py")
    if not where or is_bare_file or not all(part.isidentifier() for part in parts):
        raise EntrypointMalformed(
            f"entrypoint: {text!r} does not name a flow; give 'path/to/file.py:name' or 'package.module.name'."
        )
    if where.endswith(".py") and colon:
        pieces = where.split("/")
        if where.startswith("/") or ".." in pieces:
            raise EntrypointMalformed(
                f"entrypoint: {where!r} must be a path inside the source; give it relative to the source's top."
            )
        return Entrypoint(text, "/".join(piece for piece in pieces if piece not in ("", ".")), None, parts)
    if not all(part.isidentifier() for part in where.split(".")):
        raise EntrypointMalformed(
            f"entrypoint: {where!r} is neither a file that ends in .py nor a module; "
            "give 'path/to/file.py:name' or 'package.module.name'."
        )
    return Entrypoint(text, None, where, parts)


def check_file(entrypoint: Entrypoint, root: Path) -> None:
    """Raise EntrypointFileMissing, with files that look alike, unless the file of `entrypoint` is under `root`.

    A module is looked for only when it is imported, since it may be installed instead.
    """
    if entrypoint.file is None or (root / entrypoint.file).is_file():
        return
    files = _python_files(root)
    near = get_close_matches(entrypoint.file, files, n=3) or sorted(files)[:3]
    hint = f"; files there: {', '.join(near)}" if near else "; there are no Python files"
    raise EntrypointFileMissing(
        f"entrypoint: the source has no file {entrypoint.file!r}{hint}. Correct the entrypoint, or add the file."
    )


def _python_files(root: Path) -> list[str]:
    """Those under `root`, without what is installed in an environment that lies there."""
    environments = {path.parent for path in root.rglob("pyvenv.cfg")} - {root}
    return [path.relative_to(root).as_posix() for path in root.rglob("*.py") if environments.isdisjoint(path.parents)]


def load(entrypoint: Entrypoint, root: Path) -> Flow[..., Any]:
    """Import what `entrypoint` names under `root`, into this process; what is no flow yet is made one.

    The directory of the file and `root` come first on `sys.path`, and modules keep their real names. Raises
    EntrypointFileMissing, EntrypointLoadFailed (with the traceback of the user's own code) or EntrypointNotFound.
    """
    return flow_in(load_module(entrypoint, root), entrypoint)


def load_module(entrypoint: Entrypoint, root: Path) -> ModuleType:
    """The module that `entrypoint` is in, as `load` imports it."""
    check_file(entrypoint, root)
    return _import(entrypoint, root)


def flow_in(module: ModuleType, entrypoint: Entrypoint) -> Flow[..., Any]:
    """The flow that `entrypoint` names in its `module`; raises EntrypointNotFound."""
    flow = flow_at(entrypoint.path, module)
    if flow is None:
        raise EntrypointNotFound(entrypoint.text, entrypoint.file or str(entrypoint.module), flow_names(module))
    return flow


def flow_at(path: Sequence[str], module: ModuleType) -> Flow[..., Any] | None:
    """The flow that the names in `path` lead to in `module`: what is no flow yet is made one, if it can be called."""
    found: Any = module
    for part in path:
        found = getattr(found, part, None)
    if isinstance(found, MethodType) and isinstance(found.__func__, Flow):
        # From Python 3.13 on a class method does not ask what it is made of to bind itself.
        return found.__func__.__get__(found.__self__, type(found.__self__))
    if isinstance(found, Flow):
        return found
    if not callable(found):
        return None
    return _flow_of_another_framework(found) or Flow(found, **_named_by(path, found))


def _flow_of_another_framework(found: Any) -> Flow[..., Any] | None:
    """A flow of an object that can be called and tells in `fn` what function it is of; None for any other."""
    function = getattr(found, "fn", None)
    if isinstance(found, type) or not inspect.isroutine(function):
        return None

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return found(*args, **kwargs)

    name, description = getattr(found, "name", None), getattr(found, "description", None)
    said: FlowOptions = {"validate_parameters": False}  # It has its own ways with what it is given.
    if isinstance(name, str):
        said["name"] = name
    if isinstance(description, str):
        said["description"] = description
    return Flow(call, **said)


def _named_by(path: Sequence[str], found: object) -> FlowOptions:
    """An object has no name of its own, so that its flow has that of the variable."""
    is_named = hasattr(found, "__name__") or hasattr(found, "func")
    return {} if is_named else {"name": path[-1].replace("_", "-")}


def flow_names(module: ModuleType) -> list[str]:
    """The flows a module defines, or where it has none the public functions."""
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    flows = [name for name, value in own.items() if isinstance(value, Flow)]
    functions = [n for n, v in own.items() if callable(v) and getattr(v, "__module__", None) == module.__name__]
    return sorted(flows or functions)


def _import(entrypoint: Entrypoint, root: Path) -> ModuleType:
    if entrypoint.file is None:
        _put_first(root)
        name = str(entrypoint.module)
        try:
            if importlib.util.find_spec(name) is None:
                raise _missing_module(entrypoint)
        except ModuleNotFoundError as error:
            if error.name and (name == error.name or name.startswith(error.name + ".")):
                raise _missing_module(entrypoint) from None
            raise _load_failed(entrypoint, root, error) from None
        return _guarded(entrypoint, root, lambda: importlib.import_module(name))
    file = root / entrypoint.file
    name, top = _module_name(file, root)
    _put_first(root)
    _put_first(file.parent if top == file.parent else top)
    return _guarded(entrypoint, root, lambda: _import_file(file, name))


def _module_name(file: Path, root: Path) -> tuple[str, Path]:
    """The name under which `file` can be imported, and the directory to import it from: its package's top, if any."""
    parts = [file.stem]
    top = file.parent
    while top != root and (top / "__init__.py").is_file():
        parts.insert(0, top.name)
        top = top.parent
    return ".".join(parts), top


def _import_file(file: Path, name: str) -> ModuleType:
    """Import `file` by its real name, unless that name is taken by another module: then by one of its own."""
    package = name.rpartition(".")[0]
    if package:
        importlib.import_module(package)
    if name in sys.modules or (not package and name in sys.stdlib_module_names):
        if getattr(sys.modules.get(name), "__file__", None) == str(file):
            return sys.modules[name]
        name = f"{name}__{abs(hash(str(file))):x}"
    spec = _spec_of(file, name)
    assert spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _spec_of(file: Path, name: str) -> ModuleSpec:
    """How to load `file` as `name`: by the finder of its directory, as any import from there would."""
    finder = pkgutil.get_importer(str(file.parent))
    found = finder.find_spec(file.stem) if isinstance(finder, FileFinder) else None
    loader = found.loader if found is not None and found.origin == str(file) else None
    if isinstance(loader, SourceFileLoader):
        loader.name = name
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None, "a .py file can always be loaded"
    return spec


def _guarded(entrypoint: Entrypoint, root: Path, importing: Callable[[], ModuleType]) -> ModuleType:
    try:
        return importing()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a module that leaves while it is imported has not loaded.
        raise _load_failed(entrypoint, root, error) from None


def _put_first(directory: Path) -> None:
    text = str(directory)
    if text in sys.path:
        sys.path.remove(text)
    sys.path.insert(0, text)


def _missing_module(entrypoint: Entrypoint) -> EntrypointFileMissing:
    return EntrypointFileMissing(
        f"entrypoint: the source has no module {entrypoint.module!r}. Correct the entrypoint, or add the module."
    )


def _load_failed(entrypoint: Entrypoint, root: Path, error: BaseException) -> EntrypointLoadFailed:
    text, place = user_traceback(error, root)
    try:
        said = str(error)
    except Exception as worse:
        said = f"<its text raised {type(worse).__name__}>"
    reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return EntrypointLoadFailed(entrypoint.text, f"{reason} ({place})" if place else reason, text)


def user_traceback(error: BaseException, root: Path) -> tuple[str, str]:
    """The traceback of `error` from the first frame under `root`, paths relative to it, and `file:line` of the last
    such frame ("" when no frame is)."""
    summary = traceback.TracebackException.from_exception(error)
    inside = [number for number, frame in enumerate(summary.stack) if Path(frame.filename).is_relative_to(root)]
    del summary.stack[: inside[0] if inside else len(summary.stack)]
    place = ""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(root):
        place = f"{Path(error.filename).relative_to(root)}:{error.lineno}"
    elif inside:
        frame = [f for f in summary.stack if Path(f.filename).is_relative_to(root)][-1]
        place = f"{Path(frame.filename).relative_to(root)}:{frame.lineno}"
    return "".join(summary.format()).replace(f"{root}/", "").rstrip(), place
