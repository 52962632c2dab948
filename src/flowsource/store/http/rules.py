"""What holds for each method of the store over HTTP: who may call it, what must be theirs, whether it may be repeated.

A method without a rule is for administrators alone, and is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flowsource.store.values import Things
from flowsource.tokens import Scope

Belonging = Literal["runners", "deployments", "runs", "sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rule of one method.

    People need the scope `people`. A runner may call it where `theirs` is not None, and only for what is its own: that
    maps paths in the arguments (fields by name, places by number, `*` for each) to what is there, and `answers` says
    the same of each item of the answer, of which what is not its own is left out. Where `stamped` the owner is told to
    the store, and where `timed` a runner's `now` is no later than the server's.
    """

    people: Scope = "admin"
    theirs: Mapping[str, Belonging] | None = None
    answers: tuple[str, Belonging] | None = None
    stamped: bool = False
    timed: bool = False
    is_repeatable: bool = False


def _read(theirs: Mapping[str, Belonging] | None = None, answers: tuple[str, Belonging] | None = None) -> Rule:
    """What viewers may know."""
    return Rule(people="viewer", theirs=theirs, answers=answers, is_repeatable=True)


def _report(path: str, belonging: Belonging) -> Rule:
    """What a runner tells of what is its own."""
    return Rule(theirs={path: belonging}, is_repeatable=True)


_RUN: Mapping[str, Belonging] = {"run_id": "runs"}
_RUNNER: Mapping[str, Belonging] = {"runner_id": "runners"}
_DEPLOYMENT: Mapping[str, Belonging] = {"deployment_id": "deployments"}
_ANYTHING: Mapping[str, Belonging] = {}

RULES: Mapping[str, Rule] = {
    # What a runner does for itself.
    "register": Rule(theirs=_ANYTHING, stamped=True, is_repeatable=True),
    "renew": _report("runner_id", "runners"),
    "retire": Rule(theirs=_RUNNER, is_repeatable=True),
    "reap": Rule(
        people="operator",
        theirs={"dead.*": "runners"},
        answers=("deployment_id", "deployments"),
        timed=True,
        is_repeatable=True,
    ),
    "runners": _read(_ANYTHING, ("id", "runners")),
    "waiting": _read(_RUNNER),
    "to_cancel": _read(_RUNNER),
    "report_sources": _report("reports.*.key", "sources"),
    "source_wishes": _read({"keys.*": "sources"}),
    "revisions_of_runs": _read(_ANYTHING, ("0", "sources")),
    # Deployments.
    "deployments": _read(_ANYTHING, ("id", "deployments")),
    "deployment": _read(_ANYTHING, ("id", "deployments")),
    "served": _read(_ANYTHING, ("", "deployments")),
    "history": _read(_DEPLOYMENT),
    "schedules": _read({"deployment_ids.*": "deployments"}),
    "add_schedule": Rule(people="operator"),
    "set_schedule_active": Rule(people="operator", is_repeatable=True),
    "remove_schedule": Rule(people="operator"),
    "find_deployments": _read(),
    "decide": Rule(theirs=_DEPLOYMENT),
    "set_paused": Rule(people="operator", is_repeatable=True),
    "act": Rule(people="operator"),
    "delete_deployment": Rule(people="operator"),
    # Runs.
    "create_scheduled": Rule(theirs=_DEPLOYMENT, is_repeatable=True),
    "create_run": Rule(
        people="operator",
        theirs={
            "new.deployment_id": "deployments",
            "new.parent_id": "runs",
            "new.rerun_of": "runs",
            "new.awaited_by.0": "runs",
        },
        is_repeatable=True,
    ),
    "go_on": Rule(people="operator", theirs={"waiter.0": "runs"}, is_repeatable=True),
    "claim": Rule(theirs={**_RUNNER, "deployment_ids.*": "deployments"}, is_repeatable=True),
    "start": _report("run_id", "runs"),
    "rename": _report("run_id", "runs"),
    "finish": _report("run_id", "runs"),
    "release": _report("run_id", "runs"),
    "note_cancel": _report("run_id", "runs"),
    "nest": _report("run_id", "runs"),
    "append_lines": _report("run_id", "runs"),
    "ask_cancel": Rule(people="operator", is_repeatable=True),
    "run": _read(_ANYTHING, ("deployment_id", "deployments")),
    "runs": _read(_ANYTHING, ("deployment_id", "deployments")),
    "find_runs": _read(),
    "count_runs": _read(),
    "backlog": _read(),
    "latest_runs": _read(),
    "prunable": _read(),
    "prune": Rule(is_repeatable=True),
    "take_turn": Rule(),
    "lines": _read(_RUN),
    "find_lines": _read(_RUN),
    "attempts": _read(_RUN),
    "transitions": _read(_RUN),
    # Sources.
    "sources": _read(),
    "set_source_paused": Rule(people="operator", is_repeatable=True),
    "hint_sources": Rule(people="operator", is_repeatable=True),
    # What happens: a runner sees all of it, since what others do may be what its deployments wait for.
    "emit": Rule(people="operator", theirs={"told.*.run_id": "runs"}, is_repeatable=True),
    "events": _read(_ANYTHING),
    "event": _read(_ANYTHING),
    "newest_events": _read(),
    "triggers": _read({"deployment_ids.*": "deployments"}),
    "add_trigger": Rule(people="operator"),
    "set_trigger_enabled": Rule(people="operator", is_repeatable=True),
    "remove_trigger": Rule(people="operator"),
    "move_trigger": Rule(theirs={"before.deployment_id": "deployments"}),
    "firings": _read(_DEPLOYMENT),
    # Who may do all this.
    "create_token": Rule(),
    "tokens": Rule(is_repeatable=True),
    "revoke_token": Rule(),
    "use_token": Rule(is_repeatable=True),
    "create_login_link": Rule(),
    "begin_session": Rule(),
    "use_session": Rule(is_repeatable=True),
    "end_session": Rule(is_repeatable=True),
    "not_owned": Rule(is_repeatable=True),
}


def rule_of(name: str) -> Rule:
    """The rule of a method."""
    return RULES.get(name, Rule())


def is_repeatable(name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call of which no answer came may be made again, whether or not it was carried out."""
    if name == "claim":
        return arguments.get("transition_id") is not None
    if name == "create_run":
        return arguments["new"].idempotency_key is not None
    return rule_of(name).is_repeatable


def things_in(arguments: Mapping[str, Any], theirs: Mapping[str, Belonging]) -> Things:
    """What the paths of `theirs` lead to in `arguments`."""
    found: dict[Belonging, list[Any]] = {}
    for path, belonging in theirs.items():
        found.setdefault(belonging, []).extend(_at(arguments, path.split(".")))
    return Things(**{belonging: tuple(dict.fromkeys(ids)) for belonging, ids in found.items()})


def thing_of(item: Any, path: str) -> Any:
    """What `path` leads to in one item of an answer; the item itself where it is empty."""
    return item if not path else next(_at(item, path.split(".")))


def _at(value: Any, steps: list[str]) -> Iterator[Any]:
    if value is None:
        return
    if not steps:
        yield value
        return
    step, *rest = steps
    if step == "*":
        for one in value:
            yield from _at(one, rest)
    elif step.isdecimal():
        yield from _at(value[int(step)], rest)
    else:
        yield from _at(value[step] if isinstance(value, Mapping) else getattr(value, step), rest)
