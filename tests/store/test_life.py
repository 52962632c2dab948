"""Whatever runners, people and clocks do, in whatever order, no run is given twice, moved by a stranger, or stuck."""

from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection

from flowsource.errors import InvalidTransition, NotFound, Superseded
from flowsource.promotions import Author
from flowsource.runs import TRANSITIONS, CancelPhase, Run, RunState
from flowsource.store import cancelling, claiming, creating, finding, moving, nesting, presence, registering, steps
from flowsource.store.database import Database
from flowsource.store.sqlite import SqliteDatabase
from flowsource.store.values import NestedRun, NewRun, Outcome
from tests.store.words import BOOM, MINUTE, NOW, registration

LEASE = MINUTE
PLACES = st.integers(0, 1)
WHICH = st.integers(0, 2)
DECLARED = [
    registration("plain"),
    registration("narrow", limit=1, global_limit=2),
    registration("again", global_limit=1, on_lost="rerun"),
]
RUN_LIMIT = {"narrow": 1}
GLOBAL_LIMIT = {"narrow": 2, "again": 1}
ENDS = st.sampled_from([RunState.COMPLETED, RunState.FAILED, RunState.TIMED_OUT, RunState.CRASHED, RunState.CANCELLED])


@dataclasses.dataclass
class Runner:
    """A process as it sees itself: it holds what it was given, until it is told that it does not any more."""

    id: UUID
    skew: timedelta = timedelta(0)
    is_registered: bool = False
    holds: list[Run] = dataclasses.field(default_factory=list)


