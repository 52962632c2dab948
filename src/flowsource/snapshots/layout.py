"""Where everything lies in the cache."""

from __future__ import annotations

import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flowsource.errors import InvalidInput, InvalidSettings

# By the convention for such directories (bford.info/cachedir): backups, and watchers of code, leave them out.
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Whatever flowsource keeps here, it can fetch again.\n"

# Of the name of a shelf that is being deleted; no key begins with it.
_GONE = ".gone-"
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Shelf:
    """The places of one source in the cache.

    Leases and bytecode stand in directories of the source too: two sources may have the same commit, and what is
    unlinked with a snapshot of one must not be in the way of the other.
    """

    cache: Path
    key: str

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise InvalidInput(f"source key: {self.key!r} does not fit a file name; use letters, digits, - _ and dots.")

    @property
    def workspace(self) -> Path:
        """What the source may use as it likes, beside what is named below."""
        return self.cache / "sources" / self.key

    @property
    def lock(self) -> Path:
        """Held by whoever fetches, publishes or removes; it goes with the whole shelf only."""
        return self.workspace / "lock"

    @property
    def stamp(self) -> Path:
        """An empty file, changed whenever somebody uses the source."""
        return self.workspace / "used"

    @property
    def staging(self) -> Path:
        """Trees that come or go. To the holder of the lock everything it finds there is debris."""
        return self.workspace / "staging"

    @property
    def snapshots(self) -> Path:
        """The published ones, each named by its id."""
        return self.workspace / "snapshots"

    @property
    def tips(self) -> Path:
        """The last revision resolved, one small file for each selector."""
        return self.workspace / "tips"

    @property
    def leases(self) -> Path:
        """Lock files that runs hold, each named by the id of the snapshot."""
        return self.cache / "leases" / self.key

    @property
    def bytecode(self) -> Path:
        """Compiled modules, one directory for each snapshot id; disposable."""
        return self.cache / "pycache" / self.key

    def prepare(self) -> None:
        """Make every directory that is not there."""
        while True:
            try:
                self._make_directories()
            except (FileNotFoundError, FileExistsError) as error:
                # Somebody may take the shelf away in the middle of it, for nobody had used it for long, and somebody
                # else be back at once: only something else in the place of a directory does not go away.
                is_in_the_way = os.path.lexists(error.filename) and not os.path.isdir(error.filename)
                if is_in_the_way or not self.cache.is_dir():
                    raise
            else:
                return

    def _make_directories(self) -> None:
        for directory in (self.workspace, self.leases, self.bytecode):
            make_private(directory.parent)
            make_private(directory)
        for directory in (self.staging, self.snapshots, self.tips):
            make_private(directory)

    def mark_used(self) -> None:
        """Note that somebody uses the source now; where that cannot be written, it was last used when it was before."""
        with suppress(OSError):
            self.stamp.touch(mode=0o600)

    def used_at(self) -> datetime | None:
        """When somebody used the source last, or None where nobody has noted that."""
        try:
            return datetime.fromtimestamp(self.stamp.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None


def out_of_sight(shelf: Shelf) -> Path:
    """Where to move the workspace of a shelf that goes, so that it is there no more and can be deleted at leisure."""
    return shelf.workspace.with_name(f"{_GONE}{uuid.uuid4().hex}")


def half_deleted(cache: Path) -> list[Path]:
    """The workspaces that were moved out of sight and are still there."""
    return sorted((cache / "sources").glob(f"{_GONE}*"))


def shelves(cache: Path) -> Iterator[Shelf]:
    """The shelf of every source that ever was fetched into this cache."""
    try:
        keys = sorted(os.listdir(cache / "sources"))
    except FileNotFoundError:
        return
    for key in keys:
        # lost+found, .nfs files and the like are nobody's source.
        if _KEY.fullmatch(key) and (cache / "sources" / key).is_dir():
            yield Shelf(cache, key)


def make_private(directory: Path) -> None:
    """Make `directory` for its owner alone, unless it is there."""
    directory.mkdir(mode=0o700, exist_ok=True)


def open_root(root: Path) -> Path:
    """`root`, absolute and made if it was missing; raises InvalidSettings where somebody else could write to it.

    Whoever can write to the cache decides what code runs.
    """
    advice = "Set FLOWSOURCE_CACHE to a directory of your own."
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = root.stat()
    except OSError as error:
        raise InvalidSettings(f"cache: {root} cannot be used: {error.strerror}. {advice}") from error
    if facts.st_uid != os.geteuid():
        raise InvalidSettings(f"cache: {root} belongs to another user (uid {facts.st_uid}). {advice}")
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(facts.st_mode)
        raise InvalidSettings(f"cache: {root} can be written by other users (mode {mode:04o}). {advice}")
    _tag(root)
    return root.resolve()


def _tag(root: Path) -> None:
    tag = root / "CACHEDIR.TAG"
    # Without it a cache on a full disk serves as well.
    with suppress(OSError):
        if not tag.exists():
            tag.touch(mode=0o600)
            tag.write_text(_TAG)
