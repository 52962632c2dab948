"""Whatever becomes of a real pack on its way, it is taken whole or not at all, and nothing else comes of it."""

from __future__ import annotations

import hashlib
import random
import tempfile
import zlib
from io import BytesIO
from pathlib import Path

from dulwich.object_format import SHA1
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.pack import Pack, write_pack_objects
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowsource.errors import SourceInvalid
from flowsource.sources.git.store.objects import Objects
from flowsource.sources.git.store.receiving import PackReceiver
from tests.fire.length import rounds
from tests.support.packs import BLOB, REF_DELTA, copy_of_all, entry, object_id

DECLARED = (SourceInvalid, ValueError, IndexError, KeyError, zlib.error)


def real_pack() -> bytes:
    """A pack with objects of each kind, deltas by offset and by name, and some that no compression helps."""
    chance = random.Random(11)
    lines = [b"line %d of many\n" % number for number in range(300)]
    blobs = [Blob.from_string(b"".join(lines[place:]) + b"%d" % place) for place in range(12)]
    blobs += [Blob.from_string(b""), Blob.from_string(chance.randbytes(3000)), Blob.from_string(bytes(70_000))]
    tree = Tree()
    for number, blob in enumerate(blobs):
        tree.add(b"file-%d" % number, 0o100644, blob.id)
    commit = Commit()
    commit.tree, commit.message = tree.id, b"Change files\n"
    commit.author = commit.committer = b"Ada <ada@example.org>"
    commit.author_time = commit.commit_time = commit.author_timezone = commit.commit_timezone = 0
    objects: list[tuple[ShaFile, None]] = [(one, None) for one in (commit, tree, *blobs)]
    packed = BytesIO()
    write_pack_objects(packed, objects, deltify=True, object_format=SHA1)
    base = b"0123456789" * 10
    more = [entry(REF_DELTA, copy_of_all(100, times=2), base=bytes.fromhex(object_id(BLOB, base))), entry(BLOB, base)]
    body = bytearray(packed.getvalue()[:-20] + b"".join(more))
    body[8:12] = (int.from_bytes(body[8:12]) + len(more)).to_bytes(4)
    return sealed(bytes(body))


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha1(body).digest()


PACK = real_pack()
places = st.integers(0, len(PACK) - 1)
mutations = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(1, 255)),
    st.tuples(st.just("cut"), places, st.integers(1, 200)),
    st.tuples(st.just("again"), places, st.integers(1, 200)),
    st.tuples(st.just("zeros"), places, st.integers(1, 200)),
    st.tuples(st.just("end"), places, st.just(0)),
    st.tuples(st.just("count"), st.just(8), st.integers(0, 2**32 - 1)),
)


def mutated(pack: bytes, mutation: tuple[str, int, int]) -> bytes:
    how, place, value = mutation
    match how:
        case "flip" if place < len(pack):
            return pack[:place] + bytes([pack[place] ^ value]) + pack[place + 1 :]
        case "cut":
            return pack[:place] + pack[place + value :]
        case "again":
            return pack[: place + value] + pack[place:]
        case "zeros":
            return pack[:place] + bytes(value) + pack[place + value :]
        case "end":
            return pack[:place]
        case "count":
            return pack[:8] + value.to_bytes(4) + pack[12:]
    return pack


def receive(pack: bytes, piece: int, packs: Path) -> tuple[bool, dict[str, bytes | None]]:
    """Whether a pack was taken, and what came out of it meanwhile."""
    found: dict[str, bytes | None] = {}

    def on_object(kind: str, object_id: str, data: bytes | None) -> None:
        found[object_id] = data

    with tempfile.TemporaryDirectory() as place:
        store = DiskObjectStore.init(place)
        try:
            with PackReceiver(packs, "it", Objects(store), id_size=20, on_object=on_object) as receiver:
                for begin in range(0, len(pack), piece):
                    receiver.feed(pack[begin : begin + piece])
                receiver.finish()
        except DECLARED:
            return False, found
        finally:
            store.close()
    return True, found


@settings(max_examples=rounds("mutated packs", short=250, full=20_000))
@given(st.lists(mutations, max_size=3), st.sampled_from([1 << 20, 4096, 61]), st.booleans())
# A delta of one object that comes to stand where that of another was, whose base is of another size.
@example([("cut", 1346, 22)], 1 << 20, False)
def test_a_mutated_pack_is_taken_whole_or_refused_with_a_declared_error(
    changes: list[tuple[str, int, int]], piece: int, is_sealed: bool
) -> None:
    pack = PACK
    for change in changes:
        pack = mutated(pack, change)
    if is_sealed:
        # A checksum that is right lets damage come further than one that tells of it.
        pack = sealed(pack[:-20])
    with tempfile.TemporaryDirectory() as place:
        packs = Path(place)
        was_taken, found = receive(pack, piece, packs)
        left = sorted(path.suffix for path in packs.iterdir())
        assert left == ([".idx", ".pack"] if was_taken and pack else [])
        if left:
            [index] = packs.glob("*.idx")
            with Pack(str(index.with_suffix("")), object_format=SHA1) as taken:
                assert {ObjectID(name.encode()) for name in found} == set(taken)
                taken.check()
        assert was_taken or pack != PACK
