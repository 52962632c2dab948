"""Which control groups this process is in, and where they are to be seen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Membership:
    """Being in the group at `path`, below a mount at `top`. There are no `controllers` where that is of version 2."""

    controllers: frozenset[str]
    top: Path
    path: Path

    @property
    def upwards(self) -> Iterator[Path]:
        """The group and those that it is in, from the inside out, as far as they can be seen."""
        place = self.path
        yield place
        while place != self.top:
            place = place.parent
            yield place


def memberships() -> list[Membership]:
    """Those of this process; none where that cannot be known."""
    groups, mounts = Path("/proc/self/cgroup"), Path("/proc/self/mountinfo")
    try:
        return list(memberships_in(groups.read_text(), mounts.read_text()))
    except OSError:
        return []


def memberships_in(groups: str, mounts: str) -> Iterator[Membership]:
    """Those that the contents of /proc/self/cgroup and /proc/self/mountinfo tell of, in the order of the mounts."""
    paths: dict[frozenset[str], str] = {}
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        paths[frozenset(filter(None, controllers.split(",")))] = path
    for line in mounts.splitlines():
        fields = line.split(" ")
        root, top = fields[3], Path(fields[4])
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        if kind not in ("cgroup", "cgroup2"):
            continue
        for controlled, path in paths.items():
            if not controlled if kind == "cgroup2" else controlled and controlled <= set(options.split(",")):
                yield Membership(controlled, top, _within(top, root, path))


def _within(top: Path, root: str, path: str) -> Path:
    """Where the group `path` is to be seen, below a mount that shows the groups from `root` on at `top`."""
    inside = os.path.relpath(path, root)
    # A container may be shown its own group alone, under a path that holds outside of it.
    return top if inside.startswith("..") else top / inside
