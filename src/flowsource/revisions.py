"""The immutable name of one state of a source."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of a source. Two revisions are equal when they name the same content.

    `id` is a full commit id (40 or 64 hexadecimal digits), or for sources without commits a sha256 digest.
    `content` says which part of that state is meant ("" is all of it), so that it belongs to the identity.
    The rest is what is known about it: `ref` is the full name that led to it (`refs/heads/main`), and `subject`,
    `author` and `committed_at` (UTC) are known once it was fetched. For a directory in a Git work tree `commit` is the
    full id of what is checked out, and `dirty` says that files differ from it.
    """

    id: str
    content: str = ""
    ref: str | None = field(default=None, compare=False)
    commit: str | None = field(default=None, compare=False)
    subject: str | None = field(default=None, compare=False)
    author: str | None = field(default=None, compare=False)
    committed_at: datetime | None = field(default=None, compare=False)
    dirty: bool = field(default=False, compare=False)

    @property
    def short(self) -> str:
        """Seven characters, as people write commits."""
        return f"{(self.commit or self.id)[:7]}{'-dirty' if self.dirty else ''}"

    def to_json(self) -> dict[str, Any]:
        """A mapping of JSON values from which `from_json` makes an equal revision, facts included."""
        data = asdict(self)
        data["committed_at"] = self.committed_at.isoformat() if self.committed_at else None
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Revision:
        """The revision that `to_json` described; raises KeyError or TypeError for anything else."""
        at = data["committed_at"]
        return cls(**{**data, "committed_at": datetime.fromisoformat(at) if at else None})
