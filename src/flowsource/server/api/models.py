"""The shapes of what the API answers, for its document; a test holds them to those of `json_shapes`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from flowsource.runs import RunState
from flowsource.schedules import Catchup
from flowsource.source_status import SourceState
from flowsource.tokens import Scope

T = TypeVar("T")


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
    origin: Literal["code", "person"]
    added_by: str | None


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
