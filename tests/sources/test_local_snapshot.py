"""A directory of which each saved state is a revision of its own, to be run again whatever was edited since."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from anyio import to_thread

from flowsource.errors import RevisionGone, SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources import local_contents, local_git
from flowsource.sources.base import Progress
from flowsource.sources.kept import KeptFiles, KeptSnapshot
from flowsource.sources.local import LocalStorage
from flowsource.sources.local_contents import Contents, Edited
from flowsource.sources.local_patch import read_patch
from flowsource.sources.local_scan import Found, scan
from flowsource.sources.writing import TreeWriter
from tests.sources.caching import newest
from tests.sources.contract import SourceContract, files_in
from tests.sources.directories import DirectoryRemote
from tests.support.parts import requires

pytestmark = pytest.mark.anyio


class TestAsASource(SourceContract):
    @pytest.fixture
    def remote(self, project: Path) -> DirectoryRemote:
        return DirectoryRemote(project, LocalStorage(project, snapshot=True))


def test_it_shares_nothing_with_the_directory_in_place(project: Path) -> None:
    saved, mounted = LocalStorage(project, snapshot=True), LocalStorage(project)
    assert saved.mount is None
    assert saved.key != mounted.key
    assert (saved.label, saved.pull_interval) == (mounted.label, mounted.pull_interval)
    assert repr(saved) == f"LocalStorage({str(project)!r}, snapshot=True)"


class TestWhatARevisionIs:
    async def test_a_state_that_comes_back_is_the_revision_that_it_was(self, project: Path) -> None:
        source = LocalStorage(project, snapshot=True)
        first = await source.resolve()
        (project / "flows.py").write_text("ANSWER = 43\n")
        assert await source.resolve() != first
        (project / "flows.py").write_text("ANSWER = 42\n")
        assert await source.resolve() == first

    async def test_another_directory_of_the_same_content_is_the_same_revision(self, project: Path) -> None:
        shutil.copytree(project, project.with_name("copy"))
        copied = LocalStorage(project.with_name("copy"), snapshot=True)
        assert await copied.resolve() == await LocalStorage(project, snapshot=True).resolve()

    async def test_a_file_that_was_only_touched_is_no_edit(self, project: Path) -> None:
        source = LocalStorage(project, snapshot=True)
        before = await source.resolve()
        os.utime(project / "flows.py")
        assert await source.resolve() == before

    @pytest.mark.parametrize(
        "edit",
        [
            lambda project: (project / "flows.py").chmod(0o755),
            lambda project: (project / "flows.py").rename(project / "flow.py"),
            lambda project: (project / "lib" / "rows.csv").unlink(),
            lambda project: (project / "latest").symlink_to("lib"),
        ],
    )
    async def test_any_other_edit_is(self, project: Path, edit: Callable[[Path], None]) -> None:
        source = LocalStorage(project, snapshot=True)
        before = await source.resolve()
        edit(project)
        assert await source.resolve() != before

    async def test_an_edit_that_hides_its_time_is_seen(self, project: Path) -> None:
        source = LocalStorage(project, snapshot=True)
        before, facts = await source.resolve(), (project / "flows.py").stat()
        (project / "flows.py").write_text("ANSWER = 43\n")
        os.utime(project / "flows.py", ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert await source.resolve() != before

    async def test_only_what_was_edited_is_read_again(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = LocalStorage(project, snapshot=True)
        await source.resolve()
        read, as_found = [], local_contents._as_found

        def counted(directory: Path, found: Found) -> object:
            read.append(found.path)
            return as_found(directory, found)

        monkeypatch.setattr(local_contents, "_as_found", counted)
        (project / "flows.py").write_text("ANSWER = 43\n")
        await source.resolve()
        assert read == ["flows.py"]


class TestWhatIsCopied:
    async def test_a_run_keeps_its_state_and_it_can_be_run_again(self, project: Path, cache: SnapshotCache) -> None:
        source = LocalStorage(project, snapshot=True)
        first = await newest(cache, source)
        (project / "flows.py").write_text("ANSWER = 43\n")
        second = await newest(cache, source)
        again = await cache.ensure(source, first.revision)
        assert files_in(again.root)["flows.py"] == files_in(first.root)["flows.py"] == b"ANSWER = 42\n"
        assert files_in(second.root)["flows.py"] == b"ANSWER = 43\n"

    async def test_links_and_permissions_are_kept(self, project: Path, cache: SnapshotCache) -> None:
        (project / "run.sh").write_text("exit\n")
        (project / "run.sh").chmod(0o755)
        (project / "latest").symlink_to("lib")
        (project / "outside").symlink_to("/nowhere/../at/all")
        root = (await newest(cache, LocalStorage(project, snapshot=True))).root
        assert os.access(root / "run.sh", os.X_OK)
        assert (os.readlink(root / "latest"), os.readlink(root / "outside")) == ("lib", "/nowhere/../at/all")

    async def test_an_edit_of_the_directory_changes_no_snapshot(self, project: Path, cache: SnapshotCache) -> None:
        """As it would if files were linked to the ones that are edited in place."""
        snapshot = await newest(cache, LocalStorage(project, snapshot=True))
        with (project / "flows.py").open("r+") as file:
            file.write("BROKEN")
        assert await cache.verify(snapshot) == ()

    async def test_what_an_earlier_snapshot_has_is_not_copied_again(self, project: Path, tmp_path: Path) -> None:
        source = LocalStorage(project, snapshot=True)
        first = TreeWriter(made(tmp_path / "first"))
        await source.fetch(await source.resolve(), first, workspace=tmp_path)
        (project / "flows.py").write_text("ANSWER = 433\n")
        before = KeptSnapshot(revision_id="1" * 64, root=first.directory, entries=first.finish())
        kept = KeptFiles([before], may_link=False)
        second, told = TreeWriter(made(tmp_path / "second"), kept), list[Progress]()
        await source.fetch(await source.resolve(), second, workspace=tmp_path, report=told.append)
        assert files_in(second.directory) == files_in(project)
        assert told[-1] == Progress(received=len("ANSWER = 433\n"), done=2, total=2)

    async def test_an_edit_while_it_is_copied_is_not_published(self, project: Path, tmp_path: Path) -> None:
        source = LocalStorage(project, snapshot=True)
        revision = await source.resolve()

        class Meanwhile(TreeWriter):
            def add_file(
                self,
                path: bytes,
                content: bytes | Iterable[bytes],
                *,
                executable: bool = False,
                digest: str | None = None,
            ) -> str:
                (project / "lib" / "rows.csv").write_text("3,4\n")
                return super().add_file(path, content, executable=executable, digest=digest)

        with pytest.raises(SourceUnavailable, match=r"is being edited \('lib/rows\.csv'\)"):
            await source.fetch(revision, Meanwhile(made(tmp_path / "into")), workspace=tmp_path)

    async def test_a_state_that_was_edited_away_and_never_copied_is_gone(
        self, project: Path, cache: SnapshotCache
    ) -> None:
        source = LocalStorage(project, snapshot=True)
        revision = await source.resolve()
        (project / "flows.py").write_text("ANSWER = 43\n")
        with pytest.raises(RevisionGone, match="keeps no history"):
            await cache.ensure(source, revision)

    @pytest.mark.parametrize("becomes", ["nothing", "fifo", "link", "directory", "file"])
    async def test_a_file_that_became_something_else_is_noticed_at_once(self, project: Path, becomes: str) -> None:
        files, path = scan(project).files, project / "flows.py"
        path.unlink()
        if becomes == "fifo":
            os.mkfifo(path)
        elif becomes == "link":
            path.symlink_to("lib/rows.csv")
        elif becomes == "directory":
            path.mkdir()
        elif becomes == "file":
            path.write_text("ANSWER = 42\n")
        with pytest.raises(Edited, match=r"flows\.py"):
            await to_thread.run_sync(Contents(project).digests, files)

    async def test_a_directory_that_is_never_quiet_is_not_taken(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def edited(*_: object) -> None:
            raise Edited("flows.py")

        monkeypatch.setattr(local_contents, "_as_found", edited)
        with pytest.raises(SourceUnavailable, match=r"is being edited \('flows\.py'\)"):
            await LocalStorage(project, snapshot=True).resolve()


class TestWhatDiffersFromTheCommit:
    """Kept as a patch beside the snapshots, so that a state that was never committed can be told and made again."""

    @pytest.fixture
    def committed(self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        requires("git")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        (project / ".gitignore").write_text("*.log\n")
        (project / "gone.py").write_text("pass\n")
        git(project, "init", "-q")
        git(project, "add", ".")
        git(project, "commit", "-q", "-m", "Begin")
        return project

    async def patch(self, cache: SnapshotCache, directory: Path) -> str | None:
        source = LocalStorage(directory, snapshot=True)
        snapshot = await newest(cache, source)
        return read_patch(cache.root / "sources" / source.key, snapshot.revision)

    async def test_it_makes_the_state_from_the_commit(
        self, committed: Path, cache: SnapshotCache, tmp_path: Path
    ) -> None:
        git(tmp_path, "clone", "-q", str(committed), "again")
        (committed / "flows.py").write_text("ANSWER = 43\nno end of the line")
        (committed / "gone.py").unlink()
        (committed / "new").mkdir()
        (committed / "new" / "ümlaut.py").write_text("x = 1\n")
        (committed / "run.sh").write_text("exit\n")
        (committed / "run.sh").chmod(0o755)
        (committed / "latest").symlink_to("lib")
        git(committed, "add", "run.sh")
        patch = await self.patch(cache, committed)
        assert patch is not None
        (tmp_path / "the.patch").write_text(patch)
        git(tmp_path / "again", "apply", str(tmp_path / "the.patch"))
        assert tree(tmp_path / "again") == tree(committed)

    async def test_a_clean_state_has_none(self, committed: Path, cache: SnapshotCache) -> None:
        (committed / "run.log").write_text("ignored")
        assert await self.patch(cache, committed) is None

    async def test_outside_git_there_is_none(self, project: Path, cache: SnapshotCache) -> None:
        assert await self.patch(cache, project) is None

    async def test_what_git_ignores_is_not_in_it(self, committed: Path, cache: SnapshotCache) -> None:
        (committed / "run.log").write_text("ignored")
        (committed / "flows.py").write_text("ANSWER = 43\n")
        patch = await self.patch(cache, committed)
        assert patch is not None
        assert "flows.py" in patch
        assert "run.log" not in patch

    async def test_of_a_part_of_the_work_tree_it_tells_that_part(self, committed: Path, cache: SnapshotCache) -> None:
        (committed / "flows.py").write_text("ANSWER = 43\n")
        (committed / "lib" / "rows.csv").write_text("3,4\n")
        patch = await self.patch(cache, committed / "lib")
        assert patch is not None
        assert "lib/rows.csv" in patch
        assert "flows.py" not in patch

    async def test_what_is_too_large_is_named(
        self, committed: Path, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local_git, "_LARGEST_SHOWN", 100)
        (committed / "large.txt").write_text("x" * 101)
        (committed / "small.txt").write_text("small\n")
        patch = await self.patch(cache, committed)
        assert patch is not None
        assert "large.txt differs, and is too large to be shown here" in patch
        assert "+small" in patch

    async def test_a_patch_that_cannot_be_made_stops_nothing(
        self, committed: Path, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise AssertionError("an unusual repository")

        monkeypatch.setattr(local_git, "_difference", fail)
        (committed / "flows.py").write_text("ANSWER = 43\n")
        assert await self.patch(cache, committed) is None

    async def test_a_clean_state_tells_its_commit(self, committed: Path, cache: SnapshotCache) -> None:
        (committed / "flows.py").write_text("ANSWER = 43\n")
        snapshot = await newest(cache, LocalStorage(committed, snapshot=True))
        assert snapshot.revision.dirty
        assert snapshot.revision.commit == git(committed, "rev-parse", "HEAD")
        assert snapshot.revision.ref == git(committed, "symbolic-ref", "HEAD")


def made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def git(directory: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def tree(directory: Path) -> dict[str, tuple[bool, str | bytes]]:
    """Each file and link outside of Git's own directory: whether it may be executed, and what it holds."""
    return {
        str(path.relative_to(directory)): (
            os.access(path, os.X_OK) and path.is_file(),
            os.readlink(path) if path.is_symlink() else path.read_bytes(),
        )
        for path in directory.rglob("*")
        if ".git" not in path.parts and (path.is_symlink() or path.is_file())
    }
