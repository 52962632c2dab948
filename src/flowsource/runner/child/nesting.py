"""Flows that are called inside a run, as its process reports them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from flowsource.calling.watched import WatchedCall
from flowsource.context import RunContext, current_run
from flowsource.flows import Flow
from flowsource.json_values import json_problems
from flowsource.runner.child.results import failure_of

Send = Callable[[dict[str, Any]], None]


class NestedCalls:
    """Makes the calls of flows inside a run, each of which tells when it begins and how it ends."""

    def __init__(self, send: Send, root: Path) -> None:
        self.send, self.root = send, root
        self._numbers = itertools.count(1)

    def open(self, flow: Flow[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> NestedCall:
        """A call that is about to be made."""
        return NestedCall(self, next(self._numbers), flow, args, kwargs)


class NestedCall(WatchedCall):
    """One flow that is called inside a run; depth and threads do not matter."""

    def __init__(
        self,
        calls: NestedCalls,
        number: int,
        flow: Flow[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        super().__init__(flow, args, kwargs)
        self._calls, self._number = calls, number
        self._outer = current_run()
        self._started_at = 0.0
        self.parent_id = self._outer.id if self._outer is not None else None

    def coin_name(self) -> str:
        return f"{self.flow.name}-{self._number}"

    @cached_property
    def context(self) -> RunContext | None:
        """What the flow can know of this call."""
        if self._outer is None:
            return None
        return replace(
            self._outer,
            id=self.id,
            name=self.name,
            flow=self.flow.name,
            parameters=self.parameters,
            attempt=1,
            tags=tuple(dict.fromkeys((*self._outer.tags, *self.tags))),
            parent_id=self._outer.id,
        )

    def tell_begin(self) -> None:
        self._started_at = time.time()
        self._tell("running", None, None)

    def tell_end(self, error: BaseException | None) -> None:
        is_failure = error is not None and not self.state.is_completed()
        failure = failure_of(error, self._calls.root, is_over=False) if error is not None and is_failure else None
        self._tell(self.state.type, time.time(), failure)

    def _tell(self, state: str, ended_at: float | None, failure: dict[str, Any] | None) -> None:
        self._calls.send(
            {
                "type": "nested",
                "id": str(self.id),
                "name": self.name,
                "flow": self.flow.name,
                "state": state,
                "started_at": self._started_at,
                "ended_at": ended_at,
                "parameters": {name: _json_or_note(value) for name, value in self.parameters.items()},
                "failure": failure,
            }
        )


def _json_or_note(value: Any) -> Any:
    """A parameter as it can be kept, or what it was."""
    return value if not json_problems({"value": value}) else f"<{type(value).__module__}.{type(value).__qualname__}>"