class LifeMachine(RuleBasedStateMachine):
    """Two runners, three deployments, and a clock that each reads in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.database = self.open()
        self.now = NOW
        self.runners = [Runner(uuid4()) for _ in range(2)]
        self.deployments: list[UUID] = []
        self.given: Counter[tuple[UUID, int, int]] = Counter()
        self.seen: dict[UUID, Run] = {}
        # So that there is something to do from the beginning.
        for place in range(2):
            self.register(place)
            for which in range(3):
                self.create(which, 0)
            self.claim(place, 2)

    def open(self) -> Database:
        return SqliteDatabase(Path(self.directory.name) / "flowsource.db")

    def teardown(self) -> None:
        try:
            self.check_the_lives()
        finally:
            self.database.close()
            self.directory.cleanup()

    def write(self, change: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.database.write(lambda connection: change(connection, *args, **kwargs), durable=False)

    def clock(self, runner: Runner) -> datetime:
        return self.now + runner.skew

    @rule(seconds=st.sampled_from([0, 1, 20, 70, 700, -1, -90]))
    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(place=PLACES, seconds=st.sampled_from([0, 5, -5, 600, -600]))
    def set_the_clock(self, place: int, seconds: int) -> None:
        self.runners[place].skew = timedelta(seconds=seconds)

    @rule(place=PLACES)
    def register(self, place: int) -> None:
        runner = self.runners[place]
        now = self.clock(runner)
        registered = self.write(registering.register, runner.id, DECLARED, lease_until=now + LEASE, now=now)
        self.write(presence.find_again, runner.id, now=now)
        self.deployments = [one.id for one in registered]
        runner.is_registered = True

    @rule(place=PLACES)
    def renew(self, place: int) -> None:
        runner = self.runners[place]
        if runner.is_registered:
            self.write(presence.renew, runner.id, lease_until=self.clock(runner) + LEASE)
        else:
            with suppress(NotFound):
                self.write(presence.renew, runner.id, lease_until=self.clock(runner) + LEASE)
                raise AssertionError("a runner that was given up was not told so")

    @rule(place=PLACES)
    def die(self, place: int) -> None:
        """Its processes die with it, and another process takes its place."""
        gone, looking = self.runners[place], self.runners[1 - place]
        self.runners[place] = Runner(uuid4(), gone.skew)
        self.reaped(self.write(presence.reap, now=self.clock(looking), dead=[gone.id]))
        held = [self.get(run.id) for run in gone.holds]
        assert not [run for run in held if run.runner_id == gone.id and run.state.is_in_progress]

    @rule(place=PLACES)
    def reap(self, place: int) -> None:
        self.reaped(self.write(presence.reap, now=self.clock(self.runners[place])))

    def reaped(self, moved: list[Run]) -> None:
        registered = {known.id for known in self.write(presence.registered)}
        for runner in self.runners:
            runner.is_registered = runner.id in registered
        states = {RunState.LOST, RunState.CRASHED, RunState.RETRYING}
        assert {run.state for run in moved} <= states

    @rule(which=WHICH, seconds=st.sampled_from([0, 0, 30, -30]))
    def create(self, which: int, seconds: int) -> None:
        at = self.now + timedelta(seconds=seconds)
        run = self.write(
            creating.create_run, NewRun(deployment_id=self.deployments[which], scheduled_at=at), now=self.now
        )
        self.seen[run.id] = run

    @rule(place=PLACES, limit=st.integers(1, 3))
    def claim(self, place: int, limit: int) -> None:
        runner = self.runners[place]
        try:
            claimed, _ = self.write(claiming.claim, runner.id, self.deployments, limit=limit, now=self.clock(runner))
        except NotFound:
            assert not runner.is_registered
            return
        assert len(claimed) <= limit
        for run in claimed:
            assert run.due_at <= self.clock(runner)
            self.given[run.id, run.attempt, run.epoch] += 1
            runner.holds.append(run)
        for declared, deployment_id in zip(DECLARED, self.deployments, strict=True):
            name = declared.declared.name
            if deployment_id in {run.deployment_id for run in claimed}:
                going_on = [
                    run for run in self.all_runs() if run.deployment_id == deployment_id and run.state.is_in_progress
                ]
                here = [run for run in going_on if run.runner_id == runner.id]
                assert len(going_on) <= GLOBAL_LIMIT.get(name, 1000)
                assert len(here) <= RUN_LIMIT.get(name, 1000)

    def act(self, place: int, number: int, move: Callable[..., Any], **said: Any) -> None:
        """Have a runner do something to a run that it believes to hold."""
        runner = self.runners[place]
        if not runner.holds:
            return
        held = runner.holds[-1 - number % len(runner.holds)]
        before = self.get(held.id)
        try:
            self.write(move, held.id, held.epoch, **said)
        except Superseded:
            # To tell of nested flows is refused too where the attempt has ended.
            assert before.epoch > held.epoch or not before.state.is_in_progress
        except InvalidTransition:
            assert before.epoch == held.epoch
        else:
            assert before.epoch == held.epoch, "an older claim moved a run"
            return
        assert self.get(held.id) == before

    @rule(place=PLACES, number=WHICH)
    def start(self, place: int, number: int) -> None:
        self.act(place, number, moving.start, at=self.now, transition_id=uuid4())

    @rule(place=PLACES, number=WHICH)
    def release(self, place: int, number: int) -> None:
        self.act(place, number, moving.release, at=self.now, transition_id=uuid4())

    @rule(place=PLACES, number=WHICH, state=ENDS)
    def finish(self, place: int, number: int, state: RunState) -> None:
        outcome = Outcome(state=state, failure=None if state is RunState.COMPLETED else BOOM)
        self.act(place, number, moving.finish, outcome=outcome, at=self.now, transition_id=uuid4())

    @rule(place=PLACES, number=WHICH, seconds=st.sampled_from([0, 60]))
    def fail_and_retry(self, place: int, number: int, seconds: int) -> None:
        outcome = Outcome(state=RunState.FAILED, failure=BOOM, retry_at=self.now + timedelta(seconds=seconds))
        self.act(place, number, moving.finish, outcome=outcome, at=self.now, transition_id=uuid4())

    @rule(place=PLACES, number=WHICH)
    def call_inside(self, place: int, number: int) -> None:
        child = NestedRun(id=uuid4(), name="child", flow="child", state=RunState.RUNNING, started_at=self.now)
        self.act(place, number, nesting.nest, nested=[child])

    @rule(place=PLACES, number=WHICH, phase=st.sampled_from(CancelPhase))
    def note_cancel(self, place: int, number: int, phase: CancelPhase) -> None:
        self.act(place, number, cancelling.note, phase=phase, at=self.now)

    @precondition(lambda self: self.seen)
    @rule(number=st.integers(0, 9))
    def ask_cancel(self, number: int) -> None:
        run_id = list(self.seen)[-1 - number % len(self.seen)]
        before = self.get(run_id)
        after = self.write(cancelling.ask, run_id, Author(by="anna"), now=self.now)
        assert before.state.is_final or after.state.is_final or after.cancellation

    def get(self, run_id: UUID) -> Run:
        return self.database.read(lambda connection: finding.find_run(connection, str(run_id)))

    def all_runs(self) -> list[Run]:
        def ask(connection: Connection) -> list[Run]:
            return finding.newest_runs(connection, deployment_id=None, states=(), parent_id=None, limit=1000)

        return self.database.read(ask)

    @invariant()
    def every_attempt_was_given_to_one_claim(self) -> None:
        assert set(self.given.values()) <= {1}

    @invariant()
    def every_run_is_where_it_may_be(self) -> None:
        registered = {runner.id for runner in self.runners if runner.is_registered}
        for run in self.all_runs():
            before = self.seen[run.id]
            assert run.epoch >= before.epoch
            assert run == before or not before.state.is_final
            assert run.state.is_final == (run.ended_at is not None)
            has_runner = run.runner_id in registered
            assert run.state.is_final or run.state.is_waiting or run.state is RunState.LOST or has_runner
            # A run that waits is cancelled when it is asked for, so none waits that is to end.
            assert not (run.state.is_waiting and run.cancellation)
            self.seen[run.id] = run

    def check_the_lives(self) -> None:
        for run_id, run in self.seen.items():

            def ask(connection: Connection, run_id: UUID = run_id) -> tuple[list[Any], list[Any], list[Run]]:
                nested = finding.newest_runs(connection, deployment_id=None, states=(), parent_id=run_id, limit=100)
                return steps.of_run(connection, run_id), steps.attempts_of(connection, run_id), nested

            way, attempts, nested = self.database.read(ask)
            assert way[0].state is RunState.SCHEDULED
            assert all(after.state in TRANSITIONS[before.state] for before, after in pairwise(way)), way
            assert way[-1].state is run.state
            assert [one.number for one in attempts] == list(range(1, len(attempts) + 1))
            assert len({one.epoch for one in attempts}) == len(attempts)
            if not run.state.is_in_progress:
                assert all(one.state.is_final for one in nested)


def test_no_order_of_things_breaks_a_promise() -> None:
    run_state_machine_as_test(LifeMachine, settings=settings(max_examples=15, stateful_step_count=50, deadline=None))
