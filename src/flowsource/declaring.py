"""What a person declares of a deployment, checked by field before anything is made of it.

Only here: what is stored was checked when it was declared, and must be readable whatever the checks say by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flowsource.deployments import DeploymentOptions
from flowsource.errors import InvalidDeployment
from flowsource.json_values import json_problems


def check_options(options: DeploymentOptions) -> None:
    """Raise InvalidDeployment naming the first option that cannot be used.

    Schedules and tags are left to those who make them of what was given. Raises TypeError for an option that there is
    not, as any call does.
    """
    if unknown := sorted(set(options) - set(DeploymentOptions.__annotations__)):
        known = ", ".join(DeploymentOptions.__annotations__)
        raise TypeError(f"{', '.join(unknown)}: not an option of a deployment; there are {known}")
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
    policy = options.get("on_dependency_change", "report")
    if policy not in ("report", "hold"):
        raise InvalidDeployment(f"on_dependency_change: {policy!r} is neither 'report' nor 'hold'; give one of them.")
    check_limit(options.get("limit"))


def check_limit(limit: object) -> None:
    """Raise InvalidDeployment unless `limit` is a number of runs, or None."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidDeployment(f"limit: {limit!r} is not 1 or more; give a whole number, or None for no limit.")


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
    given = tuple(paths) if isinstance(paths, Iterable) and not isinstance(paths, str | bytes | Mapping) else ()
    listed = [path for path in given if isinstance(path, str) and path]
    if not listed or len(listed) < len(given):
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
    if tags is None:
        return ()
    listed = tuple(tags) if isinstance(tags, Iterable) and not isinstance(tags, str | bytes | Mapping) else (None,)
    if not all(isinstance(tag, str) and tag for tag in listed):
        raise InvalidDeployment(f"tags: {tags!r} is not a list of non-empty strings; give a list such as ['etl'].")
    return listed
