"""A directory as a source: every edit is a new revision, and nothing else is."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dulwich import porcelain

from flowsource.errors import InvalidInput, RevisionGone, SourceInvalid, SourceMissing
from flowsource.revisions import Revision
from flowsource.sources import local_scan
from flowsource.sources.base import Source
from flowsource.sources.local import LocalStorage
from flowsource.sources.writing import TreeWriter
from tests.sources.contract import SourceContract
from tests.sources.directories import DirectoryRemote
from tests.support.parts import lacks

pytestmark = pytest.mark.anyio


class TestAsASource(SourceContract):
    @pytest.fixture
    def remote(self, project: Path) -> DirectoryRemote:
        return DirectoryRemote(project, LocalStorage(project))


async def resolve(directory: Path) -> Revision:
    return await LocalStorage(directory).resolve()


def test_it_is_a_source(project: Path) -> None:
    source: Source = LocalStorage(project, pull_interval=30)
    assert source.mount == project
    assert source.pull_interval == timedelta(seconds=30)
    assert source.selector == ""
    assert source.secret_variables == frozenset()
    assert LocalStorage(project).pull_interval is None


def test_every_spelling_of_a_path_is_one_source(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(project)
    (tmp_path / "link").symlink_to(project)
    spellings: list[str | Path] = [str(project), project, "~/project", ".", tmp_path / "link", f"{project}/lib/.."]
    assert {LocalStorage(path).key for path in spellings} == {LocalStorage(project).key}
    assert {LocalStorage(path).label for path in spellings} == {"~/project"}
    assert LocalStorage(tmp_path).key != LocalStorage(project).key


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), True, "60", timedelta(0)])
def test_an_interval_that_is_no_length_of_time_is_refused(project: Path, interval: float) -> None:
    with pytest.raises(InvalidInput, match="pull_interval"):
        LocalStorage(project, pull_interval=interval)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(InvalidInput, match="path"):
        LocalStorage("")


async def test_a_missing_directory_is_named_with_those_near_it(project: Path) -> None:
    with pytest.raises(SourceMissing, match=rf"no directory {project}s\. There are: {project}\."):
        await resolve(project.with_name("projects"))


async def test_a_file_is_no_directory(project: Path) -> None:
    with pytest.raises(SourceInvalid, match=r"not a directory\. Give the directory that the file is in"):
        await resolve(project / "flows.py")


async def test_what_was_not_edited_keeps_its_revision(project: Path) -> None:
    assert await resolve(project) == await resolve(project)


def write(project: Path) -> None:
    (project / "flows.py").write_text("ANSWER = 43\n")


def write_and_hide_the_time(project: Path) -> None:
    facts = (project / "flows.py").stat()
    write(project)
    os.utime(project / "flows.py", ns=(facts.st_atime_ns, facts.st_mtime_ns))


def save_by_rename(project: Path) -> None:
    (project / "flows.py.new").write_text("ANSWER = 43\n")
    (project / "flows.py.new").rename(project / "flows.py")


def swap(project: Path) -> None:
    (project / "lib").rename(project / "lib2")


def allow_executing(project: Path) -> None:
    (project / "flows.py").chmod(0o755)


def delete(project: Path) -> None:
    (project / "lib" / "rows.csv").unlink()


def add_nested(project: Path) -> None:
    (project / "a" / "b").mkdir(parents=True)
    (project / "a" / "b" / "c.py").touch()


def link(project: Path) -> None:
    (project / "latest").symlink_to("lib")


@pytest.mark.parametrize(
    "edit", [write, write_and_hide_the_time, save_by_rename, swap, allow_executing, delete, add_nested, link]
)
async def test_any_edit_is_a_new_revision(project: Path, edit: Callable[[Path], None]) -> None:
    before = await resolve(project)
    edit(project)
    assert await resolve(project) != before


async def test_edits_of_one_size_in_quick_succession_all_show(project: Path) -> None:
    seen = set()
    for number in range(10):
        (project / "flows.py").write_text(f"ANSWER = {number}\n")
        seen.add((await resolve(project)).id)
    assert len(seen) == 10


async def test_where_a_link_leads_is_part_of_the_revision_but_not_what_is_there(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "way").symlink_to(outside)
    before = await resolve(project)
    (outside / "new").touch()
    assert await resolve(project) == before
    (project / "way").unlink()
    (project / "way").symlink_to(tmp_path)
    assert await resolve(project) != before


async def test_a_loop_of_links_has_an_end(project: Path) -> None:
    (project / "lib" / "up").symlink_to("..")
    (project / "self").symlink_to("self")
    await resolve(project)


@pytest.mark.parametrize(
    "noise",
    [
        ".git/index",
        "lib/__pycache__/rows.cpython-311.pyc",
        "node_modules/left-pad/index.js",
        ".mypy_cache/3.11/cache.json",
        ".flows.py.swp",
        "flows.py~",
        ".#flows.py",
        "4913",
    ],
)
async def test_what_tools_leave_behind_is_no_edit(project: Path, noise: str) -> None:
    before = await resolve(project)
    (project / noise).parent.mkdir(parents=True, exist_ok=True)
    (project / noise).write_text("x")
    assert await resolve(project) == before


async def test_a_virtual_environment_of_any_name_is_left_out(project: Path) -> None:
    before = await resolve(project)
    (project / "env" / "lib").mkdir(parents=True)
    (project / "env" / "pyvenv.cfg").touch()
    (project / "env" / "lib" / "module.py").touch()
    assert await resolve(project) == before


async def test_a_fifo_and_a_socket_are_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await resolve(project)
    os.mkfifo(project / "pipe")
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert await resolve(project) == before


async def test_too_many_files_are_refused_with_advice(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_scan, "MAX_FILES", 2)
    await resolve(project)
    (project / "third").touch()
    with pytest.raises(SourceInvalid, match=r"more than 2 files\. Give the directory of the flows alone"):
        await resolve(project)


async def test_several_are_resolved_by_one_look(project: Path) -> None:
    source = LocalStorage(project)
    assert await source.resolve_together([source, LocalStorage(project)]) == [await source.resolve()] * 2


class TestFetching:
    async def test_it_copies_what_the_revision_names(self, project: Path, tmp_path: Path) -> None:
        link(project)
        allow_executing(project)
        os.mkfifo(project / "pipe")
        into = tmp_path / "into"
        into.mkdir()
        source = LocalStorage(project)
        revision = await source.resolve()
        assert await source.fetch(revision, TreeWriter(into), workspace=tmp_path) == revision
        assert sorted(str(path.relative_to(into)) for path in into.rglob("*")) == [
            "flows.py",
            "latest",
            "lib",
            "lib/rows.csv",
        ]
        assert os.access(into / "flows.py", os.X_OK)
        assert os.readlink(into / "latest") == "lib"

    async def test_a_state_that_was_edited_away_is_gone(self, project: Path, tmp_path: Path) -> None:
        source = LocalStorage(project)
        revision = await source.resolve()
        write(project)
        into = tmp_path / "into"
        into.mkdir()
        with pytest.raises(RevisionGone, match="keeps no history"):
            await source.fetch(revision, TreeWriter(into), workspace=tmp_path)
        assert not list(into.iterdir())


class TestInAWorkTree:
    """What Git knows is told along."""

    @pytest.fixture
    def commit(self, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        (project / ".gitignore").write_text("*.log\n")
        porcelain.init(project).close()
        return self.commit_all(project)

    def commit_all(self, project: Path) -> str:
        author = b"Ada Lovelace <ada@example.org>"
        with porcelain.open_repo_closing(project) as repo:
            repo.get_worktree().stage([b".gitignore", b"flows.py", b"lib/rows.csv"])
        return porcelain.commit(
            project,
            message=b"Answer the question\n\nAt length.\n",
            author=author,
            committer=author,
            commit_timestamp=1767312000,
            commit_timezone=3600,
        ).decode()

    async def test_a_clean_directory_tells_its_commit(self, project: Path, commit: str) -> None:
        revision = await resolve(project)
        assert (revision.commit, revision.subject) == (commit, "Answer the question")
        assert revision.author == "Ada Lovelace <ada@example.org>"
        assert revision.committed_at == datetime(2026, 1, 2, tzinfo=UTC)
        assert revision.ref in {"refs/heads/master", "refs/heads/main"}
        assert not revision.dirty

    async def test_a_part_of_the_work_tree_is_as_dirty_as_itself(self, project: Path, commit: str) -> None:
        write(project)
        assert (await resolve(project)).dirty
        part = await resolve(project / "lib")
        assert not part.dirty
        assert part.commit == commit

    @pytest.mark.usefixtures("commit")
    @pytest.mark.parametrize("edit", [write, swap, delete, add_nested, link])
    async def test_an_edit_makes_it_dirty(self, project: Path, edit: Callable[[Path], None]) -> None:
        edit(project)
        assert (await resolve(project)).dirty

    async def test_a_commit_makes_it_clean_again(self, project: Path, commit: str) -> None:
        write(project)
        dirty = await resolve(project)
        later = self.commit_all(project)
        clean = await resolve(project)
        assert clean == dirty, "the files are the same"
        assert (dirty.dirty, clean.dirty) == (True, False)
        assert clean.commit == later

    @pytest.mark.usefixtures("commit")
    async def test_what_git_ignores_leaves_it_clean(self, project: Path) -> None:
        (project / "run.log").touch()
        assert not (await resolve(project)).dirty

    async def test_a_detached_head_has_no_ref(self, project: Path, commit: str) -> None:
        (project / ".git" / "HEAD").write_text(f"{commit}\n")
        revision = await resolve(project)
        assert revision.ref is None
        assert revision.commit == commit

    @pytest.mark.usefixtures("commit")
    @pytest.mark.parametrize("broken", ["HEAD", "objects", "config", "index"])
    async def test_a_broken_repository_stops_nothing(self, project: Path, broken: str) -> None:
        whole = await resolve(project)
        place = project / ".git" / broken
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.write_bytes(b"\x00[broken")
        assert await resolve(project) == whole
        assert replace(await resolve(project), dirty=False).subject is None

    @pytest.mark.usefixtures("commit")
    async def test_a_repository_that_another_user_put_around_it_is_not_read(self, project: Path) -> None:
        if os.geteuid() != 0:
            lacks("only root may give a repository to another user")
        os.chown(project / ".git", 65534, 65534)
        assert (await resolve(project)).subject is None

    async def test_an_empty_repository_has_no_facts(self, project: Path) -> None:
        porcelain.init(project).close()
        assert (await resolve(project)).subject is None
