"""Orders for a run's process, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowsource.revisions import Revision
from flowsource.runner.conversation import converse
from flowsource.runner.desk import Answer
from flowsource.runner.output.lines import LineSplitter
from flowsource.runner.processes.process import Exit, RunProcess
from flowsource.runner.processes.starter import Starter


@dataclass
class Heard:
    """What a process wrote, answered and left with. `said` has printed lines and records in the order of arrival, and
    `others` the messages that are neither records nor the outcome."""

    status: int = 0
    exit: Exit = field(default_factory=lambda: Exit(0))
    said: list[str] = field(default_factory=list)
    outcome: dict[str, Any] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The other messages of that type, in order."""
        return [message for message in self.others if message["type"] == kind]


async def execute(
    server: Starter,
    root: Path,
    entrypoint: str = "flows.py:main",
    *,
    parameters: dict[str, Any] | None = None,
    is_mounted: bool = True,
    on_start: Any = None,
    on_ask: Answer | None = None,
    preload: Sequence[str] = (),
    **more: Any,
) -> Heard:
    """Run `entrypoint` under `root` in a process of its own, to the end. `more` says otherwise than `order_for`."""
    heard, splitter = Heard(), LineSplitter()

    def on_message(message: dict[str, Any]) -> None:
        if message["type"] == "log":
            heard.records.append(message)
            heard.said.append(message["text"])
        elif message["type"] == "outcome":
            heard.outcome = message
        else:
            heard.others.append(message)

    def started(process: RunProcess) -> None:
        if on_start is not None:
            on_start(process)

    heard.exit = await converse(
        server,
        order_for(root, entrypoint, parameters=parameters, is_mounted=is_mounted, **more),
        on_output=lambda data: heard.said.extend(splitter.feed(data)),
        on_message=on_message,
        on_start=started,
        on_ask=on_ask,
        preload=preload,
    )
    heard.status = heard.exit.status
    heard.said.extend(splitter.close())
    return heard


def order_for(
    root: Path,
    entrypoint: str = "flows.py:main",
    *,
    kind: str = "run",
    parameters: dict[str, Any] | None = None,
    is_mounted: bool = True,
    run: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The order for `entrypoint` under `root`. `run` and `more` say otherwise than usual."""
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return {
        "kind": kind,
        "entrypoint": entrypoint,
        "root": str(root),
        "directory": str(root),
        "is_mounted": is_mounted,
        "bytecode": str(root.parent / "bytecode"),
        "parameters": parameters or {},
        "instance": None,
        **more,
        "run": {
            "id": "00000000-0000-0000-0000-000000000001",
            "name": "brave-otter",
            "flow": "main",
            "attempt": 1,
            "epoch": 1,
            "tags": [],
            "parent_id": None,
            "source": "code",
            "deployment": "main/test",
            "revision": Revision(id="a" * 40, ref="refs/heads/main").to_json(),
            "scheduled_at": "2026-11-22T00:00:00+00:00",
            "scratch": str(scratch),
            "event": None,
            **(run or {}),
        },
    }
