"""`flowsource runs cancel` asks a run to end, and tells the truth about what came of it."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.runs import CancelPhase, Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import Outcome
from tests.cli.calling import CommandLine
from tests.cli.keeping import keep, opened
from tests.cli.terminal import on_a_terminal
from tests.store.words import NOW, Server, end


async def wait(server: Server) -> Run:
    """A run that nobody has begun."""
    return await server.ask(name="waiting")


async def go_on(server: Server) -> Run:
    """A run that goes on."""
    await server.ask(name="going")
    return await server.start_one()


async def complete(server: Server) -> Run:
    """A run that has ended well."""
    await server.ask(name="done")
    return await end(server.store, await server.start_one())


async def until_asked(store: Store, run_id: UUID) -> Run:
    while (run := await store.run(str(run_id))).cancellation is None:  # noqa: ASYNC110 - another process asks
        await anyio.sleep(0.01)
    return run


def test_a_run_that_waits_is_cancelled_at_once(alone: CommandLine) -> None:
    keep(alone, wait)

    done = alone("runs", "cancel", "waiting", "--reason", "wrong day", "--by", "ada")

    assert (done.code, done.out, done.err) == (0, "", "waiting is cancelled.\n")
    run = alone("runs", "show", "waiting", "--json").json
    assert (run["state"], run["failure"]["message"]) == ("cancelled", "cancelled by ada before it began: wrong day")


def test_a_run_that_goes_on_is_asked_to_end(alone: CommandLine) -> None:
    keep(alone, go_on)

    done = alone("runs", "cancel", "going", "--reason", "wrong day", "--by", "ada", "--json")

    assert (done.code, done.json["state"]) == (0, "running")
    assert (done.json["cancellation"]["by"], done.json["cancellation"]["reason"]) == ("ada", "wrong day")
    again = alone("runs", "cancel", "going", "--by", "grace")
    assert (again.code, again.err) == (0, "going is asked to end; --wait follows it.\n")
    assert alone("runs", "show", "going", "--json").json["cancellation"]["by"] == "ada"


async def end_once_asked(alone: CommandLine, run: Run, how: RunState) -> None:
    """Do what a server does about a run that is to end; it ends as it will."""
    async with opened(alone) as store:
        asked = await until_asked(store, run.id)
        for phase in (CancelPhase.TOLD, CancelPhase.SIGNALLED):
            await store.note_cancel(run.id, asked.epoch, phase, at=datetime.now(UTC))
        await store.finish(run.id, asked.epoch, Outcome(state=how), at=NOW, transition_id=uuid4())


@pytest.mark.parametrize(("how", "code"), [(RunState.CANCELLED, 0), (RunState.COMPLETED, 6)])
def test_waiting_follows_it_to_its_end_and_tells_how_that_was(alone: CommandLine, how: RunState, code: int) -> None:
    run = keep(alone, go_on)

    with alone.start("runs", "cancel", "going", "--wait", "--by", "ada") as process:
        anyio.run(end_once_asked, alone, run, how)
        _, said = process.communicate()

    assert process.returncode == code
    phases = [line.split("  ", 1)[1] for line in said.splitlines()[:4]]
    assert phases[:3] == ["ada asked it to end", "its server was told", "its processes were asked to end (SIGTERM)"]
    if code:
        assert phases[3].startswith("✔ completed")
        assert said.splitlines()[-1].startswith("error: going was not cancelled: it is completed.")
    else:
        assert phases[3].startswith("⊘ cancelled")
        assert said.splitlines()[-1] == "going is cancelled."


def test_on_a_terminal_it_is_followed_without_a_word(alone: CommandLine) -> None:
    run = keep(alone, go_on)

    with ThreadPoolExecutor(max_workers=1) as beside:
        shown = beside.submit(on_a_terminal, alone, "runs", "cancel", "going", "--by", "ada")
        anyio.run(end_once_asked, alone, run, RunState.CANCELLED)

    assert "its processes were asked to end (SIGTERM)" in shown.result()
    assert "⊘ cancelled" in shown.result()


def test_ctrl_c_ends_the_following_and_not_the_cancellation(alone: CommandLine) -> None:
    keep(alone, go_on)

    with alone.start("runs", "cancel", "going", "--wait", "--by", "ada") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()

    assert process.returncode == 130
    assert said == "\nNot following any more; going is still asked to end.\n"
    assert alone("runs", "show", "going", "--json").json["cancellation"]["by"] == "ada"


def test_a_run_that_has_ended_cannot_be_cancelled(alone: CommandLine) -> None:
    keep(alone, complete)

    done = alone("runs", "cancel", "done")

    assert done.code == 6
    assert done.err.startswith("error: done was not cancelled: it is completed. `flowsource runs show ")


def test_what_is_cancelled_already_stays_so(alone: CommandLine) -> None:
    keep(alone, wait)
    alone("runs", "cancel", "waiting", "--by", "ada")

    done = alone("runs", "cancel", "waiting", "--by", "grace")

    assert (done.code, done.err) == (0, "waiting is cancelled.\n")
    assert alone("runs", "show", "waiting", "--json").json["cancellation"]["by"] == "ada"


def test_a_run_that_is_not_there_cannot_be_cancelled(alone: CommandLine) -> None:
    done = alone("runs", "cancel", "nobody")

    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: no run 'nobody'")
