"""One pack for the many small ones that updates leave in a store, without what nobody needs any more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from dulwich.pack import Pack
from dulwich.repo import Repo

from flowsource.sources.git.store.objects import Objects
from flowsource.sources.git.store.packs import new_hash, packed_object
from flowsource.sources.git.store.receiving import PackReceiver
from flowsource.sources.git.tree import Kind, Trees


def is_worth_it(sizes: Iterable[int]) -> bool:
    """Whether packs of these sizes are one that lasts and small ones; else a fresh store is the smaller one."""
    ordered = sorted(sizes)
    return sum(ordered[:-1]) <= ordered[-1]


def consolidate(repo: Repo, tips: Iterable[str]) -> None:
    """Put what `tips` lead to, and lies in any pack but the largest, into one pack; remove the others.

    Raises DamagedObjects where something is missing, and leaves all as it was then.
    """
    packs = sorted(repo.object_store.packs, key=_size)
    small = packs[:-1]
    objects = Objects(repo.object_store)
    wanted = sorted(set(_reachable(objects, tips)) & {name.decode() for pack in small for name, _, _ in _named(pack)})
    if wanted:
        _write(objects, wanted, Path(repo.object_store.pack_dir))
    for pack in small:
        base = Path(pack.data.path)
        # The index first: without it nobody looks for the pack.
        base.with_suffix(".idx").unlink(missing_ok=True)
        base.unlink(missing_ok=True)


def sizes(repo: Repo) -> list[int]:
    """Bytes of each pack."""
    return [_size(pack) for pack in repo.object_store.packs]


def _size(pack: Pack) -> int:
    return os.stat(pack.data.path).st_size


def _named(pack: Pack) -> Iterator[tuple[bytes, int, int | None]]:
    for name, offset, crc32 in pack.index.iterentries():
        yield name.hex().encode(), offset, crc32


def _reachable(objects: Objects, tips: Iterable[str]) -> Iterator[str]:
    """The commits, with their trees and files, that are there; a partial store may lack some of the files."""
    for tip in tips:
        yield tip
        trees = Trees(objects, objects.commit(tip).tree.decode("ascii"))
        yield trees.root
        yield from (entry.object_id for _, entry in trees.walk() if entry.kind is not Kind.SUBMODULE)


def _write(objects: Objects, wanted: list[str], packs: Path) -> None:
    id_size = len(wanted[0]) // 2
    made = new_hash(id_size)
    with PackReceiver(packs, "the store", objects, id_size=id_size, on_object=_ignore) as receiver:

        def feed(data: bytes) -> None:
            made.update(data)
            receiver.feed(data)

        feed(b"PACK" + (2).to_bytes(4) + len(wanted).to_bytes(4))
        for object_id in wanted:
            feed(packed_object(*objects.any(object_id)))
        receiver.feed(made.digest())
        receiver.finish()


def _ignore(kind: str, object_id: str, data: bytes | None) -> None:
    """Whoever moves objects knows them."""
