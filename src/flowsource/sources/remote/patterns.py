"""Which of the objects below an address belong to the source."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from flowsource.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Patterns:
    """What is taken: all that one of `include` matches (everything without one), but for what `exclude` matches.

    A pattern is written as in a `.gitignore` file, from where the address leads.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """The same as one text, empty where everything is taken."""
        if not self.include and not self.exclude:
            return ""
        return json.dumps({"include": self.include, "exclude": self.exclude})

    def __str__(self) -> str:
        only = f"only {', '.join(self.include)}" if self.include else ""
        without = f"without {', '.join(self.exclude)}" if self.exclude else ""
        return "; ".join(filter(None, (only, without)))

    def chosen(self, paths: Iterable[str]) -> set[str]:
        """Those of `paths` that are taken."""
        if not self.content:
            return set(paths)
        from dulwich.ignore import IgnoreFilter

        include, exclude = (IgnoreFilter([p.encode() for p in given]) for given in (self.include, self.exclude))
        return {
            path
            for path in paths
            if (not self.include or include.is_ignored(path)) and not (self.exclude and exclude.is_ignored(path))
        }


def checked(field: str, given: str | Iterable[str] | None) -> tuple[str, ...]:
    """`given` as patterns, in the order that they have, which counts. Raises InvalidInput naming the `field`."""
    if given is None:
        return ()
    patterns = (given,) if isinstance(given, str) else tuple(given)
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern.strip():
            raise InvalidInput(f"{field}: {pattern!r} is not a pattern; write it as in .gitignore, such as '*.py'.")
    return patterns
