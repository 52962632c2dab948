"""How a source is, and what its last poll came to: values that are kept and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class SourceState(StrEnum):
    """Where a source stands."""

    NEW = "new"
    OK = "ok"
    DEGRADED = "degraded"
    AUTH_FAILED = "auth_failed"
    MISSING = "missing"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """A followed name that no longer leads to a descendant of where it was: `before` and `after` are revision ids."""

    what: str
    before: str
    after: str
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """A mapping of JSON values from which `from_json` makes an equal one."""
        return {"what": self.what, "before": self.before, "after": self.after, "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rewrite:
        """What `to_json` described."""
        return cls(what=data["what"], before=data["before"], after=data["after"], at=datetime.fromisoformat(data["at"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """A source as its watcher knows it.

    `since` is when `state` began; `failures` counts polls that failed in a row; `next_try_at` is when it is asked
    again, unless somebody hints before. `rewritten` is the last time its history did not go on from where it was.
    """

    label: str
    state: SourceState = SourceState.NEW
    since: datetime
    reason: str | None = None
    failures: int = 0
    next_try_at: datetime | None = None
    rewritten: Rewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One part of a poll, how long it took, and what came of it: `ok`, `failed` or `given up`."""

    name: str
    took: timedelta
    outcome: str

    def to_json(self) -> dict[str, Any]:
        """A mapping of JSON values from which `from_json` makes an equal one."""
        return {"name": self.name, "seconds": self.took.total_seconds(), "outcome": self.outcome}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Stage:
        """What `to_json` described."""
        return cls(name=data["name"], took=timedelta(seconds=data["seconds"]), outcome=data["outcome"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One look at a remote: when it began, what asked for it, its stages, and what it found in the end."""

    at: datetime
    asked: str
    took: timedelta
    stages: tuple[Stage, ...]
    found: str

    def to_json(self) -> dict[str, Any]:
        """A mapping of JSON values from which `from_json` makes an equal one."""
        return {
            "at": self.at.isoformat(),
            "asked": self.asked,
            "seconds": self.took.total_seconds(),
            "stages": [stage.to_json() for stage in self.stages],
            "found": self.found,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Poll:
        """What `to_json` described."""
        return cls(
            at=datetime.fromisoformat(data["at"]),
            asked=data["asked"],
            took=timedelta(seconds=data["seconds"]),
            stages=tuple(map(Stage.from_json, data["stages"])),
            found=data["found"],
        )
