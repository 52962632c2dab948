"""How a deployment stands, and its history, as columns; and columns as the values they were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from flowsource.deployments import Block, Change, Deployment, FlowFacts, Hold, Loaded, Rejection, Wish
from flowsource.promotions import HistoryEntry, Kind
from flowsource.revisions import Revision
from flowsource.store.tables import AnyRow

T = TypeVar("T")


def standing_columns(deployment: Deployment) -> dict[str, Any]:
    """The columns that hold which revision serves, which could, and which may not."""
    return {
        "active": deployment.active.to_json(),
        "active_id": deployment.active.id,
        "active_commit": deployment.active.commit,
        "facts": _facts_json(deployment.facts),
        "rejected": _unless_none(_rejection_json, deployment.rejected),
        "held": _unless_none(_hold_json, deployment.held),
        "wish": _unless_none(_wish_json, deployment.wish),
        "beneath": _unless_none(_loaded_json, deployment.beneath),
        "blocked": [_block_json(block) for block in deployment.blocked],
        "epoch": deployment.epoch,
        "seen_at": deployment.seen_at,
        "updated_at": deployment.updated_at,
    }


def standing_from(row: AnyRow) -> dict[str, Any]:
    """The fields of a deployment that `standing_columns` gave; `updated_at` is left to others."""
    return {
        "active": Revision.from_json(row.active),
        "facts": _facts_from(row.facts),
        "rejected": _unless_none(_rejection_from, row.rejected),
        "held": _unless_none(_hold_from, row.held),
        "wish": _unless_none(_wish_from, row.wish),
        "beneath": _unless_none(_loaded_from, row.beneath),
        "blocked": tuple(_block_from(data) for data in row.blocked),
        "epoch": row.epoch,
        "seen_at": row.seen_at,
    }


def entry_columns(deployment_id: UUID, entry: HistoryEntry) -> dict[str, Any]:
    """The row of an entry of the history."""
    return {
        "deployment_id": deployment_id,
        "seq": entry.seq,
        "at": entry.at,
        "kind": entry.kind,
        "revision": entry.revision.to_json() if entry.revision else None,
        "previous": entry.previous.to_json() if entry.previous else None,
        "by": entry.by,
        "reason": entry.reason,
        "details": dict(entry.details),
    }


def entry_from(row: AnyRow) -> HistoryEntry:
    """The entry of a row of the history."""
    return HistoryEntry(
        seq=row.seq,
        at=row.at,
        kind=Kind(row.kind),
        revision=_unless_none(Revision.from_json, row.revision),
        previous=_unless_none(Revision.from_json, row.previous),
        by=row.by,
        reason=row.reason,
        details=row.details,
    )


def _unless_none(make: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else make(value)


def _facts_json(facts: FlowFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "description": facts.description,
        "version": facts.version,
        "parameter_schema": dict(facts.parameter_schema),
        "hooks": facts.hooks,
    }


def _facts_from(data: dict[str, Any]) -> FlowFacts:
    return FlowFacts(**{**data, "hooks": tuple(data["hooks"])})


def _loaded_json(loaded: Loaded) -> dict[str, Any]:
    return {"revision": loaded.revision.to_json(), "facts": _facts_json(loaded.facts)}


def _loaded_from(data: dict[str, Any]) -> Loaded:
    return Loaded(Revision.from_json(data["revision"]), _facts_from(data["facts"]))


def _rejection_json(rejection: Rejection) -> dict[str, Any]:
    return {
        "revision": rejection.revision.to_json(),
        "kind": rejection.kind,
        "message": rejection.message,
        "details": rejection.details,
        "at": rejection.at.isoformat(),
    }


def _rejection_from(data: dict[str, Any]) -> Rejection:
    return Rejection(
        **{**data, "revision": Revision.from_json(data["revision"]), "at": datetime.fromisoformat(data["at"])}
    )


def _hold_json(hold: Hold) -> dict[str, Any]:
    return {
        "loaded": _loaded_json(hold.loaded),
        "changes": [[change.path, change.diff] for change in hold.changes],
        "at": hold.at.isoformat(),
    }


def _hold_from(data: dict[str, Any]) -> Hold:
    changes = tuple(Change(path, diff) for path, diff in data["changes"])
    return Hold(loaded=_loaded_from(data["loaded"]), changes=changes, at=datetime.fromisoformat(data["at"]))


def _wish_json(wish: Wish) -> dict[str, Any]:
    return {
        "kind": wish.kind,
        "revision": wish.revision.to_json(),
        "by": wish.by,
        "reason": wish.reason,
        "at": wish.at.isoformat(),
    }


def _wish_from(data: dict[str, Any]) -> Wish:
    return Wish(**{**data, "revision": Revision.from_json(data["revision"]), "at": datetime.fromisoformat(data["at"])})


def _block_json(block: Block) -> dict[str, Any]:
    return {
        "revision": block.revision.to_json(),
        "instead": block.instead.to_json(),
        "by": block.by,
        "reason": block.reason,
        "at": block.at.isoformat(),
    }


def _block_from(data: dict[str, Any]) -> Block:
    return Block(
        revision=Revision.from_json(data["revision"]),
        instead=Revision.from_json(data["instead"]),
        by=data["by"],
        reason=data["reason"],
        at=datetime.fromisoformat(data["at"]),
    )
