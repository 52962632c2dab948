"""Modules of one source, apart from those of other sources and of the program that calls its flows."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, GeneratorType, ModuleType
from typing import Any


class Isolation:
    """While entered, imports find what is under `root` first, and none of the modules that others have by such names.

    Afterwards `sys.path` and `sys.modules` are as before, but for installed packages that were imported meanwhile. Both
    belong to the whole process: threads that call flows of two sources at once may see modules of each other.
    """

    def __init__(self, root: Path, *, beside: Path, is_mounted: bool) -> None:
        """Keep apart what is imported from `root`, and from the directory `beside` the file that is loaded."""
        self._is_mounted = is_mounted
        self._top = os.path.realpath(root) + os.sep
        self._modules: dict[str, ModuleType] = {}
        self._path = [str(beside), str(root)]
        self._depth = 0

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._writes_bytecode, self._path_before = sys.dont_write_bytecode, list(sys.path)
        # Nothing may be written into a snapshot, and root could.
        sys.dont_write_bytecode = sys.dont_write_bytecode or not self._is_mounted
        sys.path[:0] = self._path
        names = self._names()
        self._aside = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}
        for name in self._aside:
            del sys.modules[name]
        sys.modules.update(self._modules)
        self._before = dict(sys.modules)

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        for name, module in list(sys.modules.items()):
            if name in self._modules or (self._before.get(name) is not module and self._is_ours(module)):
                self._modules[name] = module
                del sys.modules[name]
        sys.modules.update(self._aside)
        self._path = [path for path in sys.path if f"{os.path.realpath(path)}{os.sep}".startswith(self._top)]
        sys.path[:] = self._path_before
        sys.dont_write_bytecode = self._writes_bytecode

    def around(self, result: Any) -> Any:
        """`result` of a call; what is still to be executed of it is executed inside, step by step."""
        if isinstance(result, CoroutineType):
            return self._awaited(result)
        if isinstance(result, GeneratorType):
            return self._steps(result)
        return self._iterated(result) if isinstance(result, AsyncGeneratorType) else result

    def _names(self) -> set[str]:
        """The modules that can be imported from here, but for those that Python itself has in use by such names."""
        found: set[str] = set()
        for place in set(self._path):
            # A flow may have put a directory on the path that is not there.
            with suppress(FileNotFoundError), os.scandir(place) as entries:
                found |= {entry.name.removesuffix(".py") for entry in entries}
        return found - sys.stdlib_module_names - {"flowsource", "__main__"}

    def _is_ours(self, module: ModuleType) -> bool:
        places = [getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ())]
        return any(place and os.path.realpath(place).startswith(self._top) for place in places)

    def _steps(self, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        step: Any = inner.send
        given: Any = None
        while True:
            with self:
                try:
                    item = step(given)
                except StopIteration as ended:
                    return ended.value
            try:
                given = yield item
                step = inner.send
            except GeneratorExit:
                with self:
                    inner.close()
                raise
            except BaseException as error:
                step, given = inner.throw, error

    async def _awaited(self, work: Any) -> Any:
        return await _Stepped(self, work)

    async def _iterated(self, inner: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
        try:
            while True:
                try:
                    item = await _Stepped(self, inner.asend(None))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            await _Stepped(self, inner.aclose())


class _Stepped:
    """`work`, of which each step is executed inside."""

    def __init__(self, isolation: Isolation, work: Any) -> None:
        self._isolation, self._work = isolation, work

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._isolation._steps(self._work.__await__())
