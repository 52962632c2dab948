"""Events: what happened, when, and to what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from flowsource.errors import InvalidInput
from flowsource.event_names import ID, NAME, ROLE, check_event_name, our_label
from flowsource.json_values import json_problems

MOST_PAYLOAD_BYTES = 64 * 1024
_MOST_LABEL_BYTES = 16 * 1024

# What a resource is, in words by name; its id, its name and its role have the names of `event_names`.
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `seq` is its place in the order of all events, and `at` is UTC-aware.

    `resource` is what it happened to, and `related` what else it concerns, each in the role that it says. `run_id` is
    the run that it happened to, or that told of it.
    """

    seq: int
    id: UUID
    at: datetime
    name: str
    resource: Labels = field(default_factory=dict)
    related: tuple[Labels, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)
    run_id: UUID | None = None

    def to_json(self) -> dict[str, Any]:
        """A mapping of JSON values from which `from_json` makes an equal one."""
        return {
            "seq": self.seq,
            "id": str(self.id),
            "at": self.at.isoformat(),
            "name": self.name,
            "resource": dict(self.resource),
            "related": [dict(labels) for labels in self.related],
            "payload": dict(self.payload),
            "run_id": str(self.run_id) if self.run_id is not None else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        """What `to_json` described."""
        return cls(
            seq=data["seq"],
            id=UUID(data["id"]),
            at=datetime.fromisoformat(data["at"]),
            name=data["name"],
            resource=data["resource"],
            related=tuple(data["related"]),
            payload=data["payload"],
            run_id=UUID(data["run_id"]) if data["run_id"] is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """What somebody tells, as it is to be kept. Told again with the same `id` it is the same event.

    `run_id` is the run that tells it.
    """

    id: UUID
    at: datetime
    name: str
    resource: Labels = field(default_factory=dict)
    related: tuple[Labels, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)
    run_id: UUID | None = None


def new_event(
    name: str,
    payload: Mapping[str, Any] | None = None,
    *,
    resource: Labels | None = None,
    related: Iterable[Labels] = (),
    at: datetime,
    event_id: UUID | None = None,
    run_id: UUID | None = None,
) -> NewEvent:
    """What a person tells, checked; raises InvalidInput naming what cannot be kept."""
    return NewEvent(
        id=event_id or uuid4(),
        at=at,
        name=check_event_name(name),
        payload=_checked_payload({} if payload is None else payload),
        **_checked_labels(resource, related),
        run_id=run_id,
    )


def resource(kind: str, which: object, name: str, *, role: str | None = None) -> dict[str, str]:
    """The labels of something here.

    >>> resource("flow", "etl", "etl", role="flow")["flowsource.resource.id"]
    'flow.etl'
    """
    return {ID: f"{kind}.{which}", NAME: name, **({ROLE: role} if role is not None else {})}


def flow_and_tags(flow: str, tags: Iterable[str]) -> list[dict[str, str]]:
    """What a run, or a deployment, is related to by what it is made of and how it is marked."""
    return [resource("flow", flow, flow, role="flow"), *(resource("tag", tag, tag, role="tag") for tag in tags)]


def _checked_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    if problems := json_problems(payload):
        said = (f"{'.'.join(filter(None, ('payload', where)))}: {why}" for where, why in problems.items())
        raise InvalidInput(f"{'; '.join(said)}.")
    text = json.dumps(dict(payload), separators=(",", ":"))
    if len(text) > MOST_PAYLOAD_BYTES:
        raise InvalidInput(
            f"payload: {len(text):,} bytes as JSON are more than {MOST_PAYLOAD_BYTES:,}; "
            "hand over where the data is instead."
        )
    kept: dict[str, Any] = json.loads(text)
    return kept


def _checked_labels(resource: Labels | None, related: Iterable[Labels]) -> dict[str, Any]:
    told = _labels({} if resource is None else resource, "resource")
    if not isinstance(related, Iterable) or isinstance(related, str | bytes | Mapping):
        raise InvalidInput(f"related: {related!r} is not a list; give a list of labels, each with its role.")
    others = tuple(_labels(each, f"related.{place}") for place, each in enumerate(related))
    if len(json.dumps([told, *others])) > _MOST_LABEL_BYTES:
        raise InvalidInput(f"resource, related: they are longer than {_MOST_LABEL_BYTES:,} bytes; put it into payload.")
    return {"resource": told, "related": others}


def _labels(given: object, where: str) -> dict[str, str]:
    if not isinstance(given, Mapping) or not all(isinstance(part, str) for pair in given.items() for part in pair):
        raise InvalidInput(
            f"{where}: {given!r} is not text by name; give labels such as {{'flowsource.resource.id': 'order.17'}}."
        )
    return {our_label(name): value for name, value in given.items()}
