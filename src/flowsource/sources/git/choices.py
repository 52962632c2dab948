"""What of a repository a source takes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flowsource.sources.git.scope import Scope


@dataclass(frozen=True, slots=True)
class Choice:
    """Which directories, whether with submodules, and whether with the files of Git LFS rather than their pointers."""

    scope: Scope
    submodules: bool = False
    lfs: bool = True

    def __str__(self) -> str:
        """What differs from the usual, as the end of a sentence."""
        parts = list(self.scope.directories)
        if self.submodules:
            parts.append("with submodules")
        if not self.lfs:
            parts.append("without LFS")
        return "".join(f", {part}" for part in parts)

    def content(self, *, tag: str | None = None) -> str:
        """What a revision says of it; empty for all of a commit.

        `tag` is the object that vouches for the commit: with another one the commit has to be looked at anew.
        """
        said: dict[str, object] = {}
        if self.scope.directories:
            said["directories"] = self.scope.directories
        if self.submodules:
            said["submodules"] = True
        if not self.lfs:
            said["lfs"] = False
        if tag is not None:
            said["tag"] = tag
        return json.dumps(said) if said else ""


def tag_in(content: str) -> str | None:
    """The tag that `Choice.content` was given."""
    tag = json.loads(content).get("tag") if content else None
    return tag if isinstance(tag, str) else None
