"""The shapes of the API for its document (a test holds them to those of `json_shapes`), and what is asked with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from flowsource.runs import RunState
from flowsource.source_status import SourceState
from flowsource.tokens import Scope

T = TypeVar("T")


class Asked(BaseModel):
    """What comes with a request; a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Why(Asked):
    """An act of a person."""

    reason: Annotated[str | None, Field(max_length=1000)] = None


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


class Page(BaseModel, Generic[T]):
    """A part of a list; with `next` as the cursor comes what follows, and without it nothing does."""

    items: list[T]
    next: str | None


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
    """A process that executes runs."""

    id: str


class Schedule(BaseModel):
    """A schedule of a deployment, with the instants at which it fires next."""

    deployment: str
    key: str
    said: str
    schedule: dict[str, Any]
    is_held: bool
    next: list[datetime]


class Me(BaseModel):
    """The token that was shown. `csrf` is what a page must send along with what changes something."""

    name: str
    scopes: list[Scope]
    csrf: str | None
