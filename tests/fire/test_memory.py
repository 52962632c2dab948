"""What a fetch takes of memory and disk has a bound, whatever it is that a server sends."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsource.errors import UnsafeTree
from flowsource.sources.git.store import receiving
from tests.fire import measured
from tests.fire.length import FULL
from tests.fire.serving import Stage, stage
from tests.support.packs import (
    BLOB,
    COMMIT,
    DIRECTORY,
    FILE,
    OFS_DELTA,
    REF_DELTA,
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

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
MIB = 1 << 20

only_in_full = pytest.mark.skipif(not FULL, reason="takes long; `make fire` has it")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as made:
        yield made


async def taken(here: Stage, commit: str, *, bound: int) -> dict[str, Any]:
    """Peak memory in MiB, before and after, and the error, of a process that may take `bound` MiB more."""
    arguments = [here.url, here.home / "cache", commit, str(bound)]
    command = [sys.executable, "-m", measured.__name__, *map(str, arguments)]
    done = await anyio.run_process(command, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def on_disk(here: Stage) -> int:
    """Bytes below the cache."""
    listed = subprocess.run(["du", "-sk", here.home / "cache"], stdout=subprocess.PIPE, check=True)
    return int(listed.stdout.split()[0]) << 10


def commit_with(*blobs: str) -> tuple[str, list[bytes]]:
    """A commit of files with those contents, by id, and the entries for it and its tree."""
    tree = tree_of(*((FILE, b"%04d" % place, blob) for place, blob in enumerate(blobs)))
    commit = commit_of(object_id(TREE, tree))
    return object_id(COMMIT, commit), [entry(COMMIT, commit), entry(TREE, tree)]


@only_in_full
async def test_a_file_that_deflates_a_thousand_times_is_written_in_pieces(here: Stage) -> None:
    content = bytes(192 * MIB)
    commit, head = commit_with(object_id(BLOB, content))
    here.sends(pack_of(*head, entry(BLOB, content)))
    told = await taken(here, commit, bound=400)
    assert told["error"] == ""
    assert told["after"] - told["before"] < 150


@only_in_full
async def test_a_file_that_is_larger_than_any_may_be_is_refused_before_it_is_inflated(here: Stage) -> None:
    content = bytes(8 * MIB)
    commit, head = commit_with(object_id(BLOB, content))
    here.sends(pack_of(*head, entry(BLOB, content, said=513 * MIB)))
    told = await taken(here, commit, bound=100)
    assert "a file of more than 512 MiB" in told["error"]
    assert told["after"] - told["before"] < 60


@only_in_full
async def test_deltas_that_make_too_much_of_a_little_are_refused_before_they_are_applied(here: Stage) -> None:
    base = bytes(8 * MIB)
    commit, head = commit_with(object_id(BLOB, base))
    # Each makes 480 MiB of a base of 8, and the pack has fifty.
    instruction = b"\xf0" + (8 * MIB).to_bytes(4, "little")[:3]
    huge = number(8 * MIB) + number(480 * MIB) + instruction * 60
    more = number(8 * MIB) + number(520 * MIB) + instruction * 65
    here.sends(pack_of(*head, entry(BLOB, base), entry(REF_DELTA, more, base=bytes.fromhex(object_id(BLOB, base)))))
    told = await taken(here, commit, bound=200)
    assert "a file of more than 512 MiB" in told["error"]
    assert told["after"] - told["before"] < 150
    assert len(huge) < 300


async def test_deltas_that_say_little_and_make_much_are_refused(here: Stage) -> None:
    base = bytes(8 * MIB)
    commit, head = commit_with(object_id(BLOB, base))
    lying = number(8 * MIB) + number(1000) + (b"\xf0" + (8 * MIB).to_bytes(4, "little")[:3]) * 50_000
    here.sends(pack_of(*head, entry(BLOB, base), entry(REF_DELTA, lying, base=bytes.fromhex(object_id(BLOB, base)))))
    told = await taken(here, commit, bound=200)
    assert "cannot be used" in told["error"]
    assert told["after"] - told["before"] < 150


@only_in_full
async def test_a_long_chain_of_deltas_is_resolved_in_bounded_memory(here: Stage) -> None:
    content = random.Random(3).randbytes(MIB)
    head_of_chain = entry(BLOB, content)
    entries, before = [head_of_chain], len(head_of_chain)
    for place in range(300):
        grown = content + b"%d" % place
        delta = number(len(content)) + number(len(grown)) + copy_of_all(len(content))[6:] + bytes([len(b"%d" % place)])
        delta += b"%d" % place
        entries.append(entry(OFS_DELTA, delta, base=before))
        content, before = grown, len(entries[-1])
    commit, head = commit_with(object_id(BLOB, content))
    here.sends(pack_of(*head, *entries))
    told = await taken(here, commit, bound=400)
    assert told["error"] == ""
    assert told["after"] - told["before"] < 200


async def test_deltas_that_have_the_same_made_again_and_again_are_refused_before_that_takes_for_ever(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "_BASES", MIB)
    monkeypatch.setattr(receiving, "_MOST_AGAIN", 50 * MIB)
    base = bytes(2 * MIB)
    one = bytes.fromhex(object_id(BLOB, base))
    deltas = [entry(REF_DELTA, number(2 * MIB) + number(2) + b"\x02" + n.to_bytes(2), base=one) for n in range(100)]
    commit, head = commit_with(object_id(BLOB, base))
    here.sends(pack_of(*head, entry(BLOB, base), *deltas))
    with pytest.raises(UnsafeTree, match=r"flows\.git builds its objects upon one another beyond measure"):
        await here.ensure(commit)
    here.sends(pack_of(*head, entry(BLOB, base), *deltas[:20]))
    await here.ensure(commit)


@only_in_full
async def test_large_deltas_upon_one_another_are_not_all_held(here: Stage) -> None:
    size, entries = 70 * MIB, [entry(BLOB, b"x")]
    before, content = len(entries[0]), b"x"
    for place in range(12):
        inserts = (b"\x7f" + bytes([place]) * 127) * (size // 127)
        delta = number(len(content)) + number(size // 127 * 127) + inserts
        entries.append(entry(OFS_DELTA, delta, base=before))
        content, before = bytes([place]) * (size // 127 * 127), len(entries[-1])
    commit, head = commit_with(object_id(BLOB, content))
    here.sends(pack_of(*head, *entries))
    told = await taken(here, commit, bound=1200)
    assert told["error"] == ""
    assert told["after"] - told["before"] < 600


@only_in_full
async def test_ten_trees_that_name_ten_thousand_million_files_take_next_to_nothing(here: Stage) -> None:
    made = Made()
    mode, inner = FILE, made.blob(b"x")
    for _ in range(10):
        inner = made.tree(*((mode, b"%d" % place, inner) for place in range(10)))
        mode = DIRECTORY
    made.commits(inner).trees_first()
    here.sends(made)
    told = await taken(here, made.commit, bound=100)
    assert "more than 1,000,000 files" in told["error"]
    assert told["after"] - told["before"] < 30
    assert on_disk(here) < MIB


@only_in_full
async def test_a_pack_that_says_to_hold_millions_of_objects_is_refused_at_its_head(here: Stage) -> None:
    made = Made()
    made.root((FILE, b"flows.py", made.blob(b"x")))
    here.sends(pack_of(*made.entries, count=2**32 - 1))
    told = await taken(here, made.commit, bound=100)
    assert "sends 4,294,967,295 objects for one commit" in told["error"]


@only_in_full
async def test_a_repository_of_two_hundred_megabytes_takes_less_than_three_hundred_of_memory(here: Stage) -> None:
    chance = random.Random(1)
    files: dict[str, str | bytes] = {
        f"{n % 200:03d}/{n}.bin": chance.randbytes(10_000 if n else 5 * MIB) for n in range(20_000)
    }
    commit = here.repository.commit_files(files)
    subprocess.run(["git", "-C", here.repository.path, "repack", "-adq"], check=True)
    told = await taken(here, commit, bound=1500)
    print(f"a fetch of 200 MB in 20,000 files: from {told['before']} to {told['after']} MiB")
    assert told["error"] == ""
    assert told["after"] < 300
