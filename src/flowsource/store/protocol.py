"""The protocol of the store: what every implementation of it promises."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from flowsource.deployments import Deployment
from flowsource.events import Event, NewEvent
from flowsource.promotions import Act, Author, Decision, HistoryEntry
from flowsource.queries.terms import Query
from flowsource.retention import Limits, Pruned
from flowsource.revisions import Revision
from flowsource.runs import Attempt, CancelPhase, Failure, Run, RunState, Transition
from flowsource.schedules import Schedule
from flowsource.store.values import (
    ALL_LINES,
    BEFORE_ALL,
    HISTORY_KEPT,
    Backlog,
    Claim,
    Claimed,
    EventPage,
    Firing,
    KnownRunner,
    KnownSource,
    LineFilter,
    LinePage,
    LinePlace,
    LogLine,
    NestedRun,
    NewFiring,
    NewRun,
    Outcome,
    Page,
    Registration,
    RunGlimpse,
    RunnerInfo,
    ScheduleState,
    SourceReport,
    SourceWish,
    Things,
    TriggerState,
)
from flowsource.tokens import Token
from flowsource.triggers import Trigger
from flowsource.triggers.counting import State


class Changes(Protocol):
    """An open ear for what other processes write. A hint, never the truth: whoever is woken looks for himself."""

    async def wait(self, timeout: timedelta) -> bool:
        """Wait for a change, at most for `timeout`; whether there was one since the ear was opened or last woke."""


class Store(Protocol):
    """What flowsource remembers. Every implementation passes `StoreContract` in the tests.

    Each method is one transaction. Those that take `transition_id` may be repeated with the same one: a lost reply and
    a retry give the same answer. `now`, `at` and the like are times of the clock of the store, UTC-aware. Methods raise
    StoreUnavailable when a later try may succeed.
    """

    def now(self) -> datetime:
        """The time by the clock of the store, as far as it is known here; nothing is asked for it.

        That clock is the database's where that is a server, and else that of the machine with the file: who shares a
        store agrees on the time, whatever the clocks of their machines say.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def register(
        self,
        runner_id: UUID,
        registrations: Sequence[Registration],
        *,
        lease_until: datetime,
        now: datetime,
        owner: str | None = None,
        info: RunnerInfo | None = None,
    ) -> list[Deployment]:
        """Make a live runner known, with what it serves and what it says of itself: all of it, or nothing.

        Registering the same again changes nothing but `updated_at`. What the code says (parameters, tags, schedules,
        ...) follows the code; what a person set elsewhere (a pause, a pin, a rollback, schedules that were added, held
        or removed) survives, until the code says something else of just that (see `flowsource.merging`). A schedule
        that was there before keeps its anchor. Its cursor is kept too, unless the deployment was stopped with
        `pause_on_shutdown`: then it begins at `now`, as it does for a new schedule.
        `stopped` is lifted. One that is stale, older than what was decided on, or not what a person wants, moves no
        deployment of the same source and entrypoint: its active revision, the facts and the rejection stay as they are.

        With an `owner` what is new becomes his, and so does the runner; raises NotAllowed for what is there and is not.
        """

    async def renew(self, runner_id: UUID, *, lease_until: datetime) -> None:
        """Prolong the presence of a runner, which is never shortened by it; raises NotFound when it was given up for
        lost, and its runs with it.

        What it serves is not `stopped`: that is lifted where another took leave while this lease had run out.
        """

    async def retire(self, runner_id: UUID, *, now: datetime) -> list[Deployment]:
        """Take leave: the runner is gone, and what it served with `pause_on_shutdown` and no other live runner serves
        is marked `stopped`. Returns the deployments that were stopped by this."""

    async def reap(self, *, now: datetime, dead: Collection[UUID] = ()) -> list[Run]:
        """Retire the runners that are gone, and return the runs of theirs that were moved by this.

        Of those in `dead`, which the caller knows to have ended, runs are `crashed`. Of those whose lease ended before
        `now` they are `lost`, until their runner comes back (`register`), says how they ended, or `LOST_FOR` has passed
        since: then they are `crashed`. Where the deployment says `on_lost="rerun"` they get another attempt instead:
        at once for the dead, and `RERUN_AFTER` the end of the lease for others.

        While a machine sleeps every lease on it runs out. Whoever finds that the clock has jumped must renew, and reap
        no sooner than the others had time to renew as well.
        """

    async def runners(self) -> list[KnownRunner]:
        """The runners that are registered, by id, whether or not their lease has ended."""

    async def deployments(self) -> list[Deployment]:
        """All deployments, by full name."""

    async def deployment(self, name: str) -> Deployment:
        """The deployment called `flow/deployment`, or by its own name where that is unique; raises DeploymentNotFound
        with names that look alike."""

    async def served(self, *, now: datetime) -> set[UUID]:
        """The deployments that a live runner serves."""

    async def set_paused(
        self, deployment_id: UUID, paused: bool, *, author: Author | None = None, now: datetime
    ) -> Deployment:
        """Hold the schedules and triggers of a deployment, or let them go on: a person's wish, which survives restarts.

        What they would have started while they were held is not made up for. With an `author` the history tells it.
        Raises DeploymentNotFound.
        """

    async def decide(self, deployment_id: UUID, decision: Decision, *, now: datetime) -> Deployment:
        """Carry out what was decided of a revision (see `standing.after_decision`), with its entry in the history.

        Raises Outdated, and changes nothing, where the deployment is not as it was when that was decided (its `epoch`),
        or a newer revision was decided on meanwhile: so of two servers the older candidate never wins.
        """

    async def act(self, deployment_id: UUID, act: Act, author: Author, *, now: datetime) -> Deployment:
        """Do what a person asks for (see `standing.after_act`), with its entry in the history.

        It survives restarts; a revision that is to be brought first is a `wish`, which a server carries out. Raises
        InConflict where it does not go with how the deployment stands.
        """

    async def delete_deployment(self, deployment_id: UUID, author: Author, *, now: datetime) -> bool:
        """Remove some of what is known of a deployment, in one short transaction; whether all of it is gone. Repeated
        until that is so, its runs have gone with their logs, its schedules, its triggers, its history, and itself.

        Runs of others that one of its runs asked for stay, and have no parent. Raises DeploymentNotFound, or InConflict
        where a runner serves it (also one that is out of sight, for `LOST_FOR`), or a run of it is in progress.
        """

    async def history(self, deployment_id: UUID, *, limit: int = HISTORY_KEPT) -> list[HistoryEntry]:
        """What happened to a deployment, newest first; of each the newest `HISTORY_KEPT` entries are kept."""

    async def schedules(self, deployment_ids: Sequence[UUID]) -> list[ScheduleState]:
        """The schedules of these deployments."""

    async def add_schedule(
        self, deployment_id: UUID, schedule: Schedule, author: Author, *, now: datetime
    ) -> ScheduleState:
        """Add a schedule that a person wants, which begins at `now`; the history tells it.

        It stays, whatever servers register, until a person removes it, or the code declares the same one: then it is
        the code's. One that the code declares and a person removed comes back. Raises InConflict where the deployment
        has one of its slug, or that says the same (`content_key`), else DeploymentNotFound.
        """

    async def set_schedule_active(
        self, deployment_id: UUID, key: str, active: bool, author: Author, *, now: datetime
    ) -> ScheduleState:
        """Hold one schedule, or let it go on: a person's wish, which survives until the code says something else of
        `active`. What it would have started meanwhile is not made up for; the history tells it. Raises
        DeploymentNotFound or ScheduleNotFound.
        """

    async def remove_schedule(self, deployment_id: UUID, key: str, author: Author, *, now: datetime) -> ScheduleState:
        """Take a schedule away, and return it as it was last; the history tells it. One of the code stays away as long
        as the code says the same of it. Raises DeploymentNotFound or ScheduleNotFound.
        """

    async def create_scheduled(
        self,
        deployment_id: UUID,
        key: str,
        instants: Sequence[datetime],
        *,
        skipped: Mapping[datetime, Failure] | None = None,
        cursor: datetime,
        now: datetime,
    ) -> list[Run]:
        """Create one run for each instant, with the parameters of schedule `key` over those of the deployment, and move
        its cursor. A run comes due at its instant, or by the `jitter` of the schedule after it.

        For each instant that is `skipped` there is a run in that state, with the reason, which nobody executes.
        Exactly once for each (deployment, key, instant), whoever races: those that exist are left as they are and not
        returned. The cursor never moves back. Of a schedule that was taken away there are none.
        """

    async def create_run(self, new: NewRun, *, now: datetime) -> Run:
        """Create a run on request, with `new.parameters` over the deployment's own; raises DeploymentNotFound, or
        RunNotFound where there is no such parent, or no such run that waits for it.

        One that is a rerun has the parameters and the tags of the other, as they are there, instead. Raises InConflict
        where it is to have a revision of that too, which has none."""

    async def go_on(self, waiter: Claim, awaited_id: UUID) -> None:
        """The run of `waiter` does not wait any longer for that one, if it did."""

    async def waiting(self, runner_id: UUID) -> set[UUID]:
        """The runs that `runner_id` has in progress and that wait for others (`NewRun.awaited_by`) to end."""

    async def claim(
        self,
        runner_id: UUID,
        deployment_ids: Sequence[UUID],
        *,
        limit: int,
        now: datetime,
        transition_id: UUID | None = None,
        after: UUID | None = None,
    ) -> Claimed:
        """Take up to `limit` runs that are due for `runner_id`: state `claimed`, epoch and attempt one higher, and at
        the first attempt the active revision of their deployment fixed on them.

        Deployments take turns, and of each the run that is due longest comes first. No deployment gets more runs in
        progress (claimed, running or lost) than its `limit` on this runner, nor than its `global_limit` on all of them,
        where a run that waits for another does not count; those beyond the latter wait, or are cancelled where its
        `collision_strategy` says so. A scheduled run that is behind its time by the `max_lateness` of its schedule, or
        else of its deployment, is skipped. Neither happens to one that was begun before. A run is given to one claim
        only, whoever races. Raises NotFound for a runner that is not registered. Durable when it returns.

        With a `transition_id` it says `after` which claim it comes: the `last` of the answer before. Where its runner
        was given runs since, by this claim or by one of which the answer was lost, it gives those of them that have
        not begun, and takes none: neither what is repeated nor what comes late takes runs of which nobody hears.
        """

    async def start(self, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
        """From claimed (or lost) to running; raises Superseded for another epoch, InvalidTransition for another state.

        One that is lost stays so until its runner has registered again.
        """

    async def rename(self, run_id: UUID, epoch: int, name: str) -> Run:
        """Give a run the name that its flow says it is to have; raises Superseded, or RunNotFound."""

    async def finish(
        self,
        run_id: UUID,
        epoch: int,
        outcome: Outcome,
        *,
        at: datetime,
        transition_id: UUID,
        began_at: datetime | None = None,
        lines: Sequence[LogLine] = (),
    ) -> Run:
        """To the state of `outcome`, with the last lines of its log; same errors as `start`.

        `began_at` is when it began, where `start` was not called: one write tells both then.

        That is `retrying` where the outcome has a `retry_at`, unless the run is to be cancelled: then it is
        `cancelled`. Its nested runs that go on end with it in the same way (as crashed where it completed). Repeated
        when the run has moved on already, it gives the run as it is by then. Durable when it returns.
        """

    async def release(self, run_id: UUID, epoch: int, *, at: datetime, transition_id: UUID) -> Run:
        """From claimed (or lost before it began) back to where it waited, for a runner that will not start it.

        One that is to be cancelled is `cancelled` instead. Same errors as `start`.
        """

    async def ask_cancel(self, run_id: UUID, author: Author, *, now: datetime) -> Run:
        """Have a run end: at once while it waits, else by its runner, which hears of it on `CANCELS`.

        One that is lost is `crashed`, since nobody knows what it does. One that has ended, or is to end already, stays
        as it is. Raises RunNotFound. Durable when it returns.
        """

    async def note_cancel(self, run_id: UUID, epoch: int, phase: CancelPhase, *, at: datetime) -> Run:
        """Note what was done about a cancellation; raises Superseded.

        The first instant of each phase stays, and a run that has ended stays as it is.
        """

    async def to_cancel(self, runner_id: UUID) -> list[Run]:
        """The runs that `runner_id` has in progress and that are to end."""

    async def nest(self, run_id: UUID, epoch: int, nested: Sequence[NestedRun]) -> None:
        """Keep what a run tells of flows that were called inside it: new ones are added, and none leaves a final state.
        Raises Superseded, also when the attempt has ended, or RunNotFound."""

    async def attempts(self, run_id: UUID) -> list[Attempt]:
        """The attempts of a run, in order."""

    async def transitions(self, run_id: UUID) -> list[Transition]:
        """The steps in the life of a run, in order."""

    async def run(self, run: str) -> Run:
        """The run of that id, of a unique beginning of an id (4 characters or more) or of that name (the newest);
        raises RunNotFound."""

    async def runs(
        self,
        *,
        deployment_id: UUID | None = None,
        states: Sequence[RunState] = (),
        parent_id: UUID | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[Run]:
        """The newest runs first, those of a deployment, of certain states, or that one run asked for or called, and of
        them those that were created before the run of the id `before`.

        Nested runs are left out unless they are asked for by their parent.
        """

    async def find_runs(self, query: Query, *, cursor: str | None = None, limit: int = 50) -> Page[Run]:
        """Up to `limit` (1 or more) of the runs that `query` asks for (see `queries.runs.matches`), the newest first;
        with the `cursor` of a page, those behind it.

        While runs are created and move on, each one that was there with the first page, and that the query asks for
        all the while, is on one page and on no other. Raises InvalidQuery, or InvalidInput for what is no cursor.
        """

    async def count_runs(self, query: Query) -> int:
        """How many runs `query` asks for, or `COUNTED` where there are more."""

    async def backlog(self) -> list[Backlog]:
        """The runs that have not ended, by their states; those inside others do not count."""

    async def latest_runs(self, deployment_ids: Sequence[UUID], *, each: int) -> dict[UUID, list[RunGlimpse]]:
        """The newest `each` runs of each of these deployments, the oldest of them first; those inside others do not
        count."""

    async def find_deployments(
        self, query: Query, *, cursor: str | None = None, limit: int = 50, now: datetime
    ) -> Page[Deployment]:
        """Up to `limit` of the deployments that `query` asks for (see `queries.deployments.matches`), by full name; as
        `find_runs`."""

    async def revisions_of_runs(self) -> list[tuple[str, Revision]]:
        """The revisions at which runs go on, or are to have another attempt, each with the key of its source."""

    async def append_lines(self, run_id: UUID, lines: Sequence[LogLine]) -> None:
        """Keep lines of a run's log. What is at the same place already is left as it is. Raises RunNotFound."""

    async def lines(self, run_id: UUID, *, after: LinePlace = BEFORE_ALL, limit: int = 1000) -> list[LogLine]:
        """Up to `limit` lines of a run's log that come `after` that place, in order."""

    async def find_lines(
        self,
        run_id: UUID,
        wanted: LineFilter = ALL_LINES,
        *,
        begin: LinePlace = BEFORE_ALL,
        backwards: bool = False,
        limit: int = 1000,
    ) -> LinePage:
        """Up to `limit` (1 or more) of the lines of a run's log that are wanted, the next after `begin`, or where it
        goes `backwards` the last before it.

        No call looks at more than some thousands of lines that may be wanted: whoever goes on from the `upto` of each
        page to the last one has all. Raises nothing for a run that is not there, which has no lines.
        """

    async def prune(self, limits: Limits) -> Pruned:
        """Remove some of what may go by `limits` (see `retention.may_go`), in one short transaction, and tell how much.
        Repeated until that is nothing, all of it has gone. Not durable: what is there again goes the next time.

        The lines of a run go before it, and runs inside it with it. A run that it asked for stays, and has no parent.
        A trigger that had not looked at an event which goes has a firing that says so.
        """

    async def prunable(self, limits: Limits) -> Pruned:
        """How much may go by `limits`: runs, without those inside others, lines of logs and events."""

    async def take_turn(self, chore: str, *, now: datetime, length: timedelta) -> bool:
        """Whether the caller is the one to do `chore`, which nobody else is before `length` has passed."""

    async def report_sources(self, reports: Sequence[SourceReport]) -> None:
        """Keep what a server tells of its sources, in place of what was told before. Not durable: it is told again."""

    async def sources(self, *, now: datetime) -> list[KnownSource]:
        """Every source that was ever told of, by label, also those that nobody serves any more."""

    async def set_source_paused(self, key: str, paused: bool, *, now: datetime) -> SourceWish:
        """Have the sources of `key` not polled any more, or polled again: a person's wish, which survives restarts.

        One that was paused already keeps the instant since which it is.
        """

    async def hint_sources(self, keys: Sequence[str]) -> list[SourceWish]:
        """Have the sources of each of `keys` looked at now by whoever serves them; returns the wishes for them."""

    async def source_wishes(self, keys: Sequence[str]) -> list[SourceWish]:
        """What is wanted of the sources of `keys`, in their order."""

    async def emit(self, told: Sequence[NewEvent]) -> None:
        """Keep events that somebody tells, in this order. One whose `id` is there already is left as it is.

        Raises RunNotFound where a run that tells one is not there, and InvalidInput for a name that nobody else may
        use (see `check_event_name`). Durable when it returns.
        """

    async def events(self, *, after: int, names: Sequence[str] = (), limit: int = 500) -> EventPage:
        """Up to `limit` events that come `after` that number, in order: all, or those of `names`.

        A name may be the beginning of some, with `*` behind it. No event ever appears behind one that was read:
        whoever goes on `after` the `upto` of what he got has seen every one.
        """

    async def newest_events(
        self, *, names: Sequence[str] = (), before: int | None = None, limit: int = 50
    ) -> list[Event]:
        """The newest events first, all or those of `names`, as in `events`; or those with a number below `before`."""

    async def create_token(self, token: Token, digest: str) -> Token:
        """Keep a new token, of whose secret that is the digest; raises InConflict where one of its name counts."""

    async def tokens(self) -> list[Token]:
        """All tokens, the oldest first, also those that do not count any more."""

    async def revoke_token(self, name: str, *, now: datetime) -> Token:
        """Let the token of that name count no more; raises NotFound."""

    async def use_token(self, digest: str, *, now: datetime) -> Token | None:
        """The token of that digest if it counts at `now`, and note that it was used."""

    async def create_login_link(self, digest: str, token_id: UUID, *, until: datetime, now: datetime) -> None:
        """Keep the digest of a link by which a browser may come in once before `until`, with the token of that id;
        raises NotFound where there is none."""

    async def begin_session(self, link: str, digest: str, *, until: datetime, now: datetime) -> Token | None:
        """Use a link up, and keep the digest of the session that begins by it; the token that it came in with. None
        where the link was used up before or is too old, or its token counts no more."""

    async def use_session(self, digest: str, *, until: datetime, now: datetime) -> Token | None:
        """The token of the session of that digest, if both count at `now`; the session lasts `until` then by then, to
        a minute, and the token was used."""

    async def end_session(self, digest: str) -> None:
        """End the session of that digest, if there is one."""

    async def not_owned(self, owner: str, things: Things) -> Things:
        """Those of `things` that are there and are not the owner's; of sources, those that no deployment of his has.

        A run belongs to whom its deployment does.
        """

    async def triggers(self, deployment_ids: Sequence[UUID]) -> list[TriggerState]:
        """The triggers of these deployments. A new one has looked at all that had happened when it was registered, and
        so has one whose deployment was paused, when that goes on again."""

    async def add_trigger(
        self, deployment_id: UUID, trigger: Trigger, author: Author, *, now: datetime
    ) -> TriggerState:
        """Add a trigger that a person wants, which looks at what happens from `now` on; the history tells it.

        It stays, whatever servers register, until a person removes it, or the code declares the same one: then it is
        the code's. One that the code declares and a person removed comes back. Raises InConflict where the deployment
        has one of its name, or that says the same (`trigger_key`), else DeploymentNotFound.
        """

    async def set_trigger_enabled(
        self, deployment_id: UUID, key: str, enabled: bool, author: Author, *, now: datetime
    ) -> TriggerState:
        """Hold one trigger, or let it go on: a person's wish, which survives until the code says something else of
        `enabled`. What happened meanwhile is not looked at; the history tells it. Raises DeploymentNotFound or
        TriggerNotFound.
        """

    async def remove_trigger(self, deployment_id: UUID, key: str, author: Author, *, now: datetime) -> TriggerState:
        """Take a trigger away, and return it as it was last; the history tells it. One of the code stays away as long
        as the code says the same of it. Raises DeploymentNotFound or TriggerNotFound.
        """

    async def move_trigger(
        self, before: TriggerState, *, state: State, cursor: int, fired: Sequence[NewFiring], now: datetime
    ) -> list[Firing]:
        """Keep that a trigger has looked at the events up to `cursor` and what it has counted by then, with its firings
        and the runs that they make, which come due by the trigger's `schedule_after` from `now`.

        Each firing is kept once, whoever races: those that were there are not returned. One whose deployment comes
        round too often in the chain of deployments that led to its event makes no run, and is `cut`. Of each
        deployment the newest `FIRINGS_KEPT` are kept. Raises Outdated, and changes nothing, where the trigger is not
        as it was `before`. Durable when it returns.
        """

    async def firings(self, deployment_id: UUID, *, limit: int = 50) -> list[Firing]:
        """What the triggers of a deployment fired, newest first."""

    async def event(self, seq: int) -> Event | None:
        """The event of that number; None for one that is not kept any more."""

    def changes(self, *topics: str) -> AbstractAsyncContextManager[Changes]:
        """Listen, while the context is open, for writes by any process that concern one of `topics`.

        Topics are `WORK` (a run may be claimed that could not before), `CANCELS` (one is to end), `DEPLOYMENTS` (one of
        them, or a schedule, changed), `SOURCES` (one was reported), `WISHES` (something is wanted of a source), `WAITS`
        (a run waits for another, or no longer), `EVENTS` (there is a new one) and `about(run_id)` (its state or its
        log).
        """
