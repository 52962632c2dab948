"""Where flowsource keeps its memory and its cache on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from flowsource.errors import InvalidSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process.

    `state` holds what must not be lost (the database) and what processes on this host say to each other; `cache` holds
    what can be fetched again. Both are absolute. `store` is the address of the store.
    """

    state: Path
    cache: Path
    store: str

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read FLOWSOURCE_HOME, FLOWSOURCE_CACHE and FLOWSOURCE_STORE; raises InvalidSettings naming each problem.

        Without them the user's data and cache directories serve, and a SQLite file in the former.
        """
        problems = []
        home = environ.get("FLOWSOURCE_HOME")
        cache = environ.get("FLOWSOURCE_CACHE")
        for name, value in (("FLOWSOURCE_HOME", home), ("FLOWSOURCE_CACHE", cache)):
            if value is not None and not Path(value).expanduser().is_absolute():
                problems.append(f"{name}: {value!r} is not an absolute path")
        state_path = Path(home).expanduser() if home else platformdirs.user_data_path("flowsource", appauthor=False)
        if cache:
            cache_path = Path(cache).expanduser()
        else:
            cache_path = state_path / "cache" if home else platformdirs.user_cache_path("flowsource", appauthor=False)
        store = environ.get("FLOWSOURCE_STORE") or f"sqlite:///{state_path / 'flowsource.db'}"
        if not store.startswith("sqlite:///"):
            problems.append(f"FLOWSOURCE_STORE: {store.split(':', 1)[0]!r} is not a store; give sqlite:///PATH")
        if problems:
            raise InvalidSettings("; ".join(problems) + ". Correct the environment.")
        return cls(state=state_path, cache=cache_path, store=store)
