"""A flow whose code lives elsewhere: found now, imported when it is called, served without being imported here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import anyio
import anyio.from_thread

from flowsource.entrypoints import Entrypoint, check_file, load, parse
from flowsource.errors import FlowsourceError, InvalidInput
from flowsource.flows import Flow
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

    def load(self) -> Flow[..., Any]:
        """The flow itself, imported into this process; raises EntrypointError."""
        if self._loaded is None:
            self._loaded = load(self.entrypoint, self.found.snapshot.root)
        return self._loaded

    @property
    def fn(self) -> Callable[..., Any]:
        """The function itself."""
        return self.load().fn

    @property
    def name(self) -> str:
        """What people call the flow."""
        return self.load().name

    @property
    def should_validate_parameters(self) -> bool:
        """Whether a call coerces its arguments to the annotated types, and refuses those that do not fit."""
        return self.load().should_validate_parameters

    @property
    def log_prints(self) -> bool:
        """Whether what the flow prints in a served run becomes log records."""
        return self.load().log_prints

    @property
    def description(self) -> str | None:
        """What the flow says of itself."""
        return self.load().description

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the flow here, in this process."""
        return self.load()(*args, **kwargs)

    def with_options(self, **options: Any) -> NoReturn:
        """Raises InvalidInput: what a flow from a source is, its code says."""
        raise InvalidInput(f"{self!r}: the options of a flow from a source are set in its code, by its decorator.")

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
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(anyio.run, work).result()
    except FlowsourceError as error:
        # Where in our tasks a person's mistake came to light tells that person nothing.
        raise error.with_traceback(None) from None
