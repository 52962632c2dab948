"""What a person says of a flow, checked by option before anything is made of it."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from flowsource.deployments import check_name
from flowsource.errors import InvalidInput
from flowsource.hooks import OCCASIONS
from flowsource.json_values import is_number
from flowsource.retries import LONGEST_SECONDS, retry_policy


def check_flow_options(options: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise InvalidInput naming the first option that cannot be used.

    Raises TypeError for one that is not among those `known`, as any call does.
    """
    if unknown := sorted(set(options) - set(known)):
        raise TypeError(f"{', '.join(unknown)}: not an option of a flow; there are {', '.join(known)}")
    if options.get("name") is not None:
        check_name(options["name"])
    for option in ("description", "version"):
        if not isinstance(options.get(option), str | None):
            raise InvalidInput(f"{option}: {options[option]!r} is not text; give some, or leave it out.")
    for option in ("validate_parameters", "log_prints"):
        if not isinstance(options.get(option), bool | None):
            raise InvalidInput(f"{option}: {options[option]!r} is neither True nor False; give one of them.")
    _check_run_name(options.get("flow_run_name"))
    _check_timeout(options.get("timeout_seconds"))
    retry_policy(
        options.get("retries"),
        options.get("retry_delay_seconds"),
        options.get("retry_jitter_factor"),
        options.get("retry_on"),
    )
    for occasion in OCCASIONS:
        check_hooks(f"on_{occasion}", options.get(f"on_{occasion}"))


def check_hooks(option: str, hooks: object) -> None:
    """Raise InvalidInput unless `hooks` is a list of callables, or None."""
    if hooks is None or (isinstance(hooks, list | tuple) and all(map(callable, hooks))):
        return
    raise InvalidInput(
        f"{option}: {hooks!r} is not a list of functions; "
        "give a list of functions that take the flow, its run and the state."
    )


def _check_run_name(given: object) -> None:
    if given is None or callable(given):
        return
    if not isinstance(given, str) or not given.strip():
        raise InvalidInput(
            f"flow_run_name: {given!r} is neither text nor a function; give a template such as 'load-{{day}}', "
            "or a function without parameters that returns a name."
        )
    try:
        list(string.Formatter().parse(given))
    except ValueError as error:
        raise InvalidInput(
            f"flow_run_name: {given!r} is no template: {error}. Give one such as 'load-{{day}}'."
        ) from None


def _check_timeout(given: object) -> None:
    if given is not None and (not is_number(given) or not 0 < given <= LONGEST_SECONDS):
        raise InvalidInput(
            f"timeout_seconds: {given!r} is not a number above 0, up to a hundred years; give one, or None for none."
        )
