"""Whatever is done to a run, in whatever order, the store moves it as the table of transitions says."""

from __future__ import annotations

import dataclasses
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection

from flowsource.errors import InvalidTransition, Superseded
from flowsource.runs import TRANSITIONS, Failure, Run, RunState, transition
from flowsource.store import claiming, creating, finding, moving, presence, registering
from flowsource.store.database import Database
from flowsource.store.sqlite import SqliteDatabase
from flowsource.store.values import NewRun, Outcome
from tests.store.words import HOUR, NOW, SECOND, registration

FINAL = sorted(state for state in RunState if state.is_final)


class RunMachine(RuleBasedStateMachine):
    """One run, in the store and in a model that knows nothing but the table."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.database = self.open()
        self.runner = uuid4()
        self.now = NOW
        self.serve()
        self.model: Run = self.database.write(
            lambda connection: creating.create_run(
                connection, NewRun(deployment_id=self.deployment_id, scheduled_at=NOW), now=NOW
            ),
            durable=False,
        )
        self.last: tuple[UUID, RunState, Run] | None = None

    def serve(self) -> None:
        [deployment] = self.database.write(
            lambda connection: registering.register(
                connection, self.runner, [registration()], lease_until=self.now + HOUR, now=self.now
            ),
            durable=False,
        )
        self.deployment_id = deployment.id

    def open(self) -> Database:
        return SqliteDatabase(Path(self.directory.name) / "flowsource.db")

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    @rule()
    def claim(self) -> None:
        self.now += SECOND
        claimed, _ = self.database.write(
            lambda connection: claiming.claim(connection, self.runner, [self.deployment_id], limit=5, now=self.now),
            durable=False,
        )
        assert bool(claimed) == (RunState.CLAIMED in TRANSITIONS[self.model.state])
        for run in claimed:
            assert run.epoch == self.model.epoch + 1
            assert run.claimed_at == transition(self.model, RunState.CLAIMED, at=self.now).claimed_at
            self.model, self.last = run, None

    @rule(
        to=st.sampled_from([RunState.RUNNING, RunState.SCHEDULED, RunState.RETRYING, *FINAL]),
        behind=st.sampled_from([0, 0, 0, 1, -1]),
    )
    def move(self, to: RunState, behind: int) -> None:
        self.now += SECOND
        this, epoch = uuid4(), self.model.epoch - behind
        if behind:
            with pytest.raises(Superseded):
                self.ask(to, epoch, this)
        elif to not in TRANSITIONS[self.model.state] or self.is_too_late_for(to):
            with pytest.raises(InvalidTransition) as refused:
                self.ask(to, epoch, this)
            assert (refused.value.current, refused.value.wanted) == (self.model.state, to)
        else:
            moved = self.ask(to, epoch, this)
            # What is given back waits as it did before.
            reached = RunState.RETRYING if to is RunState.SCHEDULED and self.model.attempt > 1 else to
            expected = transition(self.model, reached, at=self.now)
            if to is RunState.RUNNING and self.model.runner_id != self.runner:
                reached = RunState.LOST
            assert (moved.state, moved.changed_at, moved.epoch) == (reached, self.now, epoch)
            assert (moved.started_at, moved.ended_at) == (expected.started_at, expected.ended_at)
            self.model, self.last = moved, (this, to, moved)

    def is_too_late_for(self, to: RunState) -> bool:
        return to is RunState.SCHEDULED and self.model.started_at is not None

    @rule()
    def repeat_the_last_move(self) -> None:
        if self.last:
            this, to, answer = self.last
            assert self.ask(to, answer.epoch, this) == answer

    @rule(is_back=st.booleans())
    def lose_the_runner(self, is_back: bool) -> None:
        self.now += 2 * HOUR
        moved = self.database.write(lambda connection: presence.reap(connection, now=self.now), durable=False)
        assert bool(moved) == self.model.state.is_in_progress
        for run in moved:
            expected = RunState.CRASHED if self.model.state is RunState.LOST else RunState.LOST
            assert run == dataclasses.replace(transition(self.model, expected, at=self.now), failure=run.failure)
            self.model, self.last = run, None
        self.runner = self.runner if is_back else uuid4()
        self.serve()
        if self.model.state is RunState.LOST and self.model.started_at and self.model.runner_id == self.runner:
            self.model = dataclasses.replace(self.model, state=RunState.RUNNING, changed_at=self.now, failure=None)

    @invariant()
    def the_store_holds_what_it_answered(self) -> None:
        assert self.database.read(lambda connection: finding.find_run(connection, str(self.model.id))) == self.model

    def ask(self, to: RunState, epoch: int, this: UUID) -> Run:
        run_id, at = self.model.id, self.now
        if to.is_final or to is RunState.RETRYING:
            retry_at = None if to.is_final else at
            state = to if to.is_final else RunState.FAILED
            outcome = Outcome(state=state, failure=Failure(kind="Test", message=to), retry_at=retry_at)
            return self.database.write(
                lambda connection: moving.finish(connection, run_id, epoch, outcome, at=at, transition_id=this),
                durable=False,
            )
        move = moving.start if to is RunState.RUNNING else moving.release
        return self.database.write(
            lambda connection: move(connection, run_id, epoch, at=at, transition_id=this), durable=False
        )


def test_a_run_moves_as_the_table_says() -> None:
    run_state_machine_as_test(RunMachine, settings=settings(max_examples=30, stateful_step_count=20, deadline=None))


@pytest.mark.parametrize("state", sorted(state for state in RunState if not state.is_final))
def test_a_run_cannot_end_in_a_state_that_is_not_final(state: RunState, tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "flowsource.db")
    with pytest.raises(ValueError, match=state):
        database.write(
            lambda connection: moving.finish(
                connection, uuid4(), 1, Outcome(state=state), at=NOW, transition_id=uuid4()
            ),
            durable=False,
        )
    database.close()


def test_a_database_is_written_again_after_a_change_that_failed(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "flowsource.db")

    def half(connection: Connection) -> None:
        presence.appear(connection, uuid4(), [], lease_until=NOW, now=NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write(half, durable=True)
    assert database.write(lambda connection: presence.reap(connection, now=NOW + timedelta(days=1)), durable=True) == []
    database.close()
