"""What a person gave a file system to work with: looked up for every attempt, and never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from flowsource.errors import AuthenticationFailed, InvalidInput

# These say where, or as whom; whatever else is given may be a secret.
_SHOWN: Final = frozenset(
    {
        "account_name",
        "anon",
        "endpoint_url",
        "host",
        "port",
        "profile",
        "project",
        "region_name",
        "requester_pays",
        "use_ssl",
    }
)
# A listing that is kept would hide a change, and an instance that is shared is not ours to close.
_OURS: Final = frozenset(
    {
        "asynchronous",
        "fo",
        "listings_expiry_time",
        "loop",
        "max_paths",
        "skip_instance_cache",
        "target_options",
        "target_protocol",
        "use_listings_cache",
        "version_aware",
    }
)


class Given:
    """Settings of a file system by name; a callable among them, however deep, is asked at every attempt."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        for name in settings:
            if name in _OURS:
                raise InvalidInput(f"settings: {name} is set by flowsource; leave it out.")
        self._settings = settings

    def __repr__(self) -> str:
        return "Given(...)"

    @property
    def identity(self) -> str:
        """Which settings these are, without what may be a secret: the same for the same place and the same user."""
        return "\n".join(_told("", self._settings))

    def resolved(self) -> dict[str, Any]:
        """The settings as they are now; raises AuthenticationFailed naming the one that cannot be had."""
        return {name: _resolved(name, value) for name, value in self._settings.items()}


def _told(prefix: str, settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _told(f"{prefix}{name}.", value)
        elif callable(value):
            yield f"{prefix}{name}={_name(value)}()"
        else:
            yield f"{prefix}{name}={value!r}" if name in _SHOWN else f"{prefix}{name}"


def _resolved(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolved(f"{name}.{key}", inner) for key, inner in value.items()}
    if not callable(value):
        return value
    try:
        return value()
    except Exception as error:
        # Neither its text nor its traceback is passed on: only their author knows whether a secret is in them.
        raise AuthenticationFailed(
            f"settings: {name}: {_name(value)} failed with {type(error).__name__}; call it by itself to see why."
        ) from None


def _name(ask: Callable[..., Any]) -> str:
    while isinstance(ask, partial):
        ask = ask.func
    named = ask if hasattr(ask, "__qualname__") else type(ask)
    return f"{named.__module__}.{named.__qualname__}"
