"""Objects whose methods are served, kept in private files for the processes of their runs.

What belongs to the code that is served (its classes and functions) is kept by name alone, so that a run has it as the
code is by then.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import anyio

from flowsource.errors import InvalidDeployment
from flowsource.flows import Flow
from flowsource.snapshots.layout import make_private, open_root
from flowsource.sources.replacing import replacing

_DIRECTORY = "instances"
_USED_EVERY = timedelta(hours=1)
_LEFT_FOR = timedelta(days=7)
_PROTOCOL = 5
_DEEPEST = 5


def keep_instance(instance: object, module: ModuleType, cache: Path) -> Path:
    """The file that has `instance` from now on, named by the digest of its content.

    `module` is the one that a run will have its class from. Raises InvalidDeployment, which names the attribute, for
    an object that cannot be kept.
    """
    try:
        data = _dump(instance, module)
    except Exception as error:  # Whatever its own `__reduce__` raises.
        where = _culprit(instance, module)
        what = f"attribute {where!r}" if where else "state"
        raise InvalidDeployment(
            f"{type(instance).__name__}: a method of this object cannot be served, for its {what} cannot be kept for "
            f"the processes of the runs ({error}). Make it inside the flow, or leave it out with `__getstate__`."
        ) from None
    directory = open_root(cache) / _DIRECTORY
    make_private(directory)
    file = directory / f"{sha256(data).hexdigest()}.pickle"
    with replacing(file) as beside, open(beside, "xb", opener=_for_us_alone) as stream:
        stream.write(data)
    return file


async def stay_in_use(files: Collection[Path]) -> None:
    """Say of these files, until cancelled, that a server uses them."""
    while True:
        for file in files:
            with suppress(FileNotFoundError):
                os.utime(file)
        await anyio.sleep(_USED_EVERY.total_seconds())


def sweep_instances(cache: Path, *, now: datetime) -> None:
    """Remove the files that no server has used for a long time: whoever serves an object keeps it anew."""
    for file in (cache / _DIRECTORY).glob("*"):
        with suppress(FileNotFoundError):
            if file.stat().st_mtime < (now - _LEFT_FOR).timestamp():
                file.unlink()


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _ByName(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, module: ModuleType) -> None:
        super().__init__(stream, _PROTOCOL)
        self._module = module

    def persistent_id(self, value: Any) -> str | None:
        if not isinstance(value, type | FunctionType | Flow):
            return None
        home = getattr(value, "__module__", None)
        if home == self._module.__name__:
            return _path_to(value, self._module)
        if home == "__main__":
            raise pickle.PicklingError(f"{value!r} is defined in the file that serves, which its runs do not import")
        return None


def _path_to(value: Any, module: ModuleType) -> str | None:
    """The dotted name of `value` in `module`; None where it has none there, which pickle itself tells."""
    path: str | None = getattr(value, "__qualname__", None)
    found: Any = module
    for part in (path or "<none>").split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    return path if found is value else None


def _dump(value: object, module: ModuleType) -> bytes:
    stream = io.BytesIO()
    _ByName(stream, module).dump(value)
    return stream.getvalue()


def _culprit(value: object, module: ModuleType, depth: int = 0) -> str:
    """The path to the innermost attribute or item that alone cannot be kept; "" where it is none in particular."""
    for name, inner in _parts(value) if depth < _DEEPEST else ():
        try:
            _dump(inner, module)
        except Exception:
            deeper = _culprit(inner, module, depth + 1)
            return f"{name}.{deeper}" if deeper else name
    return ""


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, type | FunctionType | ModuleType):
        return
    if isinstance(value, Mapping):
        yield from ((str(name), inner) for name, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(place), inner) for place, inner in enumerate(value))
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                yield name, getattr(value, name)
    yield from getattr(value, "__dict__", {}).items()
