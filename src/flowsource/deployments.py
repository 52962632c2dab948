"""A deployment: a flow from a source, with its schedules and default parameters, under a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict
from uuid import UUID

from flowsource.errors import InvalidDeployment
from flowsource.revisions import Revision
from flowsource.schedules import Catchup, Schedule
from flowsource.triggers import Trigger

DependencyPolicy = Literal["report", "hold"]
CollisionStrategy = Literal["enqueue", "cancel_new"]
OnLost = Literal["crash", "rerun"]
WorkDirectory = Literal["snapshot", "private"]
Freshness = Literal["poll", "every_run"]

# How long a run that is asked to end may take.
GRACE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ConcurrencyLimitConfig:
    """How many runs of a deployment may go on at once on all servers, and what becomes of one beyond that.

    It waits (`enqueue`), or is cancelled (`cancel_new`); both may be in capitals. Given as `global_limit`.
    """

    limit: int
    collision_strategy: CollisionStrategy | Literal["ENQUEUE", "CANCEL_NEW"] = "enqueue"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFacts:
    """What the code says about a flow, read from one revision in a clean process.

    `hooks` names the occasions (`running`, `completion`, `failure`, `cancellation`, `crashed`) that the flow wants to
    hear of.
    """

    name: str
    description: str | None = None
    version: str | None = None
    parameter_schema: Mapping[str, Any] = field(default_factory=dict)
    hooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a call to `serve` or `to_deployment` says about a deployment, once it was checked (see `declaring`).

    `limit` is how many of its runs may go on at once on one server, `global_limit` on all of them; None means as many
    as the servers allow. A `description` or `version` of None follows the code. `paths` are the files and directories
    of the source that its flow is made of; none means all of them. `instance` names the file with the object whose
    method the flow is. The rest is as in `DeploymentOptions`.
    """

    name: str
    entrypoint: str
    source_key: str
    source_label: str
    source_selector: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    tags: tuple[str, ...] = ()
    description: str | None = None
    version: str | None = None
    limit: int | None = None
    global_limit: int | None = None
    collision_strategy: CollisionStrategy = "enqueue"
    paused: bool | None = None
    pause_on_shutdown: bool = True
    paths: tuple[str, ...] = ()
    on_dependency_change: DependencyPolicy = "report"
    catchup: Catchup = "latest"
    max_lateness: timedelta | None = None
    on_lost: OnLost = "crash"
    workdir: WorkDirectory = "snapshot"
    freshness: Freshness = "poll"
    preload: tuple[str, ...] = ()
    grace: timedelta = GRACE
    instance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A revision that does not serve: `kind` is one word (`import`, `missing`, `timeout`), `details` a traceback."""

    revision: Revision
    kind: str
    message: str
    details: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Loaded:
    """A revision that loaded in a clean process, with what its code said there."""

    revision: Revision
    facts: FlowFacts


@dataclass(frozen=True, slots=True)
class Change:
    """A file of dependencies that differs between two revisions; `diff` is None where it cannot be shown."""

    path: str
    diff: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A revision that loads and waits for a person, because the dependencies it names are not those it was with."""

    loaded: Loaded
    changes: tuple[Change, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The revision that a person wants served: by a `pin` until it is released, by a `rollback` until a newer comes."""

    kind: Literal["pin", "rollback"]
    revision: Revision
    by: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A revision that a person rolled back from: it is not promoted again unless that is asked for."""

    revision: Revision
    instead: Revision
    by: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A registered deployment, as the store knows it.

    `active` is the revision that the next run takes; it has been loaded in a clean process, and `facts` are of it.
    `rejected` is the newest revision that failed to load, gone again once a later one is promoted. `held` is one that
    loads and waits for a person; `wish` is what a person wants served, and `blocked` what not. While a pin is in force
    following goes on `beneath` it: that is what would serve without the pin.

    `declared.schedules` are those of the code that nobody removed, each as a person left it; `added_schedules` are
    those that people added. `paused` is a person's wish for them and the triggers; `stopped` says that its server
    ended with `pause_on_shutdown` and none has come back. `epoch` grows with whatever changes here about revisions.
    `seen_at` is when the source was asked for the newest revision that was decided on.
    """

    id: UUID
    flow: str
    declared: Declaration
    facts: FlowFacts
    active: Revision
    rejected: Rejection | None = None
    held: Hold | None = None
    wish: Wish | None = None
    beneath: Loaded | None = None
    blocked: tuple[Block, ...] = ()
    epoch: int = 0
    seen_at: datetime | None = None
    added_schedules: tuple[Schedule, ...] = ()
    paused: bool = False
    stopped: bool = False
    created_at: datetime
    updated_at: datetime

    @property
    def full_name(self) -> str:
        """`flow/deployment`, as people name it."""
        return f"{self.flow}/{self.declared.name}"

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """All that it has: those of the code, and those that people added."""
        return self.declared.schedules + self.added_schedules

    @property
    def description(self) -> str | None:
        """What was given in code, else what the flow says of itself."""
        return self.declared.description if self.declared.description is not None else self.facts.description

    @property
    def version(self) -> str:
        """What was given in code, else what the flow says of itself, else the active revision."""
        return self.declared.version or self.facts.version or self.active.short

    @property
    def pin(self) -> Wish | None:
        """The pin that a person set, whether or not it is in force yet."""
        return self.wish if self.wish is not None and self.wish.kind == "pin" else None

    @property
    def is_wish_open(self) -> bool:
        """Whether a person wants a revision served that is still to be brought and loaded."""
        return self.wish is not None and (self.wish.kind == "rollback" or self.wish.revision != self.active)

    @property
    def followed(self) -> Loaded:
        """The newest that loads and that nobody refuses or holds: what serves, or would without the pin."""
        return self.beneath or Loaded(self.active, self.facts)

    @property
    def rolled_back(self) -> Block | None:
        """The revision that a person refused, while what serves instead is still the one that was gone back to."""
        return next((block for block in self.blocked if block.instead == self.active), None)

    def is_blocked(self, revision: Revision) -> bool:
        """Whether a person refused `revision`."""
        return any(block.revision == revision for block in self.blocked)


class DeploymentOptions(TypedDict, total=False):
    """What `serve` and `to_deployment` take by keyword; all may be left out.

    Only one of `interval` (seconds or a timedelta, counted from the first registration), `cron`, `rrule` (both in UTC),
    `schedule` and `schedules` may be given; the first three also as lists. `paused` says whether schedules and triggers
    are paused, until a person pauses or resumes them; left out, what a person set stays. `triggers` start a run where
    events say so; `on_completion_of`, `on_failure_of`, `on_cancellation_of` and `on_crash_of` name deployments
    (`flow/deployment`, one or several) of which each run that ends so starts one. `description` is by default the
    flow's, `version` the revision's. With `pause_on_shutdown` (the default) what comes due while no server runs is not
    made up for.

    `paths` are the files and directories of the source that the flow is made of (by default all): a revision that
    leaves them as they are is promoted without another look. With `on_dependency_change="hold"` a revision that changes
    a file of dependencies (`pyproject.toml`, `requirements*.txt`, `uv.lock`, ...) waits until a person accepts it.

    `limit` is how many runs may go on at once on one server, `global_limit` (a number, or a `ConcurrencyLimitConfig`)
    on all of them together; a run beyond the latter waits, or with `collision_strategy="cancel_new"` is cancelled. Of
    the instants that came due while nobody served, `catchup` makes runs of the `latest` (the default), of `all`, or of
    `none`; a run that could not begin within `max_lateness` (seconds, or a timedelta) is skipped. `on_lost="rerun"` has
    a run whose server was lost executed again: it may then have been executed twice. With `workdir="private"` a run
    starts in a copy of its snapshot that it may write to. `freshness="every_run"` has the source asked before each run.
    `preload` names modules that are imported before any run, once for all. `grace_seconds` (30) is how long a run that
    is cancelled may take to end by itself.
    """

    interval: float | timedelta | Sequence[float | timedelta] | None
    cron: str | Sequence[str] | None
    rrule: str | Sequence[str] | None
    schedule: Schedule | None
    schedules: Sequence[Schedule] | None
    triggers: Sequence[Trigger] | None
    on_completion_of: str | Sequence[str] | None
    on_failure_of: str | Sequence[str] | None
    on_cancellation_of: str | Sequence[str] | None
    on_crash_of: str | Sequence[str] | None
    paused: bool | None
    parameters: Mapping[str, Any] | None
    description: str | None
    tags: Sequence[str] | None
    version: str | None
    limit: int | None
    global_limit: int | ConcurrencyLimitConfig | None
    collision_strategy: CollisionStrategy
    pause_on_shutdown: bool
    paths: Sequence[str] | None
    on_dependency_change: DependencyPolicy
    catchup: Catchup
    max_lateness: float | timedelta | None
    on_lost: OnLost
    workdir: WorkDirectory
    freshness: Freshness
    preload: Sequence[str] | None
    grace_seconds: float | timedelta


def check_name(name: str) -> str:
    """`name` if it can name a flow or a deployment; raises InvalidDeployment."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidDeployment(f"name: {name!r} is empty; give the deployment a name.")
    if bad := sorted({sign for sign in name if sign in "/%&<>" or not sign.isprintable()}):
        raise InvalidDeployment(
            f"name: {name!r} contains {' '.join(map(repr, bad))}; use letters, digits, - _ . and spaces."
        )
    return name
