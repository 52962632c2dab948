"""Calls in which the name, retries, hooks, prints and timeout of a flow count."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from flowsource.calling.calls import Call, current_call
from flowsource.calling.hooking import call_hooks
from flowsource.calling.names import run_name_of
from flowsource.calling.prints import prints_as_records
from flowsource.calling.trying_again import seconds_until_retry
from flowsource.context import current_tags, get_run_logger
from flowsource.flows import Flow
from flowsource.hooks import OCCASION_OF, RUNNING, FlowRun, State, state_after
from flowsource.parameters import bind


class WatchedCall(Call):
    """A call that has a name, and of which others are told."""

    def __init__(self, flow: Flow[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        super().__init__(flow, args, kwargs)
        outer = current_call.get()
        self.id = uuid4()
        self.parent_id: UUID | None = outer.id if isinstance(outer, WatchedCall) else None
        self.tags = current_tags()
        self._attempt = 1
        self.state = RUNNING
        self._is_too_late = False
        self._while_open = ExitStack()

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """What was given, by name; without variable positional arguments."""
        args, kwargs = self.arguments
        return bind(self.flow.fn, tuple(args), kwargs) or dict(kwargs)

    @cached_property
    def name(self) -> str:
        """What this call is called."""
        return run_name_of(self.flow, self.parameters) or self.coin_name()

    def coin_name(self) -> str:
        """A name where the flow gives none."""
        # Its word lists take tens of milliseconds to load.
        from coolname import generate_slug

        return generate_slug(2)

    @property
    def run(self) -> FlowRun:
        """The call as hooks are told of it."""
        return FlowRun(
            id=self.id,
            name=self.name,
            flow=self.flow.name,
            parameters=self.parameters,
            state=self.state,
            attempt=self._attempt,
            tags=self.tags,
            parent_id=self.parent_id,
        )

    def begin(self) -> None:
        if self.logs_prints:
            self._while_open.enter_context(prints_as_records())
        self.tell_begin()
        self._call_hooks()

    def tell_begin(self) -> None:
        """Tell that the flow is about to be called."""
        if self.flow._tells_of_calls:
            from flowsource.calling.lines import lines_of, show_lines_here

            show_lines_here()
            lines_of(self)

    def end(self, error: BaseException | None) -> None:
        self.state = self._state_after(error)
        try:
            self._call_hooks()
        finally:
            self._while_open.close()
            self.tell_end(error)

    def tell_end(self, error: BaseException | None) -> None:
        """Tell how the call ended."""
        super().end(error)

    def pause_after(self, error: BaseException) -> float | None:
        if not isinstance(error, Exception):
            return None
        failed = replace(self.run, state=self._state_after(error)) if self.flow.retries else None
        pause = seconds_until_retry(self.flow, failed, error) if failed is not None else None
        if failed is None or pause is None:
            return None
        attempts = self.flow.retries + 1
        get_run_logger().warning(
            "Attempt %d of %d failed (%s); the next one is in %g s",
            self._attempt,
            attempts,
            failed.state.message,
            pause,
        )
        self._attempt += 1
        self._is_too_late = False
        return pause

    def in_time(self, work: Awaitable[Any]) -> Awaitable[Any]:
        seconds = self.flow.timeout_seconds
        return work if seconds is None else self._within(seconds, work)

    async def _within(self, seconds: float, work: Awaitable[Any]) -> Any:
        import asyncio

        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
            self._is_too_late = True
            raise TimeoutError(f"flow {self.flow.name!r} took longer than {seconds:g} s") from None

    def _state_after(self, error: BaseException | None) -> State:
        state = state_after(error)
        return replace(state, type="timed_out", name="TimedOut") if self._is_too_late and error is not None else state

    def _call_hooks(self) -> None:
        occasion = OCCASION_OF.get(self.state.type)
        if occasion is not None and occasion in self.flow.hooks:
            call_hooks(self.flow, self.run, occasion)
