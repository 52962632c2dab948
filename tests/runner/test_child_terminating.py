"""SIGTERM in a run: the flow may put things in order, once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest

from flowsource.runner.child.terminating import RunCancelled, Termination
from flowsource.runner.processes.process import RunProcess
from flowsource.runner.processes.starter import Starter
from tests.support.orders import Heard, execute
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]


async def ended_by(server: Starter, root: Path, entrypoint: str, *, signals: int = 1) -> Heard:
    """What comes of a flow that makes a file `ready`, once for each signal that it is to get."""
    ready = root / "ready"
    ready.unlink(missing_ok=True)
    processes: list[RunProcess] = []

    async def stop() -> None:
        for _ in range(signals):
            # It may be ready before we are told that there is a process.
            await until(lambda: bool(processes) and ready.exists())
            ready.unlink()
            processes[0].signal_group(signal.SIGTERM)
            tasks.start_soon(processes[0].remind)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        heard = await execute(server, root, entrypoint, on_start=processes.append)
    assert not ready.exists(), "it was asked as often as it was ready to be"
    return heard


FLOWS = """
import asyncio, os, signal, threading, time
from pathlib import Path
ready = Path(__file__).with_name("ready")

def plain():
    try:
        ready.touch()
        time.sleep(600)
    finally:
        print("put in order")

async def asynchronous():
    try:
        ready.touch()
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0)
        print("put in order")

def own_loop():
    asyncio.run(asynchronous())

class Last:
    def __del__(self):
        ready.touch()
        time.sleep(600)

def unheard():
    try:
        last = Last()
        del last
        time.sleep(600)
    finally:
        print("put in order")

def unheard_for_long():
    start = threading.Thread.start

    def start_slowly(thread):
        start(thread)
        time.sleep(0.3)  # In here nothing that is raised is heard of either.

    threading.Thread.start = start_slowly
    unheard()

def heard_in_passing():
    # As where the signal comes right before the kernel begins to wait: the wait itself is not interrupted by it.
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        ready.touch()
        time.sleep(600)
    finally:
        print("put in order")

def unclosed():
    reader, writer = os.pipe()

    def read_on():
        os.read(reader, 1)  # From here on the file writes what is left of it, which the pipe does not hold.
        ready.touch()
        while signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            time.sleep(0.01)  # Until the signal was heard.
        while os.read(reader, 65536):
            pass

    def leave_it_open():
        file = os.fdopen(writer, "w", buffering=300_000)
        file.write("x" * 200_000)

    threading.Thread(target=read_on, daemon=True).start()
    try:
        leave_it_open()
        time.sleep(600)
    finally:
        print("put in order")

def generator():
    with open(os.devnull):
        yield 1
        yield from iter(plain, None)

def wraps_it():
    try:
        plain()
    except BaseException as error:
        raise RuntimeError("something went wrong") from error

def completes():
    try:
        plain()
    except KeyboardInterrupt:
        return "saved"

def forks():
    pid = os.fork()
    if pid == 0:
        ready.touch()
        time.sleep(600)
    _, status = os.waitpid(pid, 0)
    time.sleep(600 if os.waitstatus_to_exitcode(status) == -signal.SIGTERM else 0)

def stubborn():
    while True:
        try:
            ready.touch()
            time.sleep(600)
        except BaseException:
            print("never")

def logs_without_end():
    import logging
    from itertools import count
    for number in count():
        logging.warning("x" * 60_000)
        if number == 3:
            ready.touch()
"""


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "asynchronous",
        "own_loop",
        "generator",
        "wraps_it",
        "unheard",
        "unheard_for_long",
        "heard_in_passing",
        "unclosed",
    ],
)
async def test_a_flow_that_ends_when_it_is_asked_to_was_cancelled(server: Starter, write: Write, name: str) -> None:
    heard = await ended_by(server, write(flows=FLOWS), f"flows.py:{name}")
    assert (heard.outcome["state"], heard.said, heard.status) == ("cancelled", ["put in order"], 0)
    assert heard.outcome["retry_in"] is None


async def test_a_file_that_takes_long_to_import_is_ended_too(server: Starter, write: Write) -> None:
    root = write(
        slow="import time\nfrom pathlib import Path\nPath(__file__).with_name('ready').touch()\ntime.sleep(600)"
    )
    assert (await ended_by(server, root, "slow.py:main")).outcome["state"] == "cancelled"


def test_a_message_of_another_thread_does_not_put_it_off() -> None:
    termination, is_open, may_close = Termination(), threading.Event(), threading.Event()

    def holds() -> None:
        with termination.shield():
            is_open.set()
            may_close.wait(PATIENCE)

    def is_asked_to_end() -> None:
        with termination.listening():
            assert is_open.wait(PATIENCE)
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(holds)
        try:
            with pytest.raises(RunCancelled):
                is_asked_to_end()
        finally:
            signal.signal(signal.SIGTERM, before)
            may_close.set()


async def test_a_flow_that_completes_all_the_same_has_completed(server: Starter, write: Write) -> None:
    heard = await ended_by(server, write(flows=FLOWS), "flows.py:completes")
    assert (heard.outcome["state"], heard.outcome["result"]) == ("completed", "saved")


async def test_processes_that_a_flow_forked_end_as_they_would_without_us(server: Starter, write: Write) -> None:
    heard = await ended_by(server, write(flows=FLOWS), "flows.py:forks")
    assert heard.outcome["state"] == "cancelled"


async def test_a_second_signal_ends_a_flow_that_will_not(server: Starter, write: Write) -> None:
    heard = await ended_by(server, write(flows=FLOWS), "flows.py:stubborn", signals=2)
    assert (heard.status, heard.outcome, heard.said) == (-signal.SIGTERM, {}, ["never"])


async def test_a_signal_in_the_middle_of_a_message_does_not_spoil_it(server: Starter, write: Write) -> None:
    heard = await ended_by(server, write(flows=FLOWS), "flows.py:logs_without_end")
    assert heard.outcome["state"] == "cancelled"
    assert {len(record["text"]) for record in heard.records} == {60_000}
