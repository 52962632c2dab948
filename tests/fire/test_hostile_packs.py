"""Packs and trees that no honest program makes, sent by a server: refused, and everything else stays as it is."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from flowsource.errors import SourceError, SourceInvalid, SourceUnavailable, UnsafeTree
from tests.fire.length import FULL, some
from tests.fire.serving import Stage, beside, debris, is_unlocked, stage, unsound
from tests.sources.contract import files_in
from tests.support.packs import (
    BLOB,
    COMMIT,
    DIRECTORY,
    FILE,
    LINK,
    OFS_DELTA,
    REF_DELTA,
    SUBMODULE,
    TREE,
    Made,
    commit_of,
    copy_of_all,
    entry,
    number,
    object_id,
    pack_of,
    tree_of,
)

pytestmark = pytest.mark.anyio

Answer = tuple[str, bytes]  # a commit, and the pack that is sent for it


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.fixture
def here(place: Stage) -> Iterator[Stage]:
    """The one stage for all: what any of them left would be in the way of the next."""
    yield place
    place.server.behave()


def named(name: bytes) -> Made:
    """A commit of one file of that name."""
    made = Made()
    return made.root((FILE, name, made.blob(b"evil"))).trees_first()


def below(mode: int, *names: bytes) -> Made:
    """A commit of one file, in directories of those names."""
    made = Made()
    content = made.blob(b"evil")
    for name in reversed(names):
        mode, content = DIRECTORY, made.tree((FILE if mode != DIRECTORY else DIRECTORY, name, content))
    return made.commits(content).trees_first()


HOSTILE_NAMES = [
    b"..",
    b".",
    b"",
    b"/etc",
    b"a/../../b",
    b"a\\.git",
    b"a\\.git\\config",
    b".git",
    b".GIT",
    b".Git",
    b"git~1",
    b"GIT~1",
    b".git ",
    b".git.",
    b".git. . ",
    b".git::$INDEX_ALLOCATION",
    b".git:stream",
    ".g\u200cit".encode(),
    ".gi\ufefft".encode(),
    "\u200e.git".encode(),
    ".gi\u200dt\u202a".encode(),
    b"x" * 256,
]


@pytest.mark.parametrize("name", some("hostile names", HOSTILE_NAMES, every=3), ids=repr)
@pytest.mark.parametrize(
    "deep", [False, True] if FULL else [True], ids=lambda deep: "deep down" if deep else "at the top"
)
async def test_a_dangerous_name_is_refused_as_it_arrives(here: Stage, name: bytes, deep: bool) -> None:
    made = below(FILE, b"flows", name) if deep else named(name)
    await refused(here, made, UnsafeTree, "the revision was not written: .*Mend it at the source")


def twice(*entries: tuple[int, bytes]) -> Callable[[], Made]:
    def make() -> Made:
        made = Made()
        blob = made.blob(b"/etc/passwd")
        ids = {FILE: blob, LINK: blob, SUBMODULE: "ab" * 20}
        inner = made.tree((FILE, b"written-through", blob)) if any(mode == DIRECTORY for mode, _ in entries) else ""
        return made.root(*((mode, name, ids.get(mode, inner)) for mode, name in entries)).trees_first()

    return make


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(twice((FILE, b"a"), (FILE, b"a")), id="two files"),
        pytest.param(twice((LINK, b"a"), (DIRECTORY, b"a")), id="a link, then a directory"),
        pytest.param(twice((DIRECTORY, b"a"), (LINK, b"a")), id="a directory, then a link"),
        pytest.param(twice((FILE, b"a"), (DIRECTORY, b"a")), id="a file and a directory"),
        pytest.param(twice((SUBMODULE, b"a"), (LINK, b"a")), id="a submodule and a link"),
        pytest.param(twice((LINK, b"a"), (FILE, b"b"), (LINK, b"a")), id="two links"),
    ],
)
async def test_what_has_one_name_with_another_is_refused(here: Stage, make: Callable[[], Made]) -> None:
    await refused(here, make(), UnsafeTree, "'a': the name is there twice")


async def test_a_path_through_a_link_has_no_way_to_be_named(here: Stage) -> None:
    made = Made()
    blob = made.blob(b"..")
    await refused(here, made.root((LINK, b"out", blob), (FILE, b"out/evil", blob)), UnsafeTree, "'out/evil'")


@pytest.mark.parametrize("name", [b".gitmodules", b".GITMODULES", b"gitmod~1", b".gitmodules "])
async def test_the_list_of_submodules_is_no_link(here: Stage, name: bytes) -> None:
    made = Made()
    await refused(
        here, made.root((LINK, name, made.blob(b"elsewhere"))).trees_first(), UnsafeTree, "must not be a link"
    )


@pytest.mark.parametrize("mode", some("odd modes", [0o10644, 0o60644, 0o20644, 0o140644, 0, 0o170000], every=3))
async def test_a_device_or_a_pipe_is_refused(here: Stage, mode: int) -> None:
    made = Made()
    await refused(here, made.root((mode, b"device", made.blob(b""))).trees_first(), UnsafeTree, "'device': the mode")


@pytest.mark.parametrize("order", ["from the top", "from below"])
async def test_directories_a_thousand_deep_are_refused(here: Stage, order: str) -> None:
    made = below(FILE, *[b"d"] * 1000, b"flows.py")
    made.entries = made.entries if order == "from the top" else [made.entries[0], *reversed(made.entries[1:])]
    await refused(here, made, UnsafeTree, "'d/d/d/.*nested more than 256 deep")


@pytest.mark.parametrize("order", ["from the top", "from below"])
async def test_ten_trees_that_name_ten_thousand_million_files_are_refused(here: Stage, order: str) -> None:
    made = Made()
    mode, inner = FILE, made.blob(b"x")
    for _ in range(10):
        inner = made.tree(*((mode, b"%d" % place, inner) for place in range(10)))
        mode = DIRECTORY
    made.commits(inner)
    await refused(
        here, made.trees_first() if order == "from the top" else made, UnsafeTree, "more than 1,000,000 files"
    )


async def test_a_tree_that_holds_itself_cannot_be_sent(here: Stage) -> None:
    made = Made()
    missing = object_id(TREE, b"never sent")
    await refused(here, made.root((DIRECTORY, b"a", missing)), SourceUnavailable, "damaged|cannot be used")


async def test_a_file_of_which_only_the_name_was_sent_is_missed(here: Stage) -> None:
    made = Made()
    await refused(here, made.root((FILE, b"flows.py", "12" * 20)), SourceUnavailable, "damaged|cannot be used")


async def test_a_file_where_a_tree_is_named_is_refused(here: Stage) -> None:
    made = Made()
    blob = made.blob(b"no tree at all")
    await refused(here, made.root((DIRECTORY, b"flows", blob)), SourceInvalid, "is a blob where a tree is named")


async def test_a_tree_where_a_file_is_named_is_refused(here: Stage) -> None:
    made = Made()
    tree = made.tree((FILE, b"x", made.blob(b"x")))
    await refused(here, made.root((FILE, b"flows.py", tree)), SourceInvalid, "is a tree where a blob is named")


async def test_a_commit_of_a_file_is_refused(here: Stage) -> None:
    made = Made()
    await refused(here, made.commits(made.blob(b"x")), SourceInvalid, "is a blob where a tree is named")


async def test_a_tree_where_a_commit_is_named_is_refused(here: Stage) -> None:
    made = Made()
    made.commit = made.tree((FILE, b"x", made.blob(b"x")))
    await refused(here, made, SourceInvalid, "only a commit can be served")


@pytest.mark.parametrize("content", [b"", b"tree x\n", b"tree " + b"0" * 41 + b"\n\n", b"\xff" * 100, b"parent 1\n\n"])
async def test_a_commit_that_is_not_written_as_one_is_refused(here: Stage, content: bytes) -> None:
    made = Made()
    made.commit = made.add(COMMIT, content)
    await refused(here, made, SourceError, r"\S")


@pytest.mark.parametrize("content", [b"100644 x", b"100644 x\0short", b"\0" * 30, b"zzz x\0" + b"1" * 20, b"\xff"])
async def test_a_tree_that_is_not_written_as_one_is_refused(here: Stage, content: bytes) -> None:
    made = Made()
    await refused(here, made.commits(made.add(TREE, content)), UnsafeTree, "cannot be read|mode")


def delta_cases() -> dict[str, Answer]:
    """Packs whose deltas are not as they should be, by what is wrong."""
    base = b"0123456789" * 10
    blob, tree = entry(BLOB, base), tree_of((FILE, b"flows.py", object_id(BLOB, base * 2)))
    commit = commit_of(object_id(TREE, tree))
    name = object_id(COMMIT, commit)
    head = [entry(COMMIT, commit), entry(TREE, tree)]
    good = copy_of_all(100, times=2)
    one, two = bytes.fromhex("1" * 40), bytes.fromhex("2" * 40)
    return {
        "it names an offset before the pack": (name, pack_of(*head, entry(OFS_DELTA, good, base=100_000))),
        "it names the head of the pack": (name, pack_of(entry(OFS_DELTA, good, base=5), *head, blob)),
        "it builds upon itself": (name, pack_of(*head, b"\xe4\x00" + entry(OFS_DELTA, good, base=1)[2:])),
        "it names the middle of another": (name, pack_of(*head, blob, entry(OFS_DELTA, good, base=3))),
        "two build upon each other": (
            name,
            pack_of(*head, entry(REF_DELTA, good, base=one), entry(REF_DELTA, good, base=two)),
        ),
        "it names what was not sent": (name, pack_of(*head, entry(REF_DELTA, good, base=one))),
        "its base is of another length": (
            name,
            pack_of(*head, blob, entry(OFS_DELTA, copy_of_all(99, times=2), base=len(blob))),
        ),
        "it copies from beyond its base": (
            name,
            pack_of(*head, blob, entry(OFS_DELTA, number(100) + number(200) + b"\xf1\x50\xc8\x00\x00", base=len(blob))),
        ),
        "it makes more than it says": (
            name,
            pack_of(*head, blob, entry(OFS_DELTA, number(100) + number(150) + good[3:], base=len(blob))),
        ),
        "it makes less than it says": (
            name,
            pack_of(*head, blob, entry(OFS_DELTA, number(100) + number(1000) + good[3:], base=len(blob))),
        ),
        "it ends in the middle": (name, pack_of(*head, blob, entry(OFS_DELTA, good[:-2], base=len(blob)))),
        "it is empty": (name, pack_of(*head, blob, entry(OFS_DELTA, b"", base=len(blob)))),
        "it has an instruction that there is not": (
            name,
            pack_of(*head, blob, entry(OFS_DELTA, number(100) + number(1) + b"\0", base=len(blob))),
        ),
        "it is a number without end": (name, pack_of(*head, blob, entry(OFS_DELTA, b"\xff" * 5000, base=len(blob)))),
    }


def pack_cases() -> dict[str, Answer]:
    """Packs that are no whole packs, by what is wrong."""
    made = Made()
    made.root((FILE, b"flows.py", made.blob(random.Random(5).randbytes(3000)))).trees_first()
    name, pack = made.commit, made.pack
    other = Made()
    other.root((FILE, b"other.py", other.blob(b"x")))
    return {
        "nothing": (name, b""),
        "no pack": (name, b"<html>" * 100),
        "another version": (name, pack[:7] + b"\x09" + pack[8:]),
        "half of it": (name, pack[: len(pack) // 2]),
        "all but the last byte": (name, pack[:-1]),
        "bytes after its end": (name, pack + b"more"),
        "two of them": (name, pack + pack),
        "one object more than it has": (name, pack_of(*made.entries, count=4)),
        "one object less than it has": (name, pack_of(*made.entries, count=2)),
        "no objects": (name, pack_of()),
        "a wrong checksum": (name, pack[:-20] + bytes(20)),
        "another commit": (name, other.pack),
        "an object longer than it says": (name, pack_of(*made.entries, entry(BLOB, b"x" * 50, said=49))),
        "an object shorter than it says": (name, pack_of(*made.entries, entry(BLOB, b"x" * 50, said=51))),
        "an object of no kind": (name, pack_of(*made.entries, b"\x53" + entry(BLOB, b"xxx")[1:])),
        "an object that is not deflated": (name, pack_of(*made.entries, entry(BLOB, b"abc")[:1] + b"plainly nothing")),
    }


@pytest.mark.parametrize("what", some("hostile deltas", list(delta_cases()), every=2))
async def test_a_delta_that_cannot_be_applied_is_refused(here: Stage, what: str) -> None:
    await refused(here, delta_cases()[what], SourceError, r"\S")


@pytest.mark.parametrize("what", some("broken packs", list(pack_cases()), every=2))
async def test_what_is_no_whole_pack_is_refused(here: Stage, what: str) -> None:
    await refused(here, pack_cases()[what], SourceError, r"\S")


async def test_deltas_before_what_they_build_upon_are_taken(here: Stage) -> None:
    """The other way round than all the others: this is odd, but nothing is wrong with it."""
    base = b"0123456789" * 10
    tree = tree_of((FILE, b"flows.py", object_id(BLOB, base * 6)), (FILE, b"once.py", object_id(BLOB, base)))
    commit = commit_of(object_id(TREE, tree))
    deltas = [
        entry(REF_DELTA, copy_of_all(200, times=3), base=bytes.fromhex(object_id(BLOB, base * 2))),
        entry(REF_DELTA, copy_of_all(100, times=2), base=bytes.fromhex(object_id(BLOB, base))),
    ]
    here.sends(pack_of(*deltas, entry(BLOB, base), entry(TREE, tree), entry(COMMIT, commit)))
    snapshot = await here.ensure(object_id(COMMIT, commit))
    assert files_in(snapshot.root) == {"flows.py": base * 6, "once.py": base}


async def test_a_tree_named_at_many_paths_is_written_to_all(here: Stage) -> None:
    made = Made()
    inner = made.tree((FILE, b"x", made.blob(b"x")), (DIRECTORY, b"y", made.tree((FILE, b"z", made.blob(b"z")))))
    middle = made.tree(*((DIRECTORY, name, inner) for name in (b"1", b"2", b"3")))
    root = made.root((DIRECTORY, b"a", middle), (DIRECTORY, b"b", inner), (DIRECTORY, b"c", middle))
    for sent in (root.pack, root.trees_first().pack):
        here.sends(sent)
        found = files_in((await here.ensure(made.commit)).root)
        tops = [f"{top}/{n}" for top in "ac" for n in "123"] + ["b"]
        assert found == {f"{top}/{path}": path[-1:].encode() for top in tops for path in ("x", "y/z")}


async def test_an_object_that_is_there_twice_is_taken_once(here: Stage) -> None:
    made = Made()
    made.root((FILE, b"flows.py", made.blob(b"x")))
    made.entries += made.entries
    here.sends(made)
    assert files_in((await here.ensure(made.commit)).root) == {"flows.py": b"x"}


async def refused(here: Stage, answer: Made | Answer, error: type[SourceError], why: str) -> None:
    """That answer is refused, and hurts nothing: what was good is good, and what comes next is taken."""
    # Named by its id it needs no network once it is there.
    good = await here.ensure(here.first)
    workspace = good.root.parents[2]
    commit, pack = (answer.commit, answer.pack) if isinstance(answer, Made) else answer
    outside, published = beside(here), sorted(os.listdir(workspace / "snapshots"))
    here.sends(pack)
    with pytest.raises(error, match=why) as caught:
        await here.ensure(commit)
    assert str(caught.value).isprintable()
    assert beside(here) == outside
    assert debris(workspace) == []
    assert is_unlocked(workspace)
    assert sorted(os.listdir(workspace / "snapshots")) == published
    assert await here.cache.verify(good) == ()
    here.server.behave()
    if FULL:
        await test_after_all_of_that_the_next_commit_is_served(here)


async def test_after_all_of_that_the_next_commit_is_served(here: Stage) -> None:
    number = len(list((await here.ensure()).root.parents[1].iterdir()))
    here.repository.commit_files({"flows.py": f"ANSWER = {number}\n"})
    assert files_in((await here.ensure()).root) == {"flows.py": f"ANSWER = {number}\n".encode()}
    assert await unsound(here.cache) == []
