"""Where the kernel counts what it kills for want of memory."""

from __future__ import annotations

from pathlib import Path

from flowsource.runner.processes.membership import memberships_in
from flowsource.runner.processes.scarcity import counter_file


def counter(groups: str, mounts: str) -> Path | None:
    return counter_file(memberships_in(groups, mounts))


def test_the_counter_is_found_by_either_version_of_control_groups(tmp_path: Path) -> None:
    (tmp_path / "app/inner").mkdir(parents=True)
    events, control = tmp_path / "app/inner/memory.events", tmp_path / "app/inner/memory.oom_control"
    unified = f"30 1 0:27 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    memory = f"31 1 0:28 / {tmp_path} rw - cgroup cgroup rw,memory\n"
    assert counter("0::/app/inner\n", unified) is None
    control.touch()
    assert counter("4:memory:/app/inner\n0::/\n", unified + memory) == control
    events.touch()
    assert counter("0::/app/inner\n", unified) == events
    own = f"30 1 0:27 /docker/1 {tmp_path}/app/inner rw - cgroup2 cgroup2 rw\n"
    assert counter("0::/docker/1\n", own) == events
    assert counter("0::/\n", own) == events


def test_a_group_whose_memory_is_not_counted_is_counted_with_the_one_that_it_is_in(tmp_path: Path) -> None:
    (tmp_path / "app/server/guardian").mkdir(parents=True)
    mount = f"30 1 0:27 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "memory.events").touch()
    assert counter("0::/app/server/guardian\n", mount) == tmp_path / "memory.events"
    (tmp_path / "app/memory.events").touch()
    assert counter("0::/app/server/guardian\n", mount) == tmp_path / "app/memory.events"
    assert counter("0::/app\n", f"30 1 0:27 /app {tmp_path}/app rw - cgroup2 cgroup2 rw\n") == (
        tmp_path / "app/memory.events"
    )
