"""Deployments as tables say them: those of a file, or one that the options of a command make up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from flowsource.cli.schedule_given import length_from
from flowsource.cli.source_given import source_given
from flowsource.deployments import DeploymentOptions
from flowsource.entrypoints import parse
from flowsource.errors import FlowsourceError, InvalidDeployment
from flowsource.runner.origin import Origin, origin_of
from flowsource.runner.serving import RunnerDeployment, deployment_at
from flowsource.schedules import Cron, Interval, RRule, Schedule
from flowsource.sourced import afrom_source
from flowsource.sources import Source

T = TypeVar("T")

# What of a Git repository is meant: its keys here, and the arguments of `source_given`.
_OF_GIT = {"branch": "branch", "tag_ref": "tag", "ref": "ref", "commit": "commit", "token_env": "token_env"}
_SCHEDULES: Mapping[str, Callable[[Any, str], Schedule]] = {
    "cron": lambda given, zone: Cron(given, zone),
    "interval": lambda given, zone: Interval(
        length_from(given, "interval") if isinstance(given, str) else given, None, zone
    ),
    "rrule": lambda given, zone: RRule(given, zone),
}
# What holds an object of Python's cannot be said in words.
_OPTIONS = set(DeploymentOptions.__annotations__) - {"schedule", "schedules", "triggers", *_SCHEDULES}
KEYS = ("source", "entrypoint", "name", *_OF_GIT, *_SCHEDULES, "timezone", *sorted(_OPTIONS))


def deployment_in(table: Mapping[str, Any], *, base: Path) -> RunnerDeployment:
    """The deployment that `table` says, of which nothing is fetched yet.

    Its keys are KEYS: where its code is (a directory is found from `base`), and the options of `to_deployment` that can
    be said in words; `cron`, `interval` and `rrule` may be lists, on the clock of `timezone`. Raises InvalidDeployment,
    with a line for each problem.
    """
    problems: list[str] = [_unknown(key) for key in table if key not in KEYS]

    def tried(make: Callable[[], T]) -> T | None:
        try:
            return make()
        except FlowsourceError as error:
            problems.append(str(error))
            return None

    source = tried(lambda: _source(table, base))
    entrypoint = tried(lambda: parse(_text(table, "entrypoint")).text)
    schedules = tried(lambda: _schedules(table))
    options: dict[str, Any] = {key: value for key, value in table.items() if key in _OPTIONS}
    if schedules:
        options["schedules"] = schedules
    # Also where its place is not known, so that all there is to mend is told at once.
    origin = Origin(source=source or _source({"source": "."}, base), entrypoint=entrypoint or "flows.py:flow")
    made = tried(lambda: deployment_at(origin, table.get("name"), **options))
    if problems or made is None:
        raise InvalidDeployment("\n".join(problems))
    return made


async def fetched(deployment: RunnerDeployment) -> RunnerDeployment:
    """The same, with the newest revision of its source found; raises SourceError or EntrypointFileMissing."""
    origin = deployment.origin
    return replace(deployment, origin=origin_of(await afrom_source(origin.source, origin.entrypoint)))


def _source(table: Mapping[str, Any], base: Path) -> Source:
    place = _text(table, "source")
    of_git = {argument: _text(table, key) for key, argument in _OF_GIT.items() if key in table}
    is_path = ":" not in place and not place.startswith("~")
    return source_given(str(base / place) if is_path else place, **of_git)


def _schedules(table: Mapping[str, Any]) -> list[Schedule]:
    zone = _text(table, "timezone") if "timezone" in table else "UTC"
    made: list[Schedule] = []
    for key, schedule in _SCHEDULES.items():
        given = table.get(key, [])
        made += [schedule(each, zone) for each in (given if isinstance(given, list) else [given])]
    if "timezone" in table and not made:
        raise InvalidDeployment("timezone: there is no schedule for it; give cron, interval or rrule, or leave it out.")
    return made


def _text(table: Mapping[str, Any], key: str) -> str:
    if key not in table:
        raise InvalidDeployment(f"{key}: it is missing; say it.")
    given = table[key]
    if not isinstance(given, str) or not given:
        raise InvalidDeployment(f"{key}: {given!r} is not text; give some.")
    return given


def _unknown(key: str) -> str:
    near = get_close_matches(key, KEYS, n=1)
    told = f"{near[0]} may be meant" if near else f"there are {', '.join(KEYS)}"
    return f"{key}: a deployment has no such key; {told}."
