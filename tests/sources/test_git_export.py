"""A tree is written as Git would, or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository, steps
from flowsource.errors import SourceInvalid, UnsafeTree
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git import export, tree
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.store.objects import Objects
from tests.sources.contract import fetched
from tests.support.parts import requires
from tests.support.repositories import FIXTURES, add_blob, add_tree

pytestmark = pytest.mark.anyio

FILE, EXECUTABLE, LINK, DIRECTORY, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o40000, 0o160000


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    return FixtureRepository.create(tmp_path / "flows.git")


async def exported(repository: FixtureRepository, root: str, at: Path) -> Path:
    repository.commit_tree(root)
    source = GitRepository(repository.path)
    return await fetched(source, await source.resolve(), at)


def listing(directory: Path) -> dict[str, tuple[str, bytes | str]]:
    """Kind and content of everything below a directory, by path."""
    found: dict[str, tuple[str, bytes | str]] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory", "")
        else:
            found[name] = (f"{stat.S_IMODE(path.stat().st_mode):o}", path.read_bytes())
    return found


async def test_it_equals_what_git_archive_writes(repository: FixtureRepository, tmp_path: Path) -> None:
    requires("git")
    for step in steps(FIXTURES / "kinds-of-files"):
        repository.commit(step)
    archive = subprocess.run(["git", "-C", repository.path, "archive", "HEAD"], check=True, stdout=subprocess.PIPE)
    (tmp_path / "by-git").mkdir()
    subprocess.run(["tar", "-x", "--no-same-permissions", "-C", tmp_path / "by-git"], check=True, input=archive.stdout)
    for path in (tmp_path / "by-git").rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
    source = GitRepository(repository.path)
    ours = listing(await fetched(source, await source.resolve(), tmp_path))
    assert ours == listing(tmp_path / "by-git")
    assert {kind for kind, _ in ours.values()} == {"444", "555", "link", "directory"}


async def test_modes_are_those_of_git_whatever_the_commit_or_the_umask_says(
    repository: FixtureRepository, tmp_path: Path
) -> None:
    blob = add_blob(repository, b"x")
    root = add_tree(
        repository,
        (0o104777, b"setuid", blob),
        (0o100664, b"group", blob),
        (0o100000, b"nothing", blob),
        (0o101755, b"sticky", blob),
    )
    before = os.umask(0o077)
    try:
        found = listing(await exported(repository, root, tmp_path))
    finally:
        os.umask(before)
    assert {name: kind for name, (kind, _) in found.items()} == {
        "setuid": "555",
        "group": "444",
        "nothing": "444",
        "sticky": "555",
    }


async def test_names_that_differ_in_case_alone_are_two_files(repository: FixtureRepository, tmp_path: Path) -> None:
    one, two = add_blob(repository, b"one"), add_blob(repository, b"two")
    found = listing(await exported(repository, add_tree(repository, (FILE, b"A", one), (FILE, b"a", two)), tmp_path))
    assert found == {"A": ("444", b"one"), "a": ("444", b"two")}


async def test_a_name_that_is_no_utf8_is_written_as_it_is(repository: FixtureRepository, tmp_path: Path) -> None:
    root = add_tree(repository, (FILE, b"caf\xe9.txt", add_blob(repository, b"x")))
    assert os.listdir(os.fsencode(await exported(repository, root, tmp_path))) == [b"caf\xe9.txt"]


async def test_a_submodule_is_an_empty_directory(repository: FixtureRepository, tmp_path: Path) -> None:
    root = add_tree(repository, (SUBMODULE, b"vendored", "ab" * 20))
    assert listing(await exported(repository, root, tmp_path)) == {"vendored": ("directory", "")}


async def test_a_link_that_leads_out_is_a_link_and_nothing_is_written_through_it(
    repository: FixtureRepository, tmp_path: Path
) -> None:
    root = add_tree(repository, (LINK, b"out", add_blob(repository, b"../outside")))
    assert listing(await exported(repository, root, tmp_path)) == {"out": ("link", "../outside")}
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b".",
        b"..",
        b"/etc",
        b"a/../../b",
        b"a/b",
        b".git",
        b".GIT",
        b".gIt",
        b".git ",
        b".git.",
        b".git. .",
        b"git~1",
        b"GIT~1",
        b".git::$INDEX_ALLOCATION",
        b".git\\config",
        b"..\\..\\.git\\config",
        ".g\u200cit".encode(),
        ".GI\u200dT".encode(),
        "\ufeff.git".encode(),
        b"n" * 256,
    ],
)
@pytest.mark.parametrize("mode", [FILE, DIRECTORY])
async def test_a_dangerous_name_is_refused_and_nothing_is_written(
    repository: FixtureRepository, tmp_path: Path, name: bytes, mode: int
) -> None:
    blob = add_blob(repository, b"harmless")
    below = blob if mode != DIRECTORY else add_tree(repository, (FILE, b"config", blob))
    root = add_tree(repository, (FILE, b"before.txt", blob), (mode, name, below))
    with pytest.raises(UnsafeTree, match="was not written"):
        await exported(repository, root, tmp_path)
    assert list((tmp_path / "fetched").iterdir()) == []


async def test_a_dangerous_name_deep_down_is_refused_with_its_path(
    repository: FixtureRepository, tmp_path: Path
) -> None:
    inner = add_tree(repository, (FILE, b".git", add_blob(repository, b"x")))
    root = add_tree(repository, (DIRECTORY, b"a", add_tree(repository, (DIRECTORY, b"b", inner))))
    with pytest.raises(UnsafeTree, match=r"'a/b/\.git'.*Mend it at the source"):
        await exported(repository, root, tmp_path)


@pytest.mark.parametrize(
    "pair",
    [(FILE, FILE), (LINK, DIRECTORY), (DIRECTORY, LINK), (LINK, FILE), (SUBMODULE, DIRECTORY), (FILE, DIRECTORY)],
)
async def test_a_name_that_is_there_twice_is_refused(
    repository: FixtureRepository, tmp_path: Path, pair: tuple[int, int]
) -> None:
    """A link followed by a directory of its name is how files have been written elsewhere."""
    target = add_blob(repository, os.fsencode(tmp_path / "outside"))
    (tmp_path / "outside").mkdir()
    below = add_tree(repository, (FILE, b"planted", target))
    ids = {FILE: target, LINK: target, DIRECTORY: below, SUBMODULE: target}
    root = add_tree(repository, *((mode, b"twice", ids[mode]) for mode in pair))
    with pytest.raises(UnsafeTree, match="'twice': the name is there twice"):
        await exported(repository, root, tmp_path)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("name", [b".gitmodules", b".GitModules", b"gitmod~1", b".gitmodules ."])
async def test_the_list_of_submodules_must_not_be_a_link(
    repository: FixtureRepository, tmp_path: Path, name: bytes
) -> None:
    with pytest.raises(UnsafeTree, match="must not be a link"):
        await exported(repository, add_tree(repository, (LINK, name, add_blob(repository, b"x"))), tmp_path)


@pytest.mark.parametrize("mode", [0, 0o10644, 0o20644, 0o60644, 0o140000, 0o170000])
async def test_what_is_no_file_directory_link_or_submodule_is_refused(
    repository: FixtureRepository, tmp_path: Path, mode: int
) -> None:
    root = add_tree(repository, (mode, b"odd", add_blob(repository, b"x")))
    with pytest.raises(UnsafeTree, match="'odd': the mode"):
        await exported(repository, root, tmp_path)


@pytest.mark.parametrize("target", [b"", b"a\0b", b"x" * 5000])
async def test_a_link_to_what_cannot_exist_is_refused(
    repository: FixtureRepository, tmp_path: Path, target: bytes
) -> None:
    root = add_tree(repository, (LINK, b"link", add_blob(repository, target)))
    with pytest.raises(UnsafeTree, match="'link': it is a link whose target cannot exist"):
        await exported(repository, root, tmp_path)


async def test_a_handful_of_trees_that_name_ten_thousand_million_files_is_refused_without_expanding_it(
    repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    reading = Objects.read

    def noted(self: Objects, object_id: str, kind: str) -> bytes:
        read.append(object_id)
        return reading(self, object_id, kind)

    monkeypatch.setattr(Objects, "read", noted)
    bomb = add_tree(repository, *((FILE, b"%d" % n, add_blob(repository, b"")) for n in range(10)))
    for _ in range(9):
        bomb = add_tree(repository, *((DIRECTORY, b"%d" % n, bomb) for n in range(10)))
    with pytest.raises(UnsafeTree, match="more than 1,000,000 files"):
        await exported(repository, bomb, tmp_path)
    assert len(read) == 10
    assert list((tmp_path / "fetched").iterdir()) == []


async def test_trees_that_hold_too_much_together_are_not_all_read_first(
    repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MOST_ENTRIES", 100)
    blob = add_blob(repository, b"")
    below = [add_tree(repository, *((FILE, b"%d-%d" % (n, m), blob) for m in range(30))) for n in range(10)]
    for number in range(4, 10):
        path = repository.path / "objects" / below[number][:2] / below[number][2:]
        path.unlink()
    root = add_tree(repository, *((DIRECTORY, b"%d" % n, inner) for n, inner in enumerate(below)))
    with pytest.raises(UnsafeTree, match="more than 100 files"):
        await exported(repository, root, tmp_path)


async def test_directories_too_deep_are_refused_however_they_are_put_together(
    repository: FixtureRepository, tmp_path: Path
) -> None:
    """The deep end stands first on its own, where it is shallow, so that its depth is known when it is met again."""
    end = deep = add_tree(repository, (FILE, b"f", add_blob(repository, b"")))
    for _ in range(200):
        end = add_tree(repository, (DIRECTORY, b"d", end))
    deep = end
    for _ in range(100):
        deep = add_tree(repository, (DIRECTORY, b"d", deep))
    with pytest.raises(UnsafeTree, match="more than 256 deep"):
        await exported(repository, add_tree(repository, (DIRECTORY, b"a", end), (DIRECTORY, b"b", deep)), tmp_path)


async def test_a_chain_of_directories_without_end_is_refused(repository: FixtureRepository, tmp_path: Path) -> None:
    chain = add_tree(repository, (FILE, b"f", add_blob(repository, b"")))
    for _ in range(1200):
        chain = add_tree(repository, (DIRECTORY, b"d", chain))
    with pytest.raises(UnsafeTree, match="more than 256 deep"):
        await exported(repository, chain, tmp_path)


async def test_a_path_too_long_is_refused(repository: FixtureRepository, tmp_path: Path) -> None:
    deep = add_tree(repository, (FILE, b"f", add_blob(repository, b"")))
    for _ in range(20):
        deep = add_tree(repository, (DIRECTORY, b"d" * 200, deep))
    with pytest.raises(UnsafeTree, match="the path is longer than"):
        await exported(repository, deep, tmp_path)


async def test_all_copies_of_a_file_are_counted_before_the_first_is_written(
    repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_BYTES", 1000)
    blob = add_blob(repository, b"x" * 100)
    root = add_tree(repository, *((FILE, b"%02d" % n, blob) for n in range(11)))
    with pytest.raises(UnsafeTree, match="'00': with it the files are larger"):
        await exported(repository, root, tmp_path)
    assert list((tmp_path / "fetched").iterdir()) == []


async def test_a_tree_that_cannot_be_read_is_refused(repository: FixtureRepository, tmp_path: Path) -> None:
    odd = add_blob(repository, b"x")
    root = add_tree(repository, (FILE, b"fine", odd), (DIRECTORY, b"odd", odd))
    with pytest.raises(SourceInvalid):
        await exported(repository, root, tmp_path)


async def test_directories_that_did_not_change_are_taken_over_as_they_are(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "flows.git")
    blob, link = add_blob(repository, b"lasting\n"), add_blob(repository, b"data.txt")
    lasting = add_tree(
        repository,
        (FILE, b"data.txt", blob),
        (LINK, b"link", link),
        (SUBMODULE, b"vendored", "ab" * 20),
        (DIRECTORY, b"deep", add_tree(repository, (EXECUTABLE, b"run.sh", blob))),
    )
    cache, source = SnapshotCache(tmp_path / "cache", is_protected=True), GitRepository(repository.path)
    snapshots = []
    for number in range(3):
        changed = add_tree(repository, (FILE, b"flows.py", add_blob(repository, b"N = %d\n" % number)))
        repository.commit_tree(add_tree(repository, (DIRECTORY, b"a", changed), (DIRECTORY, b"lasting", lasting)))
        snapshots.append(await cache.ensure(source, await source.resolve()))
    whole = await fetched(source, await source.resolve(), tmp_path)
    assert listing(snapshots[-1].root) == listing(whole)
    assert await cache.verify(snapshots[-1]) == ()
    inodes = {(snapshot.root / "lasting" / "deep" / "run.sh").stat().st_ino for snapshot in snapshots}
    assert len(inodes) == 1
