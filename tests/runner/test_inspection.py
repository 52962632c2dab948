"""The load check: facts, or why a revision cannot serve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsource.deployments import Declaration, FlowFacts, Rejection
from flowsource.revisions import Revision
from flowsource.runner.inspection import inspect_entrypoint
from flowsource.runner.processes.starter import Starter
from flowsource.schedules import Cron, Schedule
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]


async def inspect(
    server: Starter,
    root: Path,
    parameters: dict[str, Any] | None = None,
    *,
    schedules: tuple[Schedule, ...] = (),
    deadline: float = 30,
) -> FlowFacts | Rejection:
    snapshot = Snapshot(source_key="local-x", revision=Revision(id="a" * 64), root=root, is_mounted=True)
    declared = Declaration(
        name="test",
        entrypoint="flows.py:main",
        source_key="x",
        source_label="x",
        parameters=parameters or {},
        schedules=schedules,
    )
    cache = SnapshotCache(root.parent / "cache")
    return await inspect_entrypoint(server, cache, snapshot, declared, deadline=timedelta(seconds=deadline))


async def test_facts_are_what_the_code_says(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        from flowsource import flow
        @flow(name="etl")
        def main(day: str, retries: int = 3):
            "Load a day."
        """
    )
    facts = await inspect(server, root, {"retries": 5})
    assert isinstance(facts, FlowFacts)
    assert (facts.name, facts.description) == ("etl", "Load a day.")
    assert set(facts.parameter_schema["properties"]) == {"day", "retries"}


async def test_of_many_that_are_looked_at_together_few_are_loaded_at_once(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import os, time
        from flowsource import flow
        here = os.path.join(os.path.dirname(__file__), "..", "loading")
        os.makedirs(here, exist_ok=True)
        open(os.path.join(here, str(os.getpid())), "w").close()
        with open(here + ".counted", "a") as counted:
            counted.write(str(len(os.listdir(here))) + " ")
        time.sleep(0.1)
        os.remove(os.path.join(here, str(os.getpid())))
        main = flow(lambda: None, name="main")
        """
    )
    found: list[FlowFacts | Rejection] = []

    async def one() -> None:
        found.append(await inspect(server, root))

    async with anyio.create_task_group() as tasks:
        for _ in range(24):
            tasks.start_soon(one)
    assert [type(each) for each in found] == [FlowFacts] * 24
    counted = (root.parent / "loading.counted").read_text().split()
    assert max(map(int, counted)) <= server.looks.total_tokens


@pytest.mark.parametrize(
    ("text", "kind", "said", "details"),
    [
        ("import nothing_like_it", "import", "ModuleNotFoundError: No module named 'nothing_like_it'", "line 1"),
        ("def other(): ...", "missing", "flows there: other", ""),
        ("import os\nprint('bye')\nos._exit(4)", "crash", "exit code 4", "bye"),
        ("import time\nprint('zzz')\ntime.sleep(600)", "timeout", "was not loaded after 2 s", "zzz"),
        ("import subprocess\nsubprocess.run(['sleep', '600'])", "timeout", "was not loaded after 2 s", ""),
        ("def main(m: int): ...", "invalid", "n: is not a parameter of this flow", ""),
        ("def main(n: int): ...", "invalid", "n: input should be a valid integer", ""),
        ("from flowsource import flow\n@flow(name='a/b')\ndef main(n): ...", "import", "contains '/'", "line 2"),
    ],
)
async def test_a_revision_that_cannot_serve_says_why(
    server: Starter, write: Write, text: str, kind: str, said: str, details: str
) -> None:
    root = write(flows="")
    (root / "flows.py").write_text(text)
    rejection = await inspect(server, root, {"n": "x"}, deadline=2 if kind == "timeout" else 30)
    assert isinstance(rejection, Rejection)
    assert rejection.kind == kind
    assert said in rejection.message
    assert details in rejection.details


async def test_nothing_of_the_code_is_imported_into_the_process_that_asks(server: Starter, write: Write) -> None:
    import sys

    before = set(sys.modules)
    await inspect(server, write(flows="import helper_of_the_flow\ndef main(): ...", helper_of_the_flow=""))
    assert not {name for name in set(sys.modules) - before if name in ("flows", "helper_of_the_flow")}


async def test_parameters_of_a_schedule_are_held_against_the_flow_over_those_of_the_deployment(
    server: Starter, write: Write
) -> None:
    root = write(flows="def main(day: str, count: int = 1): ...\n")
    good, bad = (Cron("@daily", parameters={"count": count}) for count in (2, "many"))
    assert isinstance(await inspect(server, root, {"count": 1}, schedules=(good,)), FlowFacts)
    found = await inspect(server, root, {"count": 1}, schedules=(good, bad))
    assert isinstance(found, Rejection)
    assert (found.kind, "count" in found.message) == ("invalid", True)
