"""Whose signature a revision must carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from flowsource.errors import InvalidInput
from flowsource.sources.paths import PathLike, check_readable, checked_path

Required: TypeAlias = Literal["commit", "tag", "either"]


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Whose signatures count, and on what.

    `ssh_allowed_signers` is a file as `ssh-keygen` has it: names, options such as `namespaces="git"`, and a public key
    in each line. `gpg_keys` is a file of public keys, armored or not, or several. At least one of the two is needed.
    Both are read whenever a revision is fetched, and what counts is whether a key is valid then: the times in a commit
    are whatever its author says.

    `require` is what must be signed: the `"commit"`; the `"tag"`, which then must be one that is followed; or
    `"either"`. A signed tag counts only under its own name.

    Raises InvalidInput naming the argument that cannot be used.
    """

    ssh_allowed_signers: PathLike | None = None
    gpg_keys: PathLike | Sequence[PathLike] = ()
    require: Required = "either"

    def __post_init__(self) -> None:
        if self.require not in get_args(Required):
            raise InvalidInput(f"verify: require {self.require!r} is unknown; give 'commit', 'tag' or 'either'.")
        if not self.signers and not self.keys:
            raise InvalidInput("verify: nobody's signature counts; give ssh_allowed_signers or gpg_keys.")
        for name, paths in (("ssh_allowed_signers", self.signers), ("gpg_keys", self.keys)):
            for path in paths:
                check_readable(path, f"verify: {name}")

    @property
    def signers(self) -> tuple[Path, ...]:
        """The file of SSH keys, if there is one."""
        return _paths("ssh_allowed_signers", self.ssh_allowed_signers)

    @property
    def keys(self) -> tuple[Path, ...]:
        """The files of GPG keys."""
        return _paths("gpg_keys", self.gpg_keys)

    @property
    def identity(self) -> str:
        """What tells two of these apart, without reading the files."""
        return "\n".join(["signed", self.require, *map(str, self.signers), "", *map(str, self.keys)])


def _paths(name: str, given: object) -> tuple[Path, ...]:
    several: Sequence[object] = given if isinstance(given, (list, tuple)) else () if given is None else (given,)
    return tuple(checked_path(one, f"verify: {name}") for one in several)
