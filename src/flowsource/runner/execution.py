"""One attempt of a claimed run, from its claim to its end."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from signal import SIGKILL
from typing import Any

import anyio
from anyio.abc import TaskGroup

from flowsource.deployments import Rejection
from flowsource.errors import FlowsourceError, RevisionGone, RevisionRejected
from flowsource.hooks import OCCASION_OF
from flowsource.runner.conversation import converse
from flowsource.runner.desk import Answer
from flowsource.runner.emitted import event_from
from flowsource.runner.hooking import call_hooks
from flowsource.runner.inspection import inspect_entrypoint
from flowsource.runner.nested import nested_from
from flowsource.runner.orders import order_for_hook, order_for_run
from flowsource.runner.outcomes import (
    NOT_OURS,
    SHUTDOWN,
    Stop,
    cancelled,
    left_behind_text,
    outcome_of,
    outcome_of_stop,
    timed_out,
    with_hint,
)
from flowsource.runner.output.run_log import RunLog
from flowsource.runner.processes.process import Exit, RunProcess
from flowsource.runner.processes.stopping import Stopper
from flowsource.runner.record import RunRecord
from flowsource.runner.requests import answer_for
from flowsource.runner.workplace import Workplace, workplace
from flowsource.runner.workshop import Served, Workshop
from flowsource.runs import Cancellation, CancelPhase, Failure, Run, RunState
from flowsource.store.values import Outcome

logger = logging.getLogger(__name__)

Freshen = Callable[[], Awaitable[str | None]]

# How long a run may take to end whose time is over, or whose server has no more time.
SHORT_GRACE = timedelta(seconds=5)


class Execution:
    """Executes one attempt: starts its process, keeps what it writes, ends it when it must, and records what became
    of it.

    `freshen` is called before anything else, where there is one: it says what stands in the way of the newest code, if
    anything, and a run whose deployment serves another revision then goes back to be claimed again.

    `on_process_gone` is called as soon as the process is gone, before the end is recorded: its slot is free then.
    `hooking` limits how many processes call hooks at once.
    """

    def __init__(
        self,
        run: Run,
        served: Served,
        shop: Workshop,
        *,
        hooking: anyio.CapacityLimiter,
        freshen: Freshen | None,
        on_process_gone: Callable[[], None],
    ) -> None:
        self._served, self._shop = served, shop
        self._deployment = served.deployment
        self._hooking, self._on_process_gone = hooking, on_process_gone
        self._freshen = freshen
        self._record = RunRecord(
            run, shop.store, shop.terminal, on_refused=self._end_what_is_not_ours, spool=shop.spool
        )
        self._log = RunLog(run, store=shop.store, terminal=shop.terminal, limits=shop.log_limits, spool=shop.spool)
        self._hooks = frozenset(self._deployment.facts.hooks)
        self._preparation = anyio.CancelScope()
        self._stopper = Stopper(self._note)
        self._wish: Cancellation | None = None
        self._process: RunProcess | None = None
        self._beside: TaskGroup | None = None
        self._running_hooks: anyio.Event | None = None
        self._saving, self._after = anyio.CancelScope(), anyio.CancelScope()
        self._answer: dict[str, Any] | None = None
        self._has_ended = False
        self.ended = anyio.Event()

    @property
    def run(self) -> Run:
        """The run as it was recorded last."""
        return self._record.run

    @property
    def grace(self) -> timedelta:
        """How long the run may take to end by itself."""
        return self._deployment.declared.grace

    @property
    def may_run_again(self) -> bool:
        """Whether another server may execute it once ours is lost."""
        return self._deployment.declared.on_lost == "rerun"

    async def execute(self) -> None:
        """From a claim to the end of the attempt, or back to where it waited when we are stopped before it began."""
        try:
            await self._execute()
        except FlowsourceError as error:
            logger.warning("run %s could not be started: %s", self.run.name, error)
            await self._give_up(str(error))
        except Exception as error:  # One run that meets a fault of ours must not end those of others.
            logger.exception("run %s met a fault of flowsource", self.run.name)
            await self._give_up(f"{type(error).__name__}: {error}")
        finally:
            self.ended.set()

    def cancel(self, wish: Cancellation) -> None:
        """Somebody wants it to end; asked again, nothing more happens."""
        if self._wish is None:
            self._wish = wish
            self._note(CancelPhase.TOLD)
            self.stop(cancelled(wish), grace=self.grace)

    def stop(self, why: Stop, *, grace: timedelta) -> None:
        """Have it end, within `grace` if it has begun."""
        self._stopper.stop(why, grace=grace)
        self._preparation.cancel()

    def kill(self, why: Stop) -> None:
        """End it now."""
        self.stop(why, grace=timedelta(0))
        if self._process is not None:
            self._process.signal_group(SIGKILL)

    def give_back(self) -> None:
        """Give the run back to others unless it has a process already."""
        self._preparation.cancel()

    def hurry(self) -> None:
        """Leave the hooks if it has ended and only they go on."""
        if self._has_ended:
            self._after.cancel()

    def abandon(self) -> None:
        """Leave all but its processes: what is not recorded now will be found out by others."""
        self._record.abandon()
        self._after.cancel()

    async def _execute(self) -> None:
        async with AsyncExitStack() as held:
            place: Workplace | None = None
            try:
                with self._preparation:
                    if self._freshen is not None and await self._is_outdated(self._freshen):
                        await self._record.release()
                        return
                    await self._load_first()
                    place = await held.enter_async_context(workplace(self.run, self._served, self._shop))
            except anyio.get_cancelled_exc_class():
                await self._record.release()
                raise
            if place is None:
                await self._leave_unbegun()
            else:
                await self._execute_at(place)

    async def _load_first(self) -> None:
        """Have the revision loaded here, in a clean process, unless it was; raises RevisionRejected, or
        RevisionGone where there is another by now.

        That is so for one that another server promoted, of an attempt that began elsewhere, or that nobody here knows.
        """
        source, revision, known = self._served.source, self.run.revision, self._served.loaded
        if source.mount is not None and self.run.keeps_revision and revision != self._deployment.active:
            raise RevisionGone(
                f"{source.label} is used in place, and what was there is gone: only what is there now can be run."
            )
        if source.mount is not None or revision is None or revision in known:
            return
        snapshot = await self._shop.cache.ensure(source, revision)
        found = await inspect_entrypoint(self._shop.server, self._shop.cache, snapshot, self._deployment.declared)
        if isinstance(found, Rejection):
            raise RevisionRejected(f"{source.label} at {revision.short} does not load here: {found.message}")
        known.add(revision)

    async def _is_outdated(self, freshen: Freshen) -> bool:
        """Whether there is a newer revision than the one the run was claimed at, once its source was asked."""
        if (trouble := await freshen()) is not None:
            self._log.say(logging.WARNING, f"{trouble}; this run goes on with what served last.")
        return self._served.deployment.active != self.run.revision

    async def _leave_unbegun(self) -> None:
        """End, or give back, what was stopped while its code was brought."""
        why = self._stopper.reason
        if why is None or why is SHUTDOWN:
            await self._record.release()
        else:
            await self._record.finish(outcome_of_stop(why, now=self._shop.store.now()))

    async def _execute_at(self, place: Workplace) -> None:
        async with anyio.create_task_group() as beside:
            self._beside = beside
            beside.start_soon(self._save_log)
            self._record.open(beside)
            try:
                outcome = await self._converse(place)
            except anyio.get_cancelled_exc_class():
                stop = self._stopper.reason or SHUTDOWN
                await self._end(outcome_of(self._answer, Exit(0), stop=stop, now=self._shop.store.now()), place)
                raise
            if await self._end(outcome, place):
                await self._follow_up(place)
            beside.cancel_scope.cancel()

    async def _converse(self, place: Workplace) -> Outcome:
        def on_start(process: RunProcess) -> None:
            self._process = process
            self._record.started(self._shop.store.now())
            assert self._beside is not None, "tasks go on beside the run"
            self._stopper.watch(process, self._beside)

        how, lost = Exit(0), None
        words = self._log.of_process()
        try:
            how = await converse(
                self._shop.server,
                order_for_run(self.run, self._deployment, place),
                on_output=words.printed,
                on_message=partial(self._on_message, place),
                on_start=on_start,
                until_room=self._log.until_room,
                on_ask=self._answer_to(waits=True),
                preload=self._deployment.declared.preload,
            )
        except FlowsourceError as error:
            lost = Failure(kind="process", message=str(error))
        finally:
            words.close()
        if lost is not None and self._answer is None and self._stopper.reason is None:
            return Outcome(state=RunState.CRASHED, failure=lost)
        if how.left_behind and self._stopper.reason is None:
            self._log.say(logging.WARNING, f"{left_behind_text(how.left_behind).capitalize()}.")
        return outcome_of(self._answer, how, stop=self._stopper.reason, now=self._shop.store.now())

    async def _end(self, outcome: Outcome, place: Workplace) -> bool:
        """Record how it ended, with its last lines; whether that was taken."""
        self._on_process_gone()
        self._saving.cancel()
        lines = self._log.unsaved
        outcome = with_hint(outcome, root=place.snapshot.root, directory=place.directory)
        is_recorded = await self._record.finish(outcome, lines)
        self._has_ended = True
        if is_recorded:
            self._log.saved(lines)
        return is_recorded

    async def _follow_up(self, place: Workplace) -> None:
        """Call the hooks for how it ended, and wait for those that were called when it began."""
        hook = OCCASION_OF.get(self.run.state)
        is_wanted = hook is not None and hook in self._hooks
        if not is_wanted and self._running_hooks is None:
            return
        assert self._beside is not None, "tasks go on beside the run"
        self._saving = anyio.CancelScope()
        self._beside.start_soon(self._save_log)
        with self._after:
            if is_wanted and hook is not None:
                await self._call_hooks(hook, self.run, place)
            if self._running_hooks is not None:
                await self._running_hooks.wait()
        self._saving.cancel()
        await self._log.save_rest()

    async def _call_hooks(self, hook: str, run: Run, place: Workplace) -> None:
        words = self._log.of_process()
        async with self._hooking:
            try:
                await call_hooks(
                    self._shop.server,
                    order_for_hook(hook, run, self._deployment, place),
                    on_output=words.printed,
                    on_message=words.recorded,
                    until_room=self._log.until_room,
                    on_ask=self._answer_to(waits=False),
                    say=self._log.say,
                )
            finally:
                words.close()

    def _answer_to(self, *, waits: bool) -> Answer:
        """What it asks for is asked for by us, and what it is told is what we are told; `waits` says whether it is the
        run itself that does."""
        return partial(answer_for, self._shop.store, self.run, waits=waits)

    async def _call_running_hooks(self, place: Workplace, done: anyio.Event) -> None:
        try:
            await self._record.settled()
            await self._call_hooks(OCCASION_OF[RunState.RUNNING], self.run, place)
        finally:
            done.set()

    async def _give_up(self, why: str) -> None:
        if self._has_ended:
            return
        failure = Failure(kind="not started", message=why)
        await self._record.finish(Outcome(state=RunState.CRASHED, failure=failure))

    def _end_what_is_not_ours(self) -> None:
        self.kill(NOT_OURS)

    def _note(self, phase: CancelPhase) -> None:
        if self._wish is not None:
            self._record.noted(phase, self._shop.store.now())

    def _on_message(self, place: Workplace, message: dict[str, Any]) -> None:
        match message["type"]:
            case "log":
                self._log.recorded(message)
            case "outcome":
                self._answer = self._answer or message
            case "loaded":
                self._on_loaded(message, place)
            case "nested":
                self._record.nested(nested_from(message))
            case "event":
                ahead = self._shop.store.now() - datetime.now(UTC)
                self._record.emitted(event_from(message, self.run.id, ahead=ahead))

    def _on_loaded(self, message: dict[str, Any], place: Workplace) -> None:
        """The flow is about to be called: its time counts from here."""
        assert self._beside is not None, "tasks go on beside the run"
        self._hooks = frozenset(message["hooks"])
        if message["name"] is not None:
            self._record.renamed(str(message["name"]))
            self._log.renamed(str(message["name"]))
        if message["timeout"] is not None:
            retry_in = message["retry_after_timeout"]
            why = timed_out(
                timedelta(seconds=message["timeout"]),
                retry_in=timedelta(seconds=retry_in) if retry_in is not None else None,
            )
            self._beside.start_soon(self._stop_after, message["timeout"], why)
        if OCCASION_OF[RunState.RUNNING] in self._hooks and self._running_hooks is None:
            self._running_hooks = anyio.Event()
            self._beside.start_soon(self._call_running_hooks, place, self._running_hooks)

    async def _stop_after(self, seconds: float, why: Stop) -> None:
        await anyio.sleep(seconds)
        self.stop(why, grace=min(self.grace, SHORT_GRACE))

    async def _save_log(self) -> None:
        with self._saving:
            await self._log.save()
