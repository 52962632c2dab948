"""What is written is what was said, stays inside, and cannot be written to."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowsource.errors import UnsafeTree
from flowsource.sources import writing
from flowsource.sources.kept import KeptFiles, KeptSnapshot
from flowsource.sources.writing import TreeWriter


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    (tmp_path / "tree").mkdir()
    return TreeWriter(tmp_path / "tree")


def modes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): f"{stat.S_IMODE(path.lstat().st_mode):o}"
        for path in sorted(directory.rglob("*"))
        if not path.is_symlink()
    }


def test_files_and_directories_cannot_be_written_to_whatever_the_umask(tree: TreeWriter) -> None:
    before = os.umask(0o077)
    try:
        tree.add_file(b"a/b/plain.txt", b"plain")
        tree.add_file(b"run.sh", b"#!/bin/sh\n", executable=True)
        tree.finish()
    finally:
        os.umask(before)
    assert modes(tree.directory) == {"a": "555", "a/b": "555", "a/b/plain.txt": "444", "run.sh": "555"}


def test_a_file_whose_content_ends_in_the_middle_can_be_written_anew(tree: TreeWriter) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        tree.add_file(b"data.bin", broken())
    assert not tree.holds(b"data.bin")
    tree.add_file(b"data.bin", iter([b"half", b"whole"]))
    [entry] = tree.finish()
    assert (entry.path, (tree.directory / "data.bin").read_bytes()) == ("data.bin", b"halfwhole")


def test_the_entries_tell_what_is_on_the_disk(tree: TreeWriter) -> None:
    tree.add_file(b"b.bin", iter([b"one", b"two"]))
    tree.add_file(b"a.txt", b"a", executable=True)
    tree.add_link(b"link", b"b.bin")
    found = tree.finish()
    assert [entry.content for entry in found] == [
        ("a.txt", "0555", 1, f"sha256:{hashlib.sha256(b'a').hexdigest()}"),
        ("b.bin", "0444", 6, f"sha256:{hashlib.sha256(b'onetwo').hexdigest()}"),
        ("link", "link", 5, f"sha256:{hashlib.sha256(b'b.bin').hexdigest()}"),
    ]
    facts = (tree.directory / "b.bin").stat()
    assert (found[1].mtime_ns, found[1].inode) == (facts.st_mtime_ns, facts.st_ino)


@pytest.mark.parametrize(
    "path",
    [
        b"../x",
        b"a/../x",
        b"/etc/x",
        b"a//b",
        b"a/./b",
        b"a/",
        b"",
        b".git/config",
        b".GIT/config",
        b"git~1/x",
        b".git::$INDEX_ALLOCATION/x",
        ".g\u200cit/x".encode(),
        b"a\0b",
        b"x" * 256,
        b"/".join([b"deep"] * 300),
        b"/".join([b"x" * 200] * 20),
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(tree: TreeWriter, path: bytes) -> None:
    with pytest.raises(UnsafeTree, match="was not written"):
        tree.add_file(path, b"x")
    with pytest.raises(UnsafeTree, match="was not written"):
        tree.add_link(path, b"x")
    assert [path for path in tree.directory.rglob("*") if not path.is_dir()] == []


def test_nothing_is_written_through_a_link(tree: TreeWriter, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    tree.add_link(b"way", os.fsencode(tmp_path / "outside"))
    for path in (b"way/planted", b"way"):
        with pytest.raises(UnsafeTree, match="'way'"):
            tree.add_file(path, b"x")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_name_is_written_once(tree: TreeWriter) -> None:
    tree.add_file(b"a/b", b"x")
    for path in (b"a", b"a/b"):
        with pytest.raises(UnsafeTree, match="the name is there twice"):
            tree.add_file(path, b"x")
    with pytest.raises(UnsafeTree, match="and a directory have one name"):
        tree.add_directory(b"a/b")
    with pytest.raises(UnsafeTree, match="and a directory have one name"):
        tree.add_file(b"a/b/c", b"x")


def test_no_more_is_written_than_a_revision_may_hold(tree: TreeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_BYTES", 10)
    tree.add_file(b"a", b"12345")
    with pytest.raises(UnsafeTree, match="'b': with it"):
        tree.add_file(b"b", iter([b"12345", b"6"]))
    monkeypatch.undo()
    monkeypatch.setattr(writing, "MOST_ENTRIES", 3)
    with pytest.raises(UnsafeTree, match="more than 3 files"):
        tree.add_directory(b"many/of/them")


def kept(tree: TreeWriter) -> KeptSnapshot:
    """What was written, as an earlier snapshot of what comes next."""
    entries, empty = tree.finish(), tree.empty_directories
    return KeptSnapshot(
        revision_id="1" * 40, root=tree.directory, entries=entries, empty_directories=empty, is_alike=True
    )


class TestTakingOver:
    """A file that an earlier snapshot holds need not be fetched again."""

    @pytest.fixture
    def before(self, tmp_path: Path) -> KeptSnapshot:
        (tmp_path / "before").mkdir()
        tree = TreeWriter(tmp_path / "before")
        tree.add_file(b"lib/data.bin", bytes(range(256)) * 500)
        tree.add_file(b"run.sh", b"#!/bin/sh\n", executable=True)
        return kept(tree)

    def writer(self, before: KeptSnapshot, at: Path, *, may_link: bool) -> TreeWriter:
        at.mkdir()
        return TreeWriter(at, KeptFiles([before], may_link=may_link))

    @pytest.mark.parametrize("may_link", [True, False], ids=["linked", "copied"])
    def test_it_is_the_same_file_at_whatever_path(self, before: KeptSnapshot, tmp_path: Path, may_link: bool) -> None:
        tree = self.writer(before, tmp_path / "after", may_link=may_link)
        digest = before.entries[0].digest
        assert tree.take_over(b"lib/data.bin", digest=digest)
        assert tree.take_over(b"moved.bin", digest=digest)
        assert [entry.content[1:] for entry in tree.finish()] == [before.entries[0].content[1:]] * 2
        old, new = before.root / "lib" / "data.bin", tmp_path / "after" / "moved.bin"
        assert new.read_bytes() == old.read_bytes()
        assert old.samefile(new) == may_link
        assert modes(tmp_path / "after") == {"lib": "555", "lib/data.bin": "444", "moved.bin": "444"}

    def test_what_was_taken_over_can_be_taken_over_again(self, before: KeptSnapshot, tmp_path: Path) -> None:
        tree = self.writer(before, tmp_path / "after", may_link=False)
        assert tree.take_over(b"run.sh", digest=before.entries[1].digest, executable=True)
        third = self.writer(kept(tree), tmp_path / "third", may_link=False)
        assert third.take_over(b"run.sh", digest=before.entries[1].digest, executable=True)

    @pytest.mark.parametrize("may_link", [True, False], ids=["linked", "copied"])
    def test_a_file_that_was_changed_or_is_gone_is_not_taken_over(
        self, before: KeptSnapshot, tmp_path: Path, may_link: bool
    ) -> None:
        tree = self.writer(before, tmp_path / "after", may_link=may_link)
        (before.root / "lib").chmod(0o755)
        file = before.root / "lib" / "data.bin"
        file.chmod(0o644)
        with file.open("r+b") as opened:
            opened.write(b"!")
        file.chmod(0o444)
        assert not tree.take_over(b"lib/data.bin", digest=before.entries[0].digest)
        file.unlink()
        assert not tree.take_over(b"lib/data.bin", digest=before.entries[0].digest)
        assert not tree.holds(b"lib/data.bin")

    def test_a_file_of_another_mode_or_content_is_not_taken_over(self, before: KeptSnapshot, tmp_path: Path) -> None:
        tree = self.writer(before, tmp_path / "after", may_link=True)
        assert not tree.take_over(b"run.sh", digest=before.entries[1].digest)
        assert not tree.take_over(b"run.sh", digest="sha256:00", executable=True)

    def test_a_file_with_all_the_names_it_can_have_is_copied(
        self, before: KeptSnapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: object, **kwargs: object) -> None:
            raise OSError(31, "Too many links")

        monkeypatch.setattr(os, "link", refuse)
        tree = self.writer(before, tmp_path / "after", may_link=True)
        assert tree.take_over(b"lib/data.bin", digest=before.entries[0].digest)
        assert (tmp_path / "after" / "lib" / "data.bin").stat().st_nlink == 1


class TestTakingOverDirectories:
    """A directory of which nothing changed is taken over as a whole."""

    FILES = ("lib/a.py", "lib/deep/b.py", "lib.py", "lib0", "library/c.py")

    @pytest.fixture
    def before(self, tmp_path: Path) -> KeptSnapshot:
        (tmp_path / "before").mkdir()
        tree = TreeWriter(tmp_path / "before")
        for path in self.FILES:
            tree.add_file(path.encode(), path.encode(), executable=path == "lib/a.py")
        tree.add_link(b"lib/link", b"a.py")
        tree.add_directory(b"lib/vendored/empty")
        return kept(tree)

    def writer(self, before: KeptSnapshot, at: Path) -> TreeWriter:
        at.mkdir()
        return TreeWriter(at, KeptFiles([before], may_link=True))

    def test_it_has_all_that_was_in_it_and_nothing_beside(self, before: KeptSnapshot, tmp_path: Path) -> None:
        tree = self.writer(before, tmp_path / "after")
        assert tree.take_over_directory(b"lib", before)
        inside = [entry for entry in before.entries if entry.path.startswith("lib/")]
        assert tree.finish() == inside
        assert tree.empty_directories == before.empty_directories == ["lib/vendored/empty"]
        found = sorted(str(path.relative_to(tree.directory)) for path in tree.directory.rglob("*"))
        wanted = ["lib", "lib/a.py", "lib/deep", "lib/deep/b.py", "lib/link", "lib/vendored", "lib/vendored/empty"]
        assert found == wanted
        assert (tree.directory / "lib" / "link").readlink() == Path("a.py")

    def test_what_was_written_before_it_stays(self, before: KeptSnapshot, tmp_path: Path) -> None:
        tree = self.writer(before, tmp_path / "after")
        tree.add_file(b"lib/a.py", b"new")
        assert tree.take_over_directory(b"lib", before)
        tree.finish()
        assert (tree.directory / "lib" / "a.py").read_bytes() == b"new"

    def test_what_was_changed_meanwhile_is_left_out(self, before: KeptSnapshot, tmp_path: Path) -> None:
        for name in ("lib/deep", "lib"):
            (before.root / name).chmod(0o755)
        (before.root / "lib" / "deep" / "b.py").unlink()
        (before.root / "lib" / "link").unlink()
        (before.root / "lib" / "link").symlink_to("/etc/passwd")
        tree = self.writer(before, tmp_path / "after")
        assert not tree.take_over_directory(b"lib", before)
        assert tree.holds(b"lib/a.py")
        assert not tree.holds(b"lib/deep/b.py")
        assert not tree.holds(b"lib/link")
