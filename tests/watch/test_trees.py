"""Which part of two trees is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.deployments import Declaration
from flowsource.entrypoints import parse
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.content import Entry
from flowsource.sources.git.repository import GitRepository
from flowsource.watch.comparing import Comparison, compare
from flowsource.watch.trees import paths_of, tree_id

TREE = [
    Entry("flows.py", "0444", 3, "sha256:a"),
    Entry("flows/etl.py", "0444", 3, "sha256:b"),
    Entry("flows2/etl.py", "0444", 3, "sha256:c"),
    Entry("lib/x.py", "0555", 3, "sha256:d"),
]


def changed(path: str, /, **to: Any) -> list[Entry]:
    """The tree with one entry otherwise."""
    return [entry._replace(**to) if entry.path == path else entry for entry in TREE]


@pytest.mark.parametrize("to", [{"digest": "sha256:z"}, {"mode": "0555"}, {"path": "flows/load.py"}])
def test_another_content_mode_or_name_is_another_tree(to: dict[str, str]) -> None:
    other = changed("flows/etl.py", **to)
    assert tree_id(other, ()) != tree_id(TREE, ())
    assert tree_id(other, ["flows"]) != tree_id(TREE, ["flows"])
    assert tree_id(other, ["lib", "flows.py"]) == tree_id(TREE, ["lib", "flows.py"])


def test_where_and_when_a_file_was_written_is_no_difference() -> None:
    assert tree_id(changed("flows.py", mtime_ns=7, inode=7), ()) == tree_id(TREE, ())


def test_the_order_of_the_entries_is_no_difference() -> None:
    assert tree_id(TREE[::-1], ()) == tree_id(TREE, ())


@pytest.mark.parametrize("paths", [["flows"], ["flows/etl.py"]])
def test_a_path_is_a_file_or_a_directory_and_not_the_beginning_of_a_name(paths: list[str]) -> None:
    assert tree_id(changed("flows2/etl.py", digest="sha256:z"), paths) == tree_id(TREE, paths)
    assert tree_id(changed("flows.py", digest="sha256:z"), paths) == tree_id(TREE, paths)
    assert tree_id(changed("flows/etl.py", digest="sha256:z"), paths) != tree_id(TREE, paths)


@pytest.mark.parametrize(
    ("entrypoint", "declared", "paths"),
    [
        ("flows.py:main", (), ()),
        ("flows.py:main", ("lib",), ("lib", "flows.py")),
        ("jobs.etl.main", ("lib",), ("lib", "jobs", "jobs.py")),
    ],
)
def test_the_code_of_the_flow_is_part_of_it_whatever_is_declared(
    entrypoint: str, declared: tuple[str, ...], paths: tuple[str, ...]
) -> None:
    assert paths_of(parse(entrypoint), declared) == paths


@pytest.mark.anyio
async def test_two_snapshots_are_compared_by_what_they_hold(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "repo.git")
    commits = [
        repository.commit_files({"flows.py": "1", "README": readme, "uv.lock": lock})
        for readme, lock in (("a", "a"), ("b", "a"), ("b", "b"))
    ]
    source, cache = GitRepository(str(repository.path)), SnapshotCache(tmp_path / "cache")
    first, second, third = [await cache.ensure(source, Revision(id=commit)) for commit in commits]
    declared = Declaration(
        name="x", entrypoint="flows.py:main", source_key=source.key, source_label="x", paths=("flows.py",)
    )
    assert await compare(cache, first.revision, second, declared) == Comparison(is_same=True)
    compared = await compare(cache, second.revision, third, declared)
    assert (compared.is_same, [change.path for change in compared.changes]) == (True, ["uv.lock"])
    whole = Declaration(name="x", entrypoint="flows.py:main", source_key=source.key, source_label="x")
    assert not (await compare(cache, first.revision, second, whole)).is_same
    assert await compare(cache, Revision(id="9" * 40), second, whole) == Comparison()
