"""What goes into the store and comes out of it, beside the words of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from flowsource.deployments import Declaration, FlowFacts, Rejection
from flowsource.events import Event
from flowsource.queries.matching import is_within
from flowsource.revisions import Revision
from flowsource.runs import Cause, Failure, Run, RunState
from flowsource.schedules import Catchup, Schedule
from flowsource.source_status import Poll, SourceStatus
from flowsource.triggers import Trigger
from flowsource.triggers.counting import State

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One deployment as a server brings it: what was declared, and what the code says at the revision that loaded.

    `seen_at` is when the source was asked for it. `is_stale` says that what is registered already is to stay: the
    remote did not answer when `active` was found, or the newest revision is yet to be decided on.
    """

    declared: Declaration
    facts: FlowFacts
    active: Revision
    rejected: Rejection | None = None
    seen_at: datetime | None = None
    is_stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerInfo:
    """What a runner says of itself: its host, its process there, its flowsource, when it began, and how many runs it
    executes at once at most (None is any number). Others may have said it: it is data, and nothing else."""

    host: str
    pid: int
    version: str
    started_at: datetime
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRunner:
    """A runner that is registered, until when its lease is, and the full names of the deployments that it serves.

    `owner` is the name of the token that it shows, if it shows one. `info` is None for one that says nothing of itself.
    """

    id: UUID
    lease_until: datetime
    owner: str | None = None
    info: RunnerInfo | None = None
    deployments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule of a deployment, with how far it has got.

    No run is wanted for instants at or before `cursor`. `is_held` says that a pause, or its server's stop, holds it, or
    that it is not active. `added_by` is the person who added it, None where the code declares it. `catchup` and
    `max_lateness` are its own, or those of the deployment.
    """

    deployment_id: UUID
    key: str
    schedule: Schedule
    cursor: datetime
    is_held: bool
    added_by: str | None = None
    catchup: Catchup = "latest"
    max_lateness: timedelta | None = None

    @property
    def origin(self) -> Literal["code", "person"]:
        """Where it comes from."""
        return "code" if self.added_by is None else "person"


# A run, with the epoch of the claim under which it is executed.
Claim = tuple[UUID, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be created, for `parent_id` if another run asks for it, or to do again what `rerun_of` did, and with
    `at_same_revision` at the revision of that.

    With an `idempotency_key` a second one of that key for the deployment is the first one. Whoever executes
    `awaited_by` waits for its end.
    """

    deployment_id: UUID
    scheduled_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    name: str | None = None
    schedule: str | None = None
    parent_id: UUID | None = None
    idempotency_key: str | None = None
    awaited_by: Claim | None = None
    cause: Cause | None = None
    rerun_of: UUID | None = None
    at_same_revision: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The runs that a claim was given. `next_due` is when the first of those comes due that are not due yet, where
    there was nothing more to be given. `last` is the claim by which its runner was last given any, where claims are
    told apart by ids."""

    runs: Sequence[Run]
    next_due: datetime | None
    last: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended, and with it the run, unless `retry_at` says when there is to be another.

    Without a result, `result` is a note of what was returned and could not be kept, or None.
    """

    state: RunState
    failure: Failure | None = None
    has_result: bool = False
    result: Any = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedRun:
    """A flow that was called inside a run, as that tells it: `state` is `running`, or how it ended."""

    id: UUID
    name: str
    flow: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    """A trigger of the deployment of that full name, with what it has counted of the events up to number `cursor`.

    `version` grows with each change of these. `is_held` says that a pause holds it, or that it is not enabled.
    `added_by` is the person who added it, None where the code declares it.
    """

    deployment_id: UUID
    deployment: str
    key: str
    trigger: Trigger
    state: State
    cursor: int
    version: int
    is_held: bool
    added_by: str | None = None

    @property
    def origin(self) -> Literal["code", "person"]:
        """Where it comes from."""
        return "code" if self.added_by is None else "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFiring:
    """That a trigger fires: its run is to have `parameters`, or there is a `problem` and no run can be had.

    `event` is what made it fire, if one did. `once` tells it from all other firings of its trigger.
    """

    once: str
    at: datetime
    event: Event | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


