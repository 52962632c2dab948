"""Which commit a source follows: what a person selects, and what a repository advertises."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from flowsource.errors import InvalidInput, RefNotFound, SourceInvalid
from flowsource.sources.git.text import is_harmless

_HEX = re.compile(r"[0-9a-f]+")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]")
_SHORTEST_ABBREVIATION = 7

HEADS, TAGS = "refs/heads/", "refs/tags/"
EVERY_NAME = (HEADS, TAGS)


def is_object_id(text: str) -> bool:
    """Whether `text` is a whole object id: 40 or 64 lower-case hexadecimal digits."""
    return len(text) in (40, 64) and _HEX.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Advertised:
    """The refs that a repository names, and the object each leads to.

    `objects` has what each ref itself names, `peeled` the commit that an annotated tag leads to. `head` is the branch
    that HEAD stands for, when it stands for one. All of these names are as others chose them.
    """

    objects: Mapping[str, str]
    peeled: Mapping[str, str] = field(default_factory=dict)
    head: str | None = None

    @property
    def names(self) -> list[str]:
        """The refs that a message may name."""
        return [name for name in self.objects if is_harmless(name)]

    @property
    def commits(self) -> dict[str, str]:
        """What each ref leads to in the end."""
        return {**self.objects, **self.peeled}


class Kind(StrEnum):
    """What a person named."""

    DEFAULT = "default branch"
    BRANCH = "branch"
    TAG = "tag"
    COMMIT = "commit"
    REF = "ref"


@dataclass(frozen=True, slots=True)
class Selector:
    """What a source follows: a branch, a tag, a commit, a ref of any other kind, or by default what HEAD stands for."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        if self.kind is Kind.DEFAULT:
            return "default branch"
        return f"{self.kind} {self.name:.12}" if self.kind is Kind.COMMIT else f"{self.kind} {self.name}"

    @property
    def pinned(self) -> str | None:
        """The whole commit id, where that was given: there is nothing to ask for."""
        return self.name if self.kind is Kind.COMMIT and is_object_id(self.name) else None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Beginnings of the names that must be asked for."""
        match self.kind:
            case Kind.DEFAULT:
                return ("HEAD",)
            case Kind.BRANCH:
                return (HEADS + self.name,)
            case Kind.TAG:
                return (TAGS + self.name,)
            case Kind.REF:
                return (self.name,)
        return () if self.pinned else EVERY_NAME

    def fits(self, advertised: Advertised) -> bool:
        """Whether anything advertised is what is meant."""
        if self.kind is Kind.COMMIT:
            return any(commit.startswith(self.name) for commit in advertised.commits.values())
        return self.prefixes[0] in advertised.objects

    def pick(self, advertised: Advertised) -> tuple[str, str | None] | None:
        """The commit id and the full name of the ref that led to it, or None when there is no such ref.

        Raises SourceInvalid when an abbreviated commit fits several.
        """
        if self.kind is Kind.COMMIT:
            found = self.pinned or self._unabbreviated(advertised)
            return (found, None) if found else None
        name = self.prefixes[0]
        commit = advertised.commits.get(name)
        if commit is None:
            return None
        if name == "HEAD" and advertised.head is not None and is_harmless(advertised.head):
            name = advertised.head
        return commit, name

    def missing(self, advertised: Advertised, repository: str) -> RefNotFound:
        """The error for what `pick` did not find among all branches and tags."""
        if self.kind is Kind.DEFAULT and not advertised.objects:
            return RefNotFound("commit yet", repository)
        if self.kind is Kind.COMMIT:
            return RefNotFound(
                f"branch or tag at a commit that begins with {self.name!r} (give all 40 digits of any other)",
                repository,
            )
        wanted = "branch that its HEAD stands for" if self.kind is Kind.DEFAULT else f"{self.kind} {self.name!r}"
        return RefNotFound(wanted, repository, self._near(advertised))

    def _unabbreviated(self, advertised: Advertised) -> str | None:
        fitting = {commit for commit in advertised.commits.values() if commit.startswith(self.name)}
        if len(fitting) > 1:
            raise SourceInvalid(f"commit_sha: {self.name!r} fits {len(fitting)} commits; give all of its digits.")
        return fitting.pop() if fitting else None

    def _near(self, advertised: Advertised) -> list[str]:
        if self.kind is Kind.DEFAULT:
            return sorted(_short_names(advertised, HEADS))[:3]
        if self.kind is Kind.REF:
            return difflib.get_close_matches(self.name, advertised.names, n=3)
        own, other, word = (HEADS, TAGS, "tag") if self.kind is Kind.BRANCH else (TAGS, HEADS, "branch")
        near = [f"{word} {self.name}"] if other + self.name in advertised.objects else []
        return near + difflib.get_close_matches(self.name, _short_names(advertised, own), n=3, cutoff=0.5)


def select(
    *, branch: str | None = None, tag: str | None = None, commit_sha: str | None = None, ref: str | None = None
) -> Selector:
    """The selector that the arguments of a source describe; raises InvalidInput naming the field, or both of two."""
    candidates = {"branch": branch, "tag": tag, "commit_sha": commit_sha, "ref": ref}
    given = {key: value for key, value in candidates.items() if value is not None}
    if len(given) > 1:
        raise InvalidInput(f"{' and '.join(given)}: only one of them can be followed; leave the others out.")
    if not given:
        return Selector(Kind.DEFAULT)
    [(key, value)] = given.items()
    if not isinstance(value, str):
        raise InvalidInput(f"{key}: {type(value).__name__} is not a name; give text.")
    if key == "commit_sha":
        return Selector(Kind.COMMIT, _checked_commit(value))
    if key == "ref":
        return _select_ref(value)
    _check_name(key, value)
    return Selector(Kind(key), value)


def _select_ref(value: str) -> Selector:
    if value == "HEAD":
        return Selector(Kind.DEFAULT)
    if not value.startswith("refs/"):
        raise InvalidInput(f"ref: {value!r} is not a full name such as 'refs/pull/7/head'; or use branch= or tag=.")
    _check_name("ref", value)
    return Selector(Kind.REF, value)


def _checked_commit(value: str) -> str:
    commit = value.lower()
    if not _HEX.fullmatch(commit) or not (_SHORTEST_ABBREVIATION <= len(commit) <= 40 or len(commit) == 64):
        raise InvalidInput(
            f"commit_sha: {value!r} is not a commit id; give its 40 (or 64) hexadecimal digits, "
            f"or at least {_SHORTEST_ABBREVIATION} of them for a commit that a branch or tag is at."
        )
    return commit


def _check_name(key: str, name: str) -> None:
    """The rules of git-check-ref-format, and no dash at the beginning."""
    parts = name.split("/")
    wrong = (
        _FORBIDDEN.search(name)
        or ".." in name
        or "@{" in name
        or name == "@"
        or name.startswith("-")
        or name.endswith(".")
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    )
    if wrong:
        raise InvalidInput(f"{key}: {name!r} cannot be the name of a {key} in Git; correct it.")


def _short_names(advertised: Advertised, prefix: str) -> Iterable[str]:
    return [name.removeprefix(prefix) for name in advertised.names if name.startswith(prefix)]
