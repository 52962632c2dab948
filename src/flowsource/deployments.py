"""A deployment: a flow from a source, with its schedules and default parameters, under a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

from flowsource.errors import InvalidDeployment
from flowsource.revisions import Revision
from flowsource.schedules import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFacts:
    """What the code says about a flow, read from one revision in a clean process."""

    name: str
    description: str | None = None
    parameter_schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a call to `serve` or `to_deployment` says about a deployment, once it was checked (see `declaring`).

    `limit` is how many of its runs may go on at once; None means as many as the server allows. A `description` or
    `version` of None follows the code.
    """

    name: str
    entrypoint: str
    source_key: str
    source_label: str
    source_selector: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()
    tags: tuple[str, ...] = ()
    description: str | None = None
    version: str | None = None
    limit: int | None = None
    paused: bool | None = None
    pause_on_shutdown: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A revision that does not serve: `kind` is one word (`import`, `missing`, `timeout`), `details` a traceback."""

    revision: Revision
    kind: str
    message: str
    details: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A registered deployment, as the store knows it.

    `active` is the revision that the next run takes; it has been loaded in a clean process. `rejected` is the newest
    revision that failed to load, gone again once a later one is promoted. `paused` is a person's wish for the
    schedules; `stopped` says that its server ended with `pause_on_shutdown` and none has come back.
    """

    id: UUID
    flow: str
    declared: Declaration
    facts: FlowFacts
    active: Revision
    rejected: Rejection | None = None
    paused: bool = False
    stopped: bool = False
    created_at: datetime
    updated_at: datetime

    @property
    def full_name(self) -> str:
        """`flow/deployment`, as people name it."""
        return f"{self.flow}/{self.declared.name}"

    @property
    def description(self) -> str | None:
        """What was given in code, else what the flow says of itself."""
        return self.declared.description if self.declared.description is not None else self.facts.description

    @property
    def version(self) -> str:
        """What was given in code, else the active revision."""
        return self.declared.version or self.active.short


class DeploymentOptions(TypedDict, total=False):
    """What `serve` and `to_deployment` take by keyword; all may be left out.

    Only one of `interval` (seconds or a timedelta, counted from the first registration), `cron` (in UTC) and
    `schedule` may be given. `paused` says outright whether the schedules are paused; left out, what a person set
    stays. `description` is by default the flow's, `version` the revision's. `limit` is how many runs of the deployment
    may go on at once. With `pause_on_shutdown` (the default) what comes due while no server runs is not made up for.
    """

    interval: float | timedelta | None
    cron: str | None
    schedule: Schedule | None
    paused: bool | None
    parameters: Mapping[str, Any] | None
    description: str | None
    tags: Sequence[str] | None
    version: str | None
    limit: int | None
    pause_on_shutdown: bool


def check_name(name: str) -> str:
    """`name` if it can name a flow or a deployment; raises InvalidDeployment."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidDeployment(f"name: {name!r} is empty; give the deployment a name.")
    if bad := sorted({sign for sign in name if sign in "/%&<>" or not sign.isprintable()}):
        raise InvalidDeployment(
            f"name: {name!r} contains {' '.join(map(repr, bad))}; use letters, digits, - _ . and spaces."
        )
    return name
