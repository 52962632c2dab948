"""`flowsource source check`: whether a flow loads from there, before anybody serves it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from flowsource.cli import exits
from flowsource.cli.json_shapes import revision_json
from flowsource.cli.output import Cell, print_json, print_page, say
from flowsource.cli.source_given import source_given
from flowsource.cli.words import parameters_text, revision_fields
from flowsource.deployments import Declaration, FlowFacts, Rejection
from flowsource.entrypoints import parse
from flowsource.revisions import Revision
from flowsource.runner.inspection import inspect_entrypoint
from flowsource.runner.processes.starter import open_starter
from flowsource.settings import Settings
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources import Source
from flowsource.text import revision_text


def check(
    url: str,
    entrypoint: str,
    /,
    *,
    branch: str | None = None,
    tag: str | None = None,
    ref: str | None = None,
    commit: str | None = None,
    token_env: str | None = None,
    cache: Path | None = None,
    json: bool = False,
) -> int:
    """Whether a flow loads from there.

    Parameters
    ----------
    url
        The URL of a Git repository, an address such as s3://bucket/prefix, or a directory.
    entrypoint
        The flow in it, as path/to/file.py:name.
    branch
        The branch to look at; by default the one that the repository's HEAD stands for.
    tag
        The tag to look at.
    ref
        The full name of any ref to look at, such as refs/pull/7/head.
    commit
        The commit to look at.
    token_env
        The environment variable that holds the access token.
    cache
        A directory to fetch into, instead of the one that servers use.
    json
        Print what was found as JSON.
    """
    parse(entrypoint)
    source = source_given(url, branch=branch, tag=tag, ref=ref, commit=commit, token_env=token_env)
    snapshots = SnapshotCache(cache or Settings.load().cache)
    revision, found = anyio.run(_look, source, entrypoint, snapshots)
    if json:
        print_json(_found_json(source, entrypoint, revision, found))
    elif isinstance(found, FlowFacts):
        print_page(f"{found.name} loads", _fields(source, entrypoint, revision, found))
    if isinstance(found, Rejection):
        exits.say_error(f"{source.label} at {revision_text(revision)}: {found.message}")
        if found.details:
            say(found.details)
        return exits.CHECK_FAILED
    return exits.OK


async def _look(source: Source, entrypoint: str, cache: SnapshotCache) -> tuple[Revision, FlowFacts | Rejection]:
    declared = Declaration(name="check", entrypoint=entrypoint, source_key=source.key, source_label=source.label)
    snapshot = await cache.ensure(source, await source.resolve())
    async with open_starter(without=source.secret_variables) as server:
        return snapshot.revision, await inspect_entrypoint(server, cache, snapshot, declared)


def _fields(source: Source, entrypoint: str, revision: Revision, found: FlowFacts) -> list[tuple[str, Cell | str]]:
    return [
        *([("description", found.description)] if found.description else []),
        ("entrypoint", entrypoint),
        ("takes", parameters_text(found.parameter_schema)),
        ("source", source.label),
        *revision_fields("revision", revision, datetime.now(UTC)),
    ]


def _found_json(source: Source, entrypoint: str, revision: Revision, found: FlowFacts | Rejection) -> dict[str, Any]:
    """What was found; `rejected` is null where the flow loads, and `flow` where it does not."""
    return {
        "loads": isinstance(found, FlowFacts),
        "source": source.label,
        "entrypoint": entrypoint,
        "revision": revision_json(revision),
        "flow": {
            "name": found.name,
            "description": found.description,
            "parameter_schema": dict(found.parameter_schema),
        }
        if isinstance(found, FlowFacts)
        else None,
        "rejected": {"kind": found.kind, "message": found.message, "details": found.details}
        if isinstance(found, Rejection)
        else None,
    }
