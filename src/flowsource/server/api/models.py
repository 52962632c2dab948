"""The shapes of the API for its document (a test holds them to those of `json_shapes`), and what is asked with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from flowsource.runner.rerunning import AtRevision
from flowsource.runs import RunState
from flowsource.schedules import Catchup
from flowsource.server.api.asking import LONGEST_QUERY
from flowsource.source_status import SourceState
from flowsource.tokens import Scope

T = TypeVar("T")

LONGEST_REASON = 1000


class Asked(BaseModel):
    """What comes with a request; a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Why(Asked):
    """An act of a person."""

    reason: Annotated[str | None, Field(max_length=LONGEST_REASON)] = None


class ActOnAll(Why):
    """An act on all that a query asks for, or on `limit` of them; a dry run only tells how many there are."""

    query: Annotated[str, Field(max_length=LONGEST_QUERY)]
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    dry_run: bool = False


class PinAsked(Why):
    """Which revision is to serve."""

    revision: Annotated[str, Field(max_length=100)]


class RollBackAsked(Why):
    """Which revision is to serve again; by default what served before."""

    to: Annotated[str | None, Field(max_length=100)] = None


class RunAsked(Asked):
    """A run to be created."""

    parameters: dict[str, Any] = {}
    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    tags: Annotated[list[str], Field(max_length=50)] = []
    scheduled_at: AwareDatetime | None = None


class When(Asked):
    """When a schedule fires: one of the first three. `interval` is in seconds, and counted from `anchor` or from now;
    `day_or` false has a cron expression want both of its days."""

    cron: Annotated[str | None, Field(max_length=1000)] = None
    interval: Annotated[float | None, Field(gt=0)] = None
    rrule: Annotated[str | None, Field(max_length=6500)] = None
    timezone: Annotated[str, Field(max_length=100)] = "UTC"
    anchor: AwareDatetime | None = None
    day_or: bool = True


class Tried(When):
    """A schedule to try out, and how many instants of it are wanted."""

    next: Annotated[int, Field(ge=1, le=100)] = 20


class ScheduleAsked(When, Why):
    """A schedule to be added; lengths of time are in seconds."""

    parameters: dict[str, Any] = {}
    slug: Annotated[str | None, Field(max_length=100)] = None
    active: bool = True
    jitter: Annotated[float, Field(ge=0)] = 0
    catchup: Catchup | None = None
    max_lateness: Annotated[float | None, Field(ge=0)] = None


class EventTold(Asked):
    """Something that happened, as somebody tells it."""

    name: Annotated[str, Field(max_length=200)]
    payload: dict[str, Any] = {}
    resource: dict[str, str] = {}
    related: Annotated[list[dict[str, str]], Field(max_length=100)] = []
    id: UUID | None = None


class TokenAsked(Asked):
    """A token to be made; without `expires_at` it counts until it is revoked."""

    name: Annotated[str, Field(max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=10)]
    expires_at: AwareDatetime | None = None


class RerunAsked(Asked):
    """At which revision: what serves when it begins, or the same as before."""

    at: AtRevision = "active"


class Page(BaseModel, Generic[T]):
    """A part of a list; with `next` as the cursor comes what follows, and without it nothing does."""

    items: list[T]
    next: str | None


class Count(BaseModel):
    """How many there are. Where `is_all` is false there are as many or more: nobody counts further."""

    count: int
    is_all: bool


class Done(BaseModel):
    """What came of an act on all that a query asks for, which `hit` so many: how many were changed in which way, and
    how many were passed over and why. Where there is `more`, it was cut off at its limit: ask again."""

    hit: int
    changed: dict[str, int]
    skipped: dict[str, int]
    more: bool


class Revision(BaseModel):
    """A state of a source."""

    id: str
    ref: str | None
    commit: str | None
    subject: str | None
    author: str | None
    committed_at: datetime | None
    dirty: bool


class Failure(BaseModel):
    """Why something did not complete."""

    kind: str
    message: str
    traceback: str


class Cancellation(BaseModel):
    """A wish that a run ends, and what was done about it."""

    by: str
    reason: str | None
    asked_at: datetime
    told_at: datetime | None
    signalled_at: datetime | None
    killed_at: datetime | None


class Cause(BaseModel):
    """What had a run made: a trigger, and the event that made it fire, if one did; `chain` are the deployments whose
    runs led to that."""

    trigger: str
    event: dict[str, Any] | None
    chain: list[str]


class Run(BaseModel):
    """One execution of a deployment."""

    id: str
    name: str
    deployment: str
    flow: str
    state: RunState
    attempt: int
    scheduled_at: datetime
    due_at: datetime
    created_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    parameters: dict[str, Any]
    tags: list[str]
    schedule: str | None
    cause: Cause | None
    rerun_of: str | None
    parent_id: str | None
    is_nested: bool
    revision: Revision | None
    cancellation: Cancellation | None
    failure: Failure | None
    has_result: bool
    result: Any
    result_note: str | None


