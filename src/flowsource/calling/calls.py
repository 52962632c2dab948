"""A call of a flow in this process: what kind of function it is, and which call the code that runs is part of."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextvars import ContextVar
from types import CoroutineType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsource.flows import Flow

# As `inspect` has them, which takes longer to import than everything here.
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


class Call:
    """One call of a flow, and what comes of it being called.

    Of a plain flow nothing does: this one only stands for the call, so that what the flow logs can be said to be its.
    `lines` tells of the call at the terminal, once the flow has logged something. What it prints is logged where the
    flow says so, or says nothing of it and is called by one whose prints are.
    """

    # What each call makes room for; the rest is for those that need it.
    __slots__ = ("arguments", "flow", "lines", "logs_prints")

    def __init__(self, flow: Flow[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.flow, self.arguments = flow, (args, kwargs)
        self.lines: Lines | None = None
        said, outer = flow._itself._options.get("log_prints"), current_call.get()
        self.logs_prints: bool = said if said is not None else outer is not None and outer.logs_prints

    def begin(self) -> None:
        """The flow is about to be called."""

    def end(self, error: BaseException | None) -> None:
        """The flow returned, or raised `error`, and is not called again."""
        if self.lines is not None:
            self.lines.ended(error)

    def pause_after(self, error: BaseException) -> float | None:
        """How many seconds after `error` the flow is to be called again; None when it is not."""
        return None

    def in_time(self, work: Awaitable[Any]) -> Awaitable[Any]:
        """`work`, ended where the flow would take too long."""
        return work


class Lines:
    """What is told of a call at the terminal: see `flowsource.calling.lines`."""

    def ended(self, error: BaseException | None) -> None:
        """Tell how the call ended."""


Opener = Callable[["Flow[..., Any]", Sequence[Any], Mapping[str, Any]], Call]

# The call that the running code is part of. Async tasks have their own, and so have threads that are given a context.
current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
_opener: Opener | None = None


def open_calls_with(opener: Opener) -> None:
    """From now on have `opener` make each call: for a process that reports the calls of a run."""
    global _opener
    _opener = opener


def call_flow(flow: Flow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `flow` as the function that it is of: sync, async, or a generator of either kind."""
    positional, named = flow._arguments(args, kwargs)
    return _ways(flow.fn)(_open(flow, args, kwargs), positional, named)


def _open(flow: Flow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    if _opener is not None:
        return _opener(flow, args, kwargs)
    if flow._is_plain:
        return Call(flow, args, kwargs)
    from flowsource.calling.watched import WatchedCall

    return WatchedCall(flow, args, kwargs)


def flags_of(fn: Any) -> int:
    """The flags of the code behind a callable, as far as they can be known; 0 where they cannot."""
    while hasattr(fn, "func"):
        fn = fn.func  # As that of a functools.partial.
    if not isinstance(fn, FunctionType | MethodType | type):
        fn = type(fn).__call__
    code = getattr(fn, "__code__", None)
    return code.co_flags if code is not None else 0


def _ways(fn: Callable[..., Any]) -> Callable[[Call, Sequence[Any], Mapping[str, Any]], Any]:
    flags = flags_of(fn)
    if flags & _COROUTINE:
        return _awaited
    if flags & _ASYNC_GENERATOR:
        return _iterated_async
    return _iterated if flags & _GENERATOR else _called


class Inside:
    """While open, the code that runs is part of `call`."""

    __slots__ = ("_call", "_outer")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._outer = current_call.get()
        current_call.set(self._call)

    def __exit__(self, *_: object) -> None:
        # Set, not reset: what collects a coroutine that nobody awaits closes it in a context of its own.
        current_call.set(self._outer)


def _called(call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    function = call.flow.fn
    with Inside(call):
        try:
            call.begin()
            while True:
                try:
                    result = function(*args, **kwargs)
                    break
                except BaseException as error:
                    if (pause := call.pause_after(error)) is None:
                        raise
                time.sleep(pause)
        except BaseException as error:
            call.end(error)
            raise
        if isinstance(result, CoroutineType):
            # As that of a decorator around an async function: it has not begun yet.
            return _awaited(call, args, kwargs, result)
        call.end(None)
    return result


async def _awaited(
    call: Call, args: Sequence[Any], kwargs: Mapping[str, Any], begun: Awaitable[Any] | None = None
) -> Any:
    function = call.flow.fn
    with Inside(call):
        try:
            if begun is None:
                call.begin()
            while True:
                try:
                    work, begun = function(*args, **kwargs) if begun is None else begun, None
                    result = await call.in_time(work)
                    break
                except BaseException as error:
                    if (pause := call.pause_after(error)) is None:
                        raise
                from asyncio import sleep

                await sleep(pause)
        except BaseException as error:
            call.end(error)
            raise
        call.end(None)
    return result


# Generators are not called again: what they gave out cannot be taken back. Each step is a part of the call, and what
# their user does in between is not.


def _iterated(call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Generator[Any, Any, Any]:
    function: Callable[..., Generator[Any, Any, Any]] = call.flow.fn
    made = function(*args, **kwargs)
    try:
        with Inside(call):
            call.begin()
        step: Callable[[Any], Any] = made.send
        given: Any = None
        while True:
            with Inside(call):
                item = step(given)
            try:
                given = yield item
                step = made.send
            except GeneratorExit:
                raise
            except BaseException as error:
                step, given = made.throw, error
    except StopIteration as ended:
        with Inside(call):
            call.end(None)
        return ended.value
    except GeneratorExit:
        with Inside(call):
            made.close()
            call.end(None)
        raise
    except BaseException as error:
        with Inside(call):
            call.end(error)
        raise


async def _iterated_async(call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AsyncGenerator[Any, Any]:
    function: Callable[..., AsyncGenerator[Any, Any]] = call.flow.fn
    made = function(*args, **kwargs)
    try:
        with Inside(call):
            call.begin()
        step: Callable[[Any], Awaitable[Any]] = made.asend
        given: Any = None
        while True:
            with Inside(call):
                item = await step(given)
            try:
                given = yield item
                step = made.asend
            except GeneratorExit:
                raise
            except BaseException as error:
                step, given = made.athrow, error
    except StopAsyncIteration:
        with Inside(call):
            call.end(None)
    except GeneratorExit:
        with Inside(call):
            await made.aclose()
            call.end(None)
        raise
    except BaseException as error:
        with Inside(call):
            call.end(error)
        raise