FiringOutcome = Literal["fired", "failed", "cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """That a trigger fired: it made the run `run_id`, or it `failed`, or was `cut` because deployments make each other
    run in a circle, and then `reason` says more."""

    seq: int
    deployment_id: UUID
    key: str
    trigger: str
    at: datetime
    outcome: FiringOutcome
    event: Event | None
    run_id: UUID | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in their order. All that was asked for, up to number `upto`, is here or was before.

    `is_last` says that there is no more of it by now.
    """

    events: Sequence[Event]
    upto: int
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a run. `seq` counts from 1 without a gap within an attempt; `level` is a number of `logging`.

    `logger` is None for what was written to standard output or standard error. `extra` is what a record carried
    beside its text: JSON values by name.
    """

    attempt: int = 1
    seq: int
    at: datetime
    level: int
    text: str
    logger: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> LinePlace:
        """Where it is in the log of its run."""
        return self.attempt, self.seq


# Number of an attempt, and of a line in it: lines are in the order of these.
LinePlace = tuple[int, int]
BEFORE_ALL: LinePlace = (0, 0)
AFTER_ALL: LinePlace = (2**31 - 1, 2**31 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFilter:
    """Which lines of a log are wanted: of that level or above, of one attempt, with that text in theirs.

    Of the letters a to z in `text` capitals are as good as others; nothing in it means anything else.
    """

    level: int = 0
    attempt: int | None = None
    text: str = ""

    def matches(self, line: LogLine) -> bool:
        """Whether `line` is one of them."""
        is_of_attempt = self.attempt in (None, line.attempt)
        return line.level >= self.level and is_of_attempt and is_within((self.text,), line.text)


ALL_LINES = LineFilter()


@dataclass(frozen=True, slots=True)
class LinePage:
    """Lines of a log, in their order. All that were wanted from where it began to look, as far as `upto`, are here.

    `is_last` says that there are no more in that direction by now. One that is not may still be empty: of a long log
    only a part is looked at.
    """

    lines: Sequence[LogLine]
    upto: LinePlace
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """A source as a server that follows it tells it: `selector` is what it follows of `key`.

    `address` is where the source is, without credentials and in one spelling, or "" for one that has no address.
    `revision` is the newest that was had. `answered` counts the hints for its key that had been given when `poll`
    began, which is the last one.
    """

    key: str
    selector: str
    address: str = ""
    status: SourceStatus
    revision: Revision
    poll: Poll | None = None
    answered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWish:
    """What is wanted of the sources of one key: `paused_at` is when a person paused them, if they are paused.

    `hints` counts how often somebody said that there may be something new; `answered` is the highest count that a
    server has told as answered.
    """

    key: str
    paused_at: datetime | None = None
    hints: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """What the store knows of a source: the last report of it, what is wanted of it, and whether a live runner serves
    a deployment that follows it."""

    report: SourceReport
    wish: SourceWish
    is_served: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGlimpse:
    """Of a run no more than how it went."""

    id: UUID
    name: str
    state: RunState
    scheduled_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many runs are in a state in which they have not ended, and when the first of them came due."""

    state: RunState
    count: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of what was looked for, in order; with `cursor` the next page is asked for, unless this was the last."""

    items: tuple[T, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """What belongs to somebody: runners, deployments, runs by their ids, sources by their keys."""

    runners: tuple[UUID, ...] = ()
    deployments: tuple[UUID, ...] = ()
    runs: tuple[UUID, ...] = ()
    sources: tuple[str, ...] = ()


# Entries of the history of each deployment, and firings of its triggers.
HISTORY_KEPT = 200
FIRINGS_KEPT = 1000

# How far is counted: more than that is many, however many.
COUNTED = 10_000

# How long a run stays lost, and how long after its lease a lost one that may be run again is.
LOST_FOR = timedelta(minutes=10)
RERUN_AFTER = timedelta(seconds=15)

WORK = "work"
CANCELS = "cancels"
DEPLOYMENTS = "deployments"
SOURCES = "sources"
WISHES = "wishes"
WAITS = "waits"
EVENTS = "events"


_ABOUT = "run:"
_TOPICS = frozenset({WORK, CANCELS, DEPLOYMENTS, SOURCES, WISHES, WAITS, EVENTS})


def about(run_id: UUID) -> str:
    """The topic of what happens to one run."""
    return f"{_ABOUT}{run_id}"


def is_topic(text: str) -> bool:
    """Whether anything may ever be told under that name."""
    if text in _TOPICS:
        return True
    try:
        return text == about(UUID(text.removeprefix(_ABOUT)))
    except ValueError:
        return False
