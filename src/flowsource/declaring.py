"""What a person declares of a deployment, checked by field before anything is made of it.

Only here: what is stored was checked when it was declared, and must be readable whatever the checks say by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, get_args

from flowsource.deployments import (
    CollisionStrategy,
    ConcurrencyLimitConfig,
    DependencyPolicy,
    DeploymentOptions,
    Freshness,
    OnLost,
    WorkDirectory,
)
from flowsource.errors import InvalidDeployment
from flowsource.json_values import json_problems
from flowsource.schedules import Catchup
from flowsource.schedules.options import LENGTHS_THERE_ARE, length_of

_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "on_dependency_change": get_args(DependencyPolicy),
    "catchup": get_args(Catchup),
    "on_lost": get_args(OnLost),
    "workdir": get_args(WorkDirectory),
    "freshness": get_args(Freshness),
}
# Options that deployments have elsewhere, each with what to do here.
_ELSEWHERE: Mapping[str, str] = {
    "concurrency_limit": "say global_limit=...",
    "enforce_parameter_schema": "parameters are always held against those of the flow",
    "entrypoint_type": "a run loads the flow from the file or module that it is in",
    "image": "`serve` executes the runs itself, in the environment it is started in",
    "job_variables": "`serve` executes the runs itself, in the environment it is started in",
    "work_pool_name": "`serve` executes the runs itself, and needs no pool",
    "work_queue_name": "`serve` executes the runs itself; global_limit=... says how many at once",
}


def check_options(options: DeploymentOptions) -> None:
    """Raise InvalidDeployment naming the first option that cannot be used.

    What is kept in another form than it is given is left to those who make that form. Raises TypeError for an option
    that there is not, as any call does.
    """
    _check_known(options)
    parameters = options.get("parameters")
    if problems := json_problems({} if parameters is None else parameters):
        said = (f"{'.'.join(filter(None, ('parameters', where)))}: {why}" for where, why in problems.items())
        raise InvalidDeployment(f"{'; '.join(said)}.")
    for name in ("description", "version"):
        if not isinstance(options.get(name), str | None):
            raise InvalidDeployment(f"{name}: {options.get(name)!r} is not text; give some, or leave it out.")
    if not isinstance(options.get("paused"), bool | None):
        raise InvalidDeployment(f"paused: {options.get('paused')!r} is neither True nor False; give one, or None.")
    check_pause_on_shutdown(options.get("pause_on_shutdown", True))
    check_paths(options.get("paths"))
    for name, choices in _CHOICES.items():
        if name in options and options.get(name) not in choices:
            raise InvalidDeployment(f"{name}: {options.get(name)!r} is none of {', '.join(map(repr, choices))}.")
    check_limit(options.get("limit"))


def _check_known(options: DeploymentOptions) -> None:
    unknown = sorted(set(options) - set(DeploymentOptions.__annotations__))
    for name in unknown:
        if name in _ELSEWHERE:
            raise TypeError(f"{name}: not an option of a deployment here; {_ELSEWHERE[name]}")
    if unknown:
        known = ", ".join(DeploymentOptions.__annotations__)
        raise TypeError(f"{', '.join(unknown)}: not an option of a deployment; there are {known}")


def check_limit(limit: object, *, name: str = "limit") -> None:
    """Raise InvalidDeployment unless `limit` is a number of runs, or None."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidDeployment(f"{name}: {limit!r} is not 1 or more; give a whole number, or None for no limit.")


def check_global_limit(
    given: int | ConcurrencyLimitConfig | None, strategy: CollisionStrategy | None = None
) -> tuple[int | None, CollisionStrategy]:
    """The limit over all servers, and what becomes of a run beyond it, as they are kept; raises InvalidDeployment.

    >>> check_global_limit(ConcurrencyLimitConfig(3, "CANCEL_NEW"))
    (3, 'cancel_new')
    """
    limit: int | None
    wanted: str
    if isinstance(given, ConcurrencyLimitConfig):
        limit, wanted = given.limit, given.collision_strategy
        if strategy is not None:
            raise InvalidDeployment("collision_strategy: global_limit says it already; give it in one of them.")
        if limit is None:
            raise InvalidDeployment("global_limit: None is no limit to configure; give a whole number, 1 or more.")
    else:
        limit, wanted = given, "enqueue" if strategy is None else strategy
    check_limit(limit, name="global_limit")
    for known in get_args(CollisionStrategy):
        if isinstance(wanted, str) and wanted in (known, known.upper()):
            return limit, known
    choices = " nor ".join(map(repr, get_args(CollisionStrategy)))
    raise InvalidDeployment(f"collision_strategy: {wanted!r} is neither {choices}; give one of them.")


def check_length(length: object, *, name: str) -> timedelta:
    """The length of time that was given as `name`, in seconds or as a timedelta; raises InvalidDeployment."""
    if (wanted := length_of(length)) is None:
        raise InvalidDeployment(f"{name}: {length!r} is not a length of time; {LENGTHS_THERE_ARE}.")
    return wanted


def check_modules(preload: object) -> tuple[str, ...]:
    """The names of modules to `preload`, each once; raises InvalidDeployment."""
    listed = () if preload is None else _listed(preload)
    if not all(isinstance(name, str) and all(map(str.isidentifier, name.split("."))) for name in listed):
        raise InvalidDeployment(
            f"preload: {preload!r} is not a list of modules; give a list of their names, such as ['pandas']."
        )
    return tuple(dict.fromkeys(listed))


def check_pause_on_shutdown(value: object) -> None:
    """Raise InvalidDeployment unless it is one of two."""
    if not isinstance(value, bool):
        raise InvalidDeployment(f"pause_on_shutdown: {value!r} is neither True nor False; give one of them.")


def check_paths(paths: object) -> tuple[str, ...]:
    """`paths` as they are kept, each relative to the top of the source; raises InvalidDeployment.

    >>> check_paths(["./flows/", "lib/x.py", "flows"])
    ('flows', 'lib/x.py')
    """
    if paths is None:
        return ()
    listed = _listed(paths)
    if not listed or not all(isinstance(path, str) and path for path in listed):
        raise InvalidDeployment(f"paths: {paths!r} is not a list of paths; give a list such as ['flows', 'lib/x.py'].")
    kept = dict.fromkeys("/".join(part for part in path.split("/") if part not in ("", ".")) for path in listed)
    for path in (*listed, *kept):
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise InvalidDeployment(
                f"paths: {path!r} is no path inside the source; give one from its top, or leave `paths` out for all."
            )
    return tuple(kept)


def check_tags(tags: object) -> tuple[str, ...]:
    """`tags` as they are kept; raises InvalidDeployment unless they are non-empty strings."""
    listed = () if tags is None else _listed(tags)
    if not all(isinstance(tag, str) and tag for tag in listed):
        raise InvalidDeployment(f"tags: {tags!r} is not a list of non-empty strings; give a list such as ['etl'].")
    return listed


def _listed(given: object) -> tuple[Any, ...]:
    """What a list holds. Of anything else it is None, which no list of names may hold."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else (None,)
