"""What a run asks of its server: from wherever in the flow, answered to who asked, without a store in its process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from flowsource.errors import DeploymentNotFound
from flowsource.runner import desk
from flowsource.runner.desk import Answer
from flowsource.runner.processes.starter import Starter
from flowsource.runs import Run, RunState
from flowsource.store.http.codec import codec_of
from flowsource.store.http.failures import error_json
from tests.support.orders import Heard, execute

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
BEGINNING = """
import asyncio, os, socket, sys, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from flowsource import arun_deployment, flow, run_deployment, tags
"""


def a_run(name: str, **said: Any) -> dict[str, Any]:
    """The answer that there is a run of that name."""
    at: dict[str, Any] = dict.fromkeys(("scheduled_at", "due_at", "created_at", "changed_at"), NOW)
    run = Run(id=uuid4(), name=name, deployment_id=uuid4(), deployment="a/b", state=RunState.COMPLETED, **at, **said)
    return {"run": codec_of(Run).encode(run)}


async def ran(starter: Starter, write: Write, flow: str, answer: Answer) -> Heard:
    """What came of a flow that asks."""
    return await execute(starter, write(flows=BEGINNING + flow), on_ask=answer)


async def test_the_server_is_asked_and_the_run_needs_no_store(starter: Starter, write: Write) -> None:
    asked: list[dict[str, Any]] = []

    async def answer(question: dict[str, Any]) -> dict[str, Any]:
        asked.append(question)
        return a_run("brave-otter", has_result=True, result={"n": [1]})

    heard = await ran(
        starter,
        write,
        """
@flow
def main():
    with tags("around"):
        run = run_deployment("etl/nightly", {"day": ("a", 1)}, timeout=2.5, tags=["given"], as_subflow=False)
    needed = {"sqlalchemy", "sqlite3", "jsonschema", "httpx", "anyio", "croniter"} & set(sys.modules)
    return [run.name, run.state, run.result, sorted(needed)]
""",
        answer,
    )
    assert heard.outcome["result"] == ["brave-otter", "completed", {"n": [1]}, []], heard
    assert asked == [
        {
            "name": "etl/nightly",
            "parameters": {"day": ["a", 1]},
            "scheduled_time": None,
            "timeout": 2.5,
            "tags": ["around", "given"],
            "idempotency_key": None,
            "run_name": None,
            "as_subflow": False,
        }
    ]


async def test_what_went_wrong_is_raised_as_what_it_is(server: Starter, write: Write) -> None:
    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        return {"error": error_json(DeploymentNotFound("etl", ["etl/nightly"]))}

    heard = await ran(
        server,
        write,
        """
@flow
async def main():
    from flowsource.errors import DeploymentNotFound, InvalidParameters
    said = []
    for parameters in ({}, {"day": {1}}):
        for ask in (run_deployment, arun_deployment):
            try:
                asked = ask("etl", parameters)
                await asked
            except (DeploymentNotFound, InvalidParameters) as error:
                said.append(f"{type(error).__name__}: {error}")
    return said
""",
        answer,
    )
    said = heard.outcome["result"]
    assert said[0] == said[1]
    assert said[0].startswith("DeploymentNotFound: ") and "etl/nightly" in said[0]
    assert said[2] == said[3]
    assert said[2].startswith("InvalidParameters: parameters do not fit flow 'etl': day: ")


async def test_each_of_many_who_ask_at_once_hears_the_answer_to_its_own_question(
    server: Starter, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer than there are: the others have their turn.
    monkeypatch.setattr(desk, "MOST_AT_ONCE", 5)

    async def answer(question: dict[str, Any]) -> dict[str, Any]:
        number = int(question["name"])
        await anyio.sleep(0.01 * (number % 3))
        return a_run(f"run-{number}")

    heard = await ran(
        server,
        write,
        """
def ask(number):
    return run_deployment(str(number)).name

async def ask_all():
    return [run.name for run in await asyncio.gather(*(arun_deployment(str(number)) for number in range(20, 40)))]

@flow
def main():
    with ThreadPoolExecutor(20) as threads, ProcessPoolExecutor(3, get_context("fork")) as processes:
        return [*processes.map(ask, range(20)), *asyncio.run(ask_all()), *threads.map(ask, range(40, 60))]
""",
        answer,
    )
    assert heard.outcome.get("result") == [f"run-{number}" for number in range(60)], heard


async def test_an_answer_that_nobody_waits_for_any_more_is_given_up(server: Starter, write: Write) -> None:
    given_up = 0

    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        nonlocal given_up
        try:
            await anyio.sleep_forever()
        finally:
            given_up += 1
        raise AssertionError("it was waited for")

    heard = await ran(
        server,
        write,
        """
import signal

class Enough(Exception): ...

def enough(*_):
    raise Enough

@flow
async def main():
    try:
        await asyncio.wait_for(arun_deployment("a/b"), 0.1)
    except TimeoutError:
        pass
    signal.signal(signal.SIGALRM, enough)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        run_deployment("a/b")
    except Enough:
        pass
    pid = os.fork()
    if not pid:
        run_deployment("a/b")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    threading.Thread(target=run_deployment, args=["a/b"], daemon=True).start()
    print("asked")
    os._exit(0)
""",
        answer,
    )
    assert heard.said == ["asked"]
    assert heard.exit.status == 0
    # The last two may not have come so far as to ask.
    assert given_up in (2, 3, 4)


async def test_what_is_no_question_harms_nobody(server: Starter, write: Write) -> None:
    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        return a_run("after-all")

    heard = await ran(
        server,
        write,
        """
@flow
def main():
    from flowsource.runner.child import asking
    desk = asking._desk
    with open("/dev/null", "rb") as file:
        socket.send_fds(desk, [b"?"], [file.fileno()])
        socket.send_fds(desk, [b"?"], [file.fileno()] * 6)
    socket.send_fds(desk, [b"?"], [])
    for said in (b"", b"x" * 10, (4).to_bytes(4, "big") + b"odd!", b"\\xff" * 4):
        with asking.begin_to_ask() as conversation:
            conversation.sendall(said)
            conversation.shutdown(socket.SHUT_WR)
            assert conversation.recv(100) == b"", said
    return run_deployment("a/b").name
""",
        answer,
    )
    assert heard.outcome.get("result") == "after-all", heard


async def test_a_run_whose_server_does_not_answer_is_told_so(
    server: Starter, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        raise OSError("no disk, no nothing")

    heard = await ran(
        server,
        write,
        """
@flow
async def main():
    from flowsource.errors import StoreUnavailable
    said = []
    for ask in (run_deployment, arun_deployment):
        try:
            asked = ask("a/b")
            await asked
        except StoreUnavailable as error:
            said.append(str(error))
    return said
""",
        answer,
    )
    assert heard.outcome["result"] == ["the server of this run does not answer; it may have ended."] * 2
    assert caplog.text.count("met a fault of flowsource") == 2
