"""A flow whose code lives elsewhere: found now, imported when it is called, served without being imported here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import anyio
import anyio.from_thread

from flowsource.calling.calls import call_flow
from flowsource.entrypoints import Entrypoint, check_file, load, parse
from flowsource.errors import FlowsourceError, InvalidInput
from flowsource.flows import Flow, Hook
from flowsource.isolation import Isolation
from flowsource.settings import Settings
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources import Source, source_from
from flowsource.watch.latest import Latest, latest

T = TypeVar("T")


class SourcedFlow(Flow[..., Any]):
    """A flow at `entrypoint` of a snapshot of `source`. Its code is imported when it is first needed here."""

    def __init__(self, source: Source, entrypoint: Entrypoint, found: Latest) -> None:
        self.source, self.entrypoint, self.found = source, entrypoint, found
        self._loaded: Flow[..., Any] | None = None
        root, file = found.snapshot.root, entrypoint.file
        beside = (root / file).parent if file is not None else root
        self._isolation = Isolation(root, beside=beside, is_mounted=found.snapshot.is_mounted)

    def load(self) -> Flow[..., Any]:
        """The flow itself, imported into this process; raises EntrypointError."""
        if self._loaded is None:
            with self._isolation:
                self._loaded = load(self.entrypoint, self.found.snapshot.root)
        return self._loaded

    @property
    def _itself(self) -> Flow[..., Any]:
        return self.load()

    @property
    def _tells_of_calls(self) -> bool:
        return True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the flow here, in this process; the modules of its source are apart from those of others."""
        with self._isolation:
            result = call_flow(self, args, kwargs)
        return self._isolation.around(result)

    def with_options(self, **options: Any) -> NoReturn:
        """Raises InvalidInput: what a flow from a source is, its code says."""
        raise InvalidInput(f"{self!r}: the options of a flow from a source are set in its code, by its decorator.")

    def _hooked(self, occasion: str, hook: Hook) -> NoReturn:
        raise InvalidInput(f"{self!r}: the hooks of a flow from a source are set in its code, by its decorator.")

    def __repr__(self) -> str:
        return f"<Flow {self.entrypoint.text!r} of {self.source.label}>"


async def afrom_source(source: str | Path | Source, entrypoint: str) -> Flow[..., Any]:
    """The flow that `entrypoint` names in `source`; see `Flow.from_source`."""
    place, found_source = parse(entrypoint), source_from(source)
    found = await latest(found_source, SnapshotCache(Settings.load().cache))
    await anyio.to_thread.run_sync(check_file, place, found.snapshot.root)
    return SourcedFlow(found_source, place, found)


def from_source(source: str | Path | Source, entrypoint: str) -> Flow[..., Any]:
    """As `afrom_source`, blocking; also where an event loop runs, as in a notebook."""
    return run_blocking(partial(afrom_source, source, entrypoint))


def run_blocking(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do `work` in an event loop of its own and wait for it, whether or not this thread has one already."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    try:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return anyio.run(work)
        here = copy_context()
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(lambda: here.run(lambda: anyio.run(work))).result()
    except FlowsourceError as error:
        # Where in our tasks a person's mistake came to light tells that person nothing.
        raise error.with_traceback(None) from None
