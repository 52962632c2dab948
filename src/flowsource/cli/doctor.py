"""`flowsource doctor`: whether all is as it should be, and what helps where it is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio

import flowsource
from flowsource.addresses import kind_of, shown, store_file
from flowsource.cli import exits
from flowsource.cli.findings import (
    Finding,
    Level,
    of_clock,
    of_deployments,
    of_disk,
    of_mode,
    of_programs,
    of_runs,
    of_sources,
)
from flowsource.cli.output import print_json
from flowsource.errors import FlowsourceError
from flowsource.runs import RunState
from flowsource.server_access import TOKEN_FILE, ServerAccess
from flowsource.settings import Settings
from flowsource.store import open_database, open_store
from flowsource.text import painted, printable

_MARKS: dict[Level, tuple[str, str]] = {"ok": ("✔ ok  ", "32"), "warn": ("! warn", "33"), "fail": ("✖ fail", "31")}
_UNFINISHED = [state for state in RunState if not state.is_final]
_MOST_RUNS = 1000


def doctor(*, json: bool = False) -> int:
    """Look at all that serving needs, a line for each: ok, warn or fail, and what helps.

    The exit code is 1 where anything fails, and 0 where there are warnings alone.

    Parameters
    ----------
    json
        Print a list of what was found as JSON.
    """
    found = list(_all())
    if json:
        print_json([finding_json(one) for one in found])
    else:
        for one in found:
            _print(one)
    return exits.CHECK_FAILED if any(one.level == "fail" for one in found) else exits.OK


def finding_json(one: Finding) -> dict[str, str | None]:
    """What one check found; `level` is ok, warn or fail, and `next_step` null where nothing is to be done."""
    return {"check": one.check, "level": one.level, "said": one.said, "next_step": one.next_step}


def _all() -> Iterator[Finding]:
    yield Finding("python", "ok", f"Python {platform.python_version()}, flowsource {flowsource.__version__}")
    try:
        settings = Settings.load()
    except FlowsourceError as error:
        yield Finding("settings", "fail", str(error), "Correct it; `flowsource config show` tells where each is from.")
        return
    yield Finding("settings", "ok", "every setting can be used")
    yield from _of_places(settings)
    yield from _of_token(settings)
    yield from _of_store(settings.store)


def _of_places(settings: Settings) -> Iterator[Finding]:
    for check, place in (("home", settings.state), ("cache", settings.cache)):
        there = _nearest(place)
        if not os.access(there, os.W_OK):
            step = "Make it writable, or give another with FLOWSOURCE_HOME or FLOWSOURCE_CACHE."
            yield Finding(check, "fail", f"this user may not write to {there}", step)
        elif there == place:
            yield of_mode(check, str(place), place.stat().st_mode, private=False)
        else:
            yield Finding(check, "ok", f"{place} is made when it is needed")
        yield of_disk(check, str(place), shutil.disk_usage(there).free)


def _of_token(settings: Settings) -> Iterator[Finding]:
    if kind_of(settings.store) == "server":
        try:
            if ServerAccess().token is None:
                step = f"Put one into a file, and its path into {TOKEN_FILE}; `flowsource tokens create` makes one."
                yield Finding("token", "fail", "the store is that of a server, and there is no token for it", step)
        except FlowsourceError as error:
            yield Finding("token", "fail", str(error))
    given = os.environ.get(TOKEN_FILE)
    for file in ([Path(given).expanduser()] if given else []) + [settings.state / "server-token"]:
        if file.is_file():
            yield of_mode("token", str(file), file.stat().st_mode, private=True)


def _of_store(address: str) -> Iterator[Finding]:
    kind = kind_of(address)
    if kind == "sqlite" and not store_file(address).exists():
        yield Finding("store", "ok", f"{shown(address)} is made when something is served")
        return
    try:
        version = ""
        if kind != "server":
            database = open_database(address)
            database.close()
            version = f", its tables at version {database.lineage.newest}"
        found = anyio.run(_in_store, address)
    except FlowsourceError as error:
        yield Finding("store", "fail", str(error), "Whatever else there is to see is seen once it can be used.")
        return
    yield Finding("store", "ok", f"{shown(address)} answers{version}")
    yield from found


async def _in_store(address: str) -> list[Finding]:
    async with open_store(address) as store:
        now = store.now()
        ahead = now - datetime.now(UTC)
        sources, runners = await store.sources(now=now), await store.runners()
        deployments = await store.deployments()
        runs = await store.runs(states=_UNFINISHED, limit=_MOST_RUNS)
        return [
            of_clock(ahead),
            *of_programs(sources, has_ssh=shutil.which("ssh") is not None),
            *of_sources(sources),
            *of_deployments(deployments, runners, now=now),
            *of_runs(runs, now=now),
        ]


def _nearest(place: Path) -> Path:
    """`place`, or the nearest above it that is there."""
    return next(one for one in (place, *place.parents) if one.exists())


def _print(one: Finding) -> None:
    mark, colour = _MARKS[one.level]
    first, *others = printable(one.said).splitlines()
    print(f"{painted(mark, colour, sys.stdout)}  {one.check:<11}  {first}")
    if one.level != "ok":
        for line in (*others, *([f"-> {printable(one.next_step)}"] if one.next_step else [])):
            print(f"{'':<21}{line}")
