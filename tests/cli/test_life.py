"""The page of a run tells its whole life: attempts, steps, the runs below it, and who asked it to end."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import anyio
import pytest

from flowsource.cli.output import state_cell
from flowsource.promotions import Author
from flowsource.runs import CancelPhase, Failure, Run, RunState
from flowsource.store.values import NestedRun, Outcome
from tests.cli.calling import CommandLine
from tests.cli.keeping import keep, opened
from tests.store.words import NOW, SECOND, Server, end

BROKEN = Failure(kind="ValueError", message="no such day", traceback="Traceback ...\nValueError: no such day")


async def fail_and_wait(server: Server) -> Run:
    """A run whose first attempt failed, and that is to have another."""
    await server.ask(name="again")
    run = await server.start_one()
    outcome = Outcome(state=RunState.FAILED, failure=BROKEN, retry_at=NOW + 60 * SECOND)
    return await server.store.finish(run.id, run.epoch, outcome, at=NOW + 2 * SECOND, transition_id=uuid4())


async def fail_and_succeed(server: Server) -> Run:
    """A run that completed at its second attempt."""
    await fail_and_wait(server)
    [run] = await server.claim(now=NOW + 60 * SECOND)
    run = await server.store.start(run.id, run.epoch, at=NOW + 61 * SECOND, transition_id=uuid4())
    done = Outcome(state=RunState.COMPLETED)
    return await server.store.finish(run.id, run.epoch, done, at=NOW + 64 * SECOND, transition_id=uuid4())


async def have_children(server: Server) -> Run:
    """A run with a flow inside it and a run that it asked for, which asked for one itself."""
    await server.ask(name="parent")
    parent = await server.start_one()
    nested = NestedRun(
        id=uuid4(),
        name="quiet-otter",
        flow="fetch",
        state=RunState.FAILED,
        started_at=NOW,
        ended_at=NOW + SECOND,
        failure=BROKEN,
    )
    await server.store.nest(parent.id, parent.epoch, [nested])
    child = await server.ask(name="child", parent_id=parent.id, at=NOW + SECOND)
    await server.ask(name="grandchild", parent_id=child.id, at=NOW + SECOND)
    return parent


async def begin_to_cancel(server: Server) -> Run:
    """A run that was asked to end and does not listen."""
    await server.ask(name="deaf")
    run = await server.start_one()
    await server.store.ask_cancel(run.id, Author("grace", "too long"), now=NOW)
    for phase in CancelPhase:
        run = await server.store.note_cancel(run.id, run.epoch, phase, at=NOW)
    return run


def words_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_attempts_are_told_with_how_and_why_each_ended(alone: CommandLine) -> None:
    keep(alone, fail_and_succeed)

    page = words_of(alone("runs", "show", "again").out)

    at = page.index("attempts")
    assert page[at + 1].startswith("1 ✖ failed") and page[at + 1].endswith("2.00 s ValueError: no such day")
    assert page[at + 2].startswith("2 ✔ completed") and page[at + 2].endswith("3.00 s")
    assert "state ✔ completed" in page


def test_a_run_between_attempts_says_when_it_goes_on(alone: CommandLine) -> None:
    keep(alone, fail_and_wait)

    page = words_of(alone("runs", "show", "again").out)

    assert "state ↻ retrying" in page
    assert "failure ValueError: no such day" in page
    assert any(line.startswith("again in ") for line in page)
    assert "↻ retrying again" in " ".join(words_of(alone("runs", "ls").out))


def test_steps_are_told_with_their_time_and_their_reason(alone: CommandLine) -> None:
    keep(alone, fail_and_wait)

    page = words_of(alone("runs", "show", "again").out)

    steps = page[page.index("steps") + 1 : page.index("steps") + 5]
    assert [step.split(" ", 1)[1].removeprefix("+0.00 s ") for step in steps[:3]] == [
        "○ scheduled",
        "◔ claimed",
        "● running",
    ]
    assert steps[3].split(" ", 1)[1].startswith("+2.00 s ↻ retrying") and "no such day" in steps[3]


def test_many_steps_are_counted_until_they_are_asked_for(alone: CommandLine) -> None:
    async def fail_three_times(server: Server) -> None:
        run = await fail_and_wait(server)
        for _ in range(2):
            [run] = await server.claim(now=run.due_at)
            run = await server.store.start(run.id, run.epoch, at=run.due_at, transition_id=uuid4())
            later = Outcome(state=RunState.FAILED, failure=BROKEN, retry_at=run.due_at + timedelta(minutes=1))
            run = await server.store.finish(run.id, run.epoch, later, at=run.due_at, transition_id=uuid4())

    keep(alone, fail_three_times)

    assert "steps 10; --steps shows them" in words_of(alone("runs", "show", "again").out)
    page = words_of(alone("runs", "show", "again", "--steps").out)
    assert len(page) - page.index("steps") - 1 >= 10
    assert "attempt 3" in page[page.index("steps") + 9]


def test_the_runs_below_a_run_are_a_tree(alone: CommandLine) -> None:
    keep(alone, have_children)

    page = words_of(alone("runs", "show", "parent").out)

    below = page[page.index("children") + 1 : page.index("children") + 4]
    assert below[0].startswith("├─ ✖ failed quiet-otter fetch, inside 1.00 s ValueError: no such day")
    assert below[1].startswith("└─ ○ scheduled child etl/nightly")
    assert below[2].startswith("└─ ○ scheduled grandchild etl/nightly")


def test_children_are_listed_alone(alone: CommandLine) -> None:
    parent = keep(alone, have_children)

    found = alone("runs", "ls", "--children", "parent", "--json").json

    assert {run["name"]: (run["is_nested"], run["parent_id"]) for run in found} == {
        "child": (False, str(parent.id)),
        "quiet-otter": (True, str(parent.id)),
    }
    assert "fetch, inside" in alone("runs", "ls", "--children", "parent").out
    assert "quiet-otter" not in alone("runs", "ls").out


def test_a_cancellation_is_told_phase_by_phase(alone: CommandLine) -> None:
    keep(alone, begin_to_cancel)

    page = words_of(alone("runs", "show", "deaf").out)

    at = page.index("cancellation")
    assert [line.split(" ", 1)[1] for line in page[at + 1 : at + 5]] == [
        "grace asked it to end: too long",
        "its server was told",
        "its processes were asked to end (SIGTERM)",
        "its processes were made to end (SIGKILL)",
    ]


def test_following_tells_of_each_attempt(alone: CommandLine) -> None:
    run = keep(alone, fail_and_wait)

    async def go_on() -> None:
        async with opened(alone) as store:
            [again] = (await store.claim(run.runner_id or uuid4(), [run.deployment_id], limit=1, now=run.due_at)).runs
            again = await store.start(again.id, again.epoch, at=run.due_at, transition_id=uuid4())
            await end(store, again)

    with alone.start("logs", "again", "--follow") as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        anyio.run(go_on)
        last = process.stderr.read().splitlines()[-1]

    assert "↻ retrying after attempt 1, again in 58 s: ValueError: no such day" in first
    assert "✔ completed" in last


def test_a_lost_run_is_told_as_such(alone: CommandLine) -> None:
    async def lose(server: Server) -> None:
        await server.ask(name="gone")
        await server.start_one()
        await server.store.reap(now=NOW + timedelta(minutes=2))

    keep(alone, lose)

    assert "? lost gone etl/nightly" in " ".join(words_of(alone("runs", "ls", "--state", "lost").out))
    assert "state ? lost" in words_of(alone("runs", "show", "gone").out)


def test_all_of_it_is_there_as_json(alone: CommandLine) -> None:
    keep(alone, fail_and_succeed)
    keep(alone, begin_to_cancel)
    keep(alone, have_children)

    again, deaf, parent = (alone("runs", "show", name, "--json").json for name in ("again", "deaf", "parent"))

    assert [(attempt["number"], attempt["state"]) for attempt in again["attempts"]] == [(1, "failed"), (2, "completed")]
    assert again["attempts"][0]["failure"]["message"] == "no such day"
    assert [step["state"] for step in again["steps"]][-2:] == ["running", "completed"]
    assert (again["attempt"], again["cancellation"]) == (2, None)
    assert (deaf["cancellation"]["by"], deaf["cancellation"]["reason"]) == ("grace", "too long")
    assert all(deaf["cancellation"][f"{phase}_at"] for phase in ("asked", "told", "signalled", "killed"))
    [inside, child] = parent["children"]
    assert (inside["flow"], inside["is_nested"], child["name"]) == ("fetch", True, "child")
    assert [run["name"] for run in child["children"]] == ["grandchild"]


@pytest.mark.parametrize("state", RunState)
def test_every_state_has_a_sign_and_a_word(state: RunState) -> None:
    sign, _, word = state_cell(state).text.partition(" ")
    assert len(sign) == 1 and word == state.replace("_", " ")


def test_a_run_that_completed_at_once_has_no_attempts_to_tell(alone: CommandLine) -> None:
    async def complete(server: Server) -> None:
        await server.ask(name="plain")
        await end(server.store, await server.start_one())

    keep(alone, complete)

    page = words_of(alone("runs", "show", "plain").out)
    assert [field for field in ("attempts", "children", "cancellation") if field in page] == []
