"""The flow of an order, and the object that it is a method of, in the process that is to call it."""

from __future__ import annotations

import io
import os
import pickle
import stat
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from flowsource.entrypoints import flow_in, load_module, parse, user_traceback
from flowsource.errors import EntrypointLoadFailed
from flowsource.flows import Flow


def load_flow(order: dict[str, Any]) -> Flow[..., Any]:
    """The flow that the order names, bound to its instance where it is the method of one; raises EntrypointError."""
    entrypoint, root = parse(order["entrypoint"]), Path(order["root"])
    module = load_module(entrypoint, root)
    flow = flow_in(module, entrypoint)
    if order["instance"] is None:
        return flow
    try:
        instance = _instance(Path(order["instance"]), module)
    except Exception as error:  # What its class does when it is made again is the user's.
        reason = f"the object whose method it is cannot be made again ({type(error).__name__}: {error})"
        raise EntrypointLoadFailed(entrypoint.text, reason, user_traceback(error, root)[0]) from None
    return flow.__get__(instance, type(instance))


class _Named(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, module: ModuleType) -> None:
        super().__init__(stream)
        self._module = module

    def persistent_load(self, path: str) -> Any:
        found: Any = self._module
        for part in path.split("."):
            found = getattr(found, part)
        return found


def _instance(file: Path, module: ModuleType) -> Any:
    """The object in `file`, with what belongs to `module` as that is now.

    Reading it executes what it says, so it must be ours alone and what its name says.
    """
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        facts = os.fstat(stream.fileno())
        data = stream.read()
    if facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PermissionError(f"{file} can be reached by others")
    if sha256(data).hexdigest() != file.stem:
        raise ValueError(f"{file} is not what was kept there; serve the method again")
    return _Named(io.BytesIO(data), module).load()
