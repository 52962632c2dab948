"""What several commands say about the same thing, in the same words."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flowsource.cli.output import Cell
from flowsource.cli.times import both
from flowsource.revisions import Revision


def revision_fields(name: str, revision: Revision, now: datetime) -> list[tuple[str, Cell | str]]:
    """A revision as fields of a page: whole, with all that is known about it."""
    fields: list[tuple[str, Cell | str]] = [(name, revision.id)]
    if revision.commit:
        changed = " (with changes that are not committed)" if revision.dirty else ""
        fields.append(("commit", f"{revision.commit}{changed}"))
    if revision.subject:
        fields.append(("subject", revision.subject))
    if revision.author:
        when = f", {both(revision.committed_at, now=now)}" if revision.committed_at else ""
        fields.append(("author", f"{revision.author}{when}"))
    if revision.ref:
        fields.append(("ref", revision.ref))
    return fields


def tags_text(tags: Sequence[str]) -> str:
    """Tags, side by side."""
    return ", ".join(tags)


def parameters_text(schema: Mapping[str, Any]) -> str:
    """The parameters of the flow, as in a signature."""
    required = schema.get("required", [])
    said = []
    for name, of in schema.get("properties", {}).items():
        kind = f": {of['type']}" if isinstance(of.get("type"), str) else ""
        default = "" if name in required else f" = {json_text.dumps(of.get('default'), ensure_ascii=False)}"
        said.append(f"{name}{kind}{default}")
    return ", ".join(said) or "no parameters"
