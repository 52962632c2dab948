"""A document of the API that breaks those who use it is seen as such; and the one that is kept is not changed so."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.support.openapi import breaking_changes

DOCS = Path(__file__).parents[2] / "docs"
NOW: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
RUNS = "/api/v1/runs"
# The document of the last release, put there by whoever makes the next.
RELEASED = DOCS / "openapi.released.json"

Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda api: api["paths"].pop(RUNS), f"GET {RUNS} is gone"),
        (lambda api: api["paths"][RUNS]["get"]["parameters"].pop(0), f"GET {RUNS}: the parameter query"),
        (lambda api: api["paths"][RUNS]["get"]["parameters"][0].update(required=True), "(query) is required"),
        (lambda api: api["paths"][RUNS]["get"].update(requestBody={}), f"GET {RUNS} wants a body"),
        (lambda api: api["components"]["schemas"].pop("Run"), "Run is gone"),
        (lambda api: api["components"]["schemas"]["Run"]["properties"].pop("name"), "Run.name is gone"),
        (lambda api: api["components"]["schemas"]["Run"]["properties"].update(name={"type": "integer"}), "of another"),
        (lambda api: api["components"]["schemas"]["RunState"]["enum"].remove("lost"), "RunState is never lost"),
        (
            lambda api: api["components"]["schemas"]["PinAsked"]["required"].append("reason"),
            "PinAsked.reason is required",
        ),
    ],
)
def test_what_breaks_those_who_use_it_is_seen(change: Change, said: str) -> None:
    changed = deepcopy(NOW)
    change(changed)

    assert any(said in line for line in breaking_changes(NOW, changed))


def test_what_is_new_breaks_nobody() -> None:
    changed = deepcopy(NOW)
    changed["paths"]["/api/v1/new"] = {"get": {}}
    changed["paths"][RUNS]["get"]["parameters"].append({"in": "query", "name": "colour", "required": False})
    changed["components"]["schemas"]["Run"]["properties"]["cost"] = {"type": "number"}
    changed["components"]["schemas"]["RunState"]["enum"].append("paused")

    assert breaking_changes(NOW, changed) == []


def test_the_document_breaks_nobody_who_uses_the_last_release() -> None:
    # Until there is a release, nobody uses one.
    released = json.loads(RELEASED.read_text(encoding="utf-8")) if RELEASED.exists() else NOW

    assert breaking_changes(released, NOW) == []
