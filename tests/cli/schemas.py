"""The shapes of what each command prints with `--json`.

`python -m tests.cli.schemas` writes the JSON Schemas in docs/cli-schemas.json anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import GenericAlias
from typing import Any, Literal

from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from flowsource.runs import RunState
from flowsource.server.api import models

PLACE = Path(__file__).parents[2] / "docs" / "cli-schemas.json"


class Branch(models.Run):
    """A run below another, with those below it."""

    children: list[Branch]


class Life(models.Run):
    """A run with its attempts, its steps, and the runs that it asked for or that went on inside it."""

    attempts: list[models.Attempt]
    steps: list[models.Step]
    children: list[Branch]


class Reason(BaseModel):
    """Why a run, or where `run` is null a deployment, is as it is."""

    run: str | None
    name: str | None
    state: RunState | None
    deployment: str
    kind: str
    sentence: str
    about_revision: str | None
    next_step: str | None


class Finding(BaseModel):
    """What one check of the doctor found."""

    check: str
    level: Literal["ok", "warn", "fail"]
    said: str
    next_step: str | None


class Setting(BaseModel):
    """A setting; `from` is null where nobody gave it."""

    name: str
    value: str | None
    given_by: str | None = Field(alias="from")
    meaning: str


class Tables(BaseModel):
    """Where the memory is, and the versions of its tables: the one it has, and all that are known."""

    store: str
    version: str
    known: list[str]


class Pruned(BaseModel):
    """How much was removed, or would be in a dry run."""

    runs: int
    lines: int
    events: int
    dry_run: bool


class Freed(BaseModel):
    """What was removed from the cache."""

    class Gone(BaseModel):
        """A revision that is not there any more."""

        source: str
        revision: models.Revision

    cache: str
    freed_bytes: int
    removed: list[Gone]


class Checked(BaseModel):
    """Whether a flow loads from somewhere: `flow` says what it is, or `rejected` why it does not."""

    class Facts(BaseModel):
        """What its code says of the flow."""

        name: str
        description: str | None
        parameter_schema: dict[str, Any]

    class Rejected(BaseModel):
        """Why it does not load."""

        kind: str
        message: str
        details: str

    loads: bool
    source: str
    entrypoint: str
    revision: models.Revision
    flow: Facts | None
    rejected: Rejected | None


class Link(BaseModel):
    """A link by which a browser comes into the dashboard once."""

    url: str


class Coming(models.Coming):
    """An instant at which a schedule fires; `deployment` and `schedule` are null for one that was only thought of."""

    here: datetime
    timezone: str
    deployment: str | None
    schedule: str | None
    said: str


class Fired(BaseModel):
    """The triggers of a deployment, and what they fired."""

    triggers: list[models.Trigger]
    firings: list[models.Firing]


# The API says the next instants of each as well.
_FIELDS: dict[str, Any] = {
    name: (field.annotation, ...) for name, field in models.Schedule.model_fields.items() if name != "next"
}
Schedule: Any = create_model(
    "Schedule", __config__=ConfigDict(extra="allow"), __doc__=models.Schedule.__doc__, **_FIELDS
)

# What each command prints. Those that go on print a line for each.
SHAPES: Mapping[str, Any] = {
    **dict.fromkeys(("run", "deployments run", "runs watch"), models.Run),
    # One, or how many of all that a query asks for.
    **dict.fromkeys(("runs cancel", "runs rerun"), models.Run | models.Done),
    **dict.fromkeys(("deployments pause", "deployments resume"), models.Deployment | models.Done),
    "runs ls": list[models.Run],
    "runs show": Life,
    "logs": models.Line,
    "why": Reason,
    "deployments ls": list[models.Deployment],
    **dict.fromkeys(
        (f"deployments {act}" for act in ("show", "pin", "unpin", "rollback", "accept", "recheck", "delete")),
        models.Deployment,
    ),
    "deployments history": list[models.HistoryEntry],
    "schedules ls": GenericAlias(list, (Schedule,)),
    "schedules next": list[Coming],
    **dict.fromkeys((f"schedules {act}" for act in ("add", "pause", "resume", "remove")), Schedule),
    "triggers ls": list[models.Trigger],
    "triggers show": Fired,
    **dict.fromkeys((f"triggers {act}" for act in ("add", "pause", "resume", "remove")), models.Trigger),
    "events ls": list[models.Event],
    "events tail": models.Event,
    "events emit": models.Told,
    **dict.fromkeys((f"source {act}" for act in ("ls", "explain", "sync", "pause", "resume")), list[models.Source]),
    "source check": Checked,
    "source gc": Freed,
    "store status": Tables,
    "store downgrade": Tables,
    "store prune": Pruned,
    "runners ls": list[models.Runner],
    "config show": list[Setting],
    "doctor": list[Finding],
    "dashboard": Link,
    **dict.fromkeys(("tokens ls", "server token ls"), list[models.Token]),
    **dict.fromkeys(("tokens create", "server token create"), models.NewToken),
    **dict.fromkeys(("tokens revoke", "server token revoke"), models.Token),
}
_MODE: Literal["serialization"] = "serialization"
# What a schedule or a trigger says beside the rest depends on its kind.
_OPEN = ("schedules", "triggers")


def hold(words: Sequence[str], printed: str) -> None:
    """Hold what a command of these words printed against its published schema, and against its shape without any more.

    Raises AssertionError, jsonschema's ValidationError or pydantic's.
    """
    [*_, command] = [name for end in range(1, 4) if (name := " ".join(words[:end])) in SHAPES]
    published = json.loads(PLACE.read_text(encoding="utf-8"))
    schema = {**published["commands"][command], "$defs": published["$defs"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for text in _texts(printed):
        validator.validate(json.loads(text))
        TypeAdapter(SHAPES[command]).validate_json(text, extra=None if command.startswith(_OPEN) else "forbid")


def _texts(printed: str) -> list[str]:
    """One indented value is of several lines; each of those that come one after the other is a line of its own."""
    return [printed] if printed.startswith(("[\n", "{\n")) else printed.splitlines()


def document() -> dict[str, Any]:
    """The JSON Schemas of what each command prints, by its words; more fields may come, and none that is there goes."""
    inputs = [(command, _MODE, TypeAdapter(shape)) for command, shape in SHAPES.items()]
    made, said = TypeAdapter.json_schemas(inputs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What flowsource prints with --json",
        "commands": {command: made[command, _MODE] for command in SHAPES},
        **said,
    }


def text() -> str:
    """What is published."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