class Attempt(BaseModel):
    """One try of a run."""

    number: int
    state: RunState
    claimed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    failure: Failure | None


class Step(BaseModel):
    """One step in the life of a run."""

    seq: int
    at: datetime
    state: RunState
    attempt: int
    reason: str | None
    by: str | None


class Line(BaseModel):
    """A line of a log."""

    attempt: int
    seq: int
    at: datetime
    level: str | None
    logger: str | None
    text: str
    extra: dict[str, Any]


class Wish(BaseModel):
    """What a person wants served."""

    kind: Literal["pin", "rollback"]
    revision: Revision
    by: str
    reason: str | None
    at: datetime


class Deployment(BaseModel):
    """A flow from a source, with its schedules; lengths of time are in seconds."""

    id: str
    name: str
    flow: str
    entrypoint: str
    source: str
    description: str | None
    version: str
    tags: list[str]
    limit: int | None
    global_limit: int | None
    collision_strategy: str
    catchup: str
    max_lateness: float | None
    on_lost: str
    workdir: str
    freshness: str
    preload: list[str]
    grace: float
    parameters: dict[str, Any]
    parameter_schema: dict[str, Any]
    schedules: list[dict[str, Any]]
    triggers: list[dict[str, Any]]
    next_at: datetime | None
    paused: bool
    stopped: bool
    paths: list[str]
    on_dependency_change: str
    active: Revision
    pinned: Wish | None
    asked_for: Wish | None
    without_pin: Revision | None
    held: dict[str, Any] | None
    blocked: list[dict[str, Any]]
    rejected: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class HistoryEntry(BaseModel):
    """What happened to a deployment."""

    seq: int
    at: datetime
    kind: str
    revision: Revision | None
    previous: Revision | None
    by: str | None
    reason: str | None
    details: dict[str, Any]


class Source(BaseModel):
    """Where code comes from, how it is, and who follows it; `poll` is the last look at it."""

    key: str
    label: str
    follows: str
    address: str | None
    state: SourceState
    since: datetime
    reason: str | None
    failures: int
    served: bool
    next_try_at: datetime | None
    hints: int
    answered: int
    revision: Revision
    rewritten: dict[str, Any] | None
    poll: dict[str, Any] | None
    deployments: list[dict[str, Any]]


class Runner(BaseModel):
    """A process that executes runs, taken for lost once `lease_until` is past. What it says of itself is null where it
    says nothing; `owner` is the name of its token."""

    id: str
    host: str | None
    pid: int | None
    version: str | None
    started_at: datetime | None
    limit: int | None
    owner: str | None
    lease_until: datetime
    deployments: list[str]


class Schedule(BaseModel):
    """A schedule of a deployment, with the instants at which it fires next. What it fires on is beside its `kind`:
    the `expression` of a cron, `every` so often from its `anchor`, or the `rrule`. Lengths of time are in seconds."""

    model_config = ConfigDict(extra="allow")

    deployment: str
    key: str
    kind: Literal["cron", "interval", "rrule"]
    slug: str | None
    said: str
    origin: Literal["code", "person"]
    added_by: str | None
    active: bool
    held: bool
    next_at: datetime | None
    next: list[datetime]
    cursor: datetime
    timezone: str
    parameters: dict[str, Any]
    jitter: float
    catchup: Catchup
    max_lateness: float | None


class Coming(BaseModel):
    """An instant at which a schedule fires, in UTC and on the clock of its zone; `clock_set_by` is by how many seconds
    that is set between the one before and this."""

    at: datetime
    in_zone: datetime
    clock_set_by: float


class Preview(BaseModel):
    """When a schedule would fire, and the schedule as a person would say it."""

    said: str
    next: list[Coming]


class Event(BaseModel):
    """Something that happened; `seq` is its place in the order of all events."""

    seq: int
    id: UUID
    at: datetime
    name: str
    resource: dict[str, str]
    related: list[dict[str, str]]
    payload: dict[str, Any]
    run_id: UUID | None


class Told(BaseModel):
    """The event that was told."""

    id: UUID


class Trigger(BaseModel):
    """A trigger of a deployment, with what it waits for, which depends on its `kind`."""

    model_config = ConfigDict(extra="allow")

    deployment: str
    key: str
    said: str
    held: bool
    enabled: bool


class Firing(BaseModel):
    """What a trigger fired: the run that it made, or the reason why it made none."""

    at: datetime
    trigger: str
    key: str
    outcome: Literal["fired", "failed", "cut"]
    event: Event | None
    run_id: UUID | None
    reason: str | None


class Token(BaseModel):
    """A token, of whose secret nobody knows."""

    id: UUID
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


class NewToken(Token):
    """A token, with its secret."""

    secret: str


class Me(BaseModel):
    """The token that was shown. `csrf` is what a page must send along with what changes something."""

    name: str
    scopes: list[Scope]
    csrf: str | None
