"""What every source promises, as tests that each kind of source inherits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from flowsource.errors import RevisionGone
from flowsource.revisions import Revision
from flowsource.sources.base import Source
from flowsource.sources.writing import TreeWriter


class Remote(Protocol):
    """A place that a test can change, and the source that reads it."""

    @property
    def source(self) -> Source:
        """The source under test."""

    def push(self, files: Mapping[str, str | bytes]) -> None:
        """Let the place hold exactly `files`, content by path, and nothing else."""


def files_in(directory: Path) -> dict[str, bytes]:
    """The content of each file below `directory`, by path."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


async def fetched(source: Source, revision: Revision, at: Path, *, name: str = "fetched") -> Path:
    """A new directory below `at` that holds `revision`; what the source keeps to itself stays there too."""
    workspace, into = at / "workspace", at / name
    workspace.mkdir(exist_ok=True)
    into.mkdir()
    tree = TreeWriter(into)
    try:
        await source.fetch(revision, tree, workspace=workspace)
        tree.finish()
    finally:
        tree.close()
    return into


async def written(source: Source, at: Path, *, name: str = "fetched") -> dict[str, bytes]:
    """The content of each file of the current revision, by path, from a new directory below `at`."""
    return files_in(await fetched(source, await source.resolve(), at, name=name))


class SourceContract:
    """A new kind of source subclasses this, marks it for anyio, and supplies the fixture `remote`."""

    async def test_a_source_at_rest_keeps_its_revision(self, remote: Remote) -> None:
        remote.push({"flows.py": "ANSWER = 41\n"})
        assert await remote.source.resolve() == await remote.source.resolve()

    async def test_a_push_changes_the_revision(self, remote: Remote) -> None:
        remote.push({"flows.py": "ANSWER = 41\n"})
        before = await remote.source.resolve()
        remote.push({"flows.py": "ANSWER = 42\n"})
        assert await remote.source.resolve() != before

    async def test_what_is_fetched_is_what_was_pushed(self, remote: Remote, tmp_path: Path) -> None:
        files: dict[str, str | bytes] = {
            "flows.py": "ANSWER = 42\n",
            "deep/down/data.bin": bytes(range(256)) * 100,
            "empty.txt": "",
            "name with spaces and ümlauts.txt": "äöü\n",
        }
        remote.push(files)
        found = await fetched(remote.source, await remote.source.resolve(), tmp_path)
        assert files_in(found) == {
            path: content.encode() if isinstance(content, str) else content for path, content in files.items()
        }

    async def test_a_file_that_was_removed_is_not_fetched(self, remote: Remote, tmp_path: Path) -> None:
        remote.push({"flows.py": "ANSWER = 41\n", "old.py": "\n"})
        await fetched(remote.source, await remote.source.resolve(), tmp_path, name="before")
        remote.push({"flows.py": "ANSWER = 42\n"})
        after = await fetched(remote.source, await remote.source.resolve(), tmp_path, name="after")
        assert set(files_in(after)) == {"flows.py"}

    async def test_fetching_gives_the_revision_that_was_asked_for(self, remote: Remote, tmp_path: Path) -> None:
        remote.push({"flows.py": "ANSWER = 42\n"})
        revision = await remote.source.resolve()
        (tmp_path / "workspace").mkdir()
        (tmp_path / "into").mkdir()
        into = TreeWriter(tmp_path / "into")
        assert await remote.source.fetch(revision, into, workspace=tmp_path / "workspace") == revision
        into.close()

    async def test_a_revision_that_is_not_there_is_said_to_be_gone(self, remote: Remote, tmp_path: Path) -> None:
        remote.push({"flows.py": "ANSWER = 42\n"})
        revision = await remote.source.resolve()
        with pytest.raises(RevisionGone):
            await fetched(remote.source, replace(revision, id="0123456789" * 4, ref=None), tmp_path)

    async def test_several_sources_are_resolved_together_in_order(self, remote: Remote) -> None:
        remote.push({"flows.py": "ANSWER = 42\n"})
        revision = await remote.source.resolve()
        assert await remote.source.resolve_together([remote.source, remote.source]) == [revision, revision]

    async def test_the_key_is_fit_for_a_file_name_and_stays_the_same(self, remote: Remote) -> None:
        before = remote.source.key
        remote.push({"flows.py": "ANSWER = 42\n"})
        await remote.source.resolve()
        assert remote.source.key == before
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", before)

    async def test_it_says_what_it_is(self, remote: Remote) -> None:
        assert remote.source.label
        assert type(remote.source).__name__ in repr(remote.source)
