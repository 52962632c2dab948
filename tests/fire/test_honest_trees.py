"""Whatever an honest repository holds, the snapshot is what `git archive` makes of it, byte for byte."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowsource.sources.git.repository import GitRepository
from tests.fire import exporting
from tests.fire.histories import FILE, LINK, NAMES, Tree, archived, as_json, change, listing, put, write_history
from tests.fire.length import rounds
from tests.fire.serving import Stage, stage, unsound

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as made:
        yield made


def history(seed: int, length: int) -> list[Tree]:
    chance, tree, trees = random.Random(seed), Tree(), list[Tree]()
    for _ in range(length):
        change(tree, chance)
        put(tree, b"flows.py", (FILE, b"ANSWER = 42\n"))
        trees.append(dict(tree))
    return trees


async def test_a_snapshot_is_what_git_archive_makes_whichever_commit_came_before(here: Stage) -> None:
    for seed in range(rounds("random histories", short=3, full=150)):
        commits = write_history(here.repository.path, history(seed, 5))
        # Forward, and back to one of which everything is in some snapshot already.
        for commit in [*commits, commits[0]]:
            snapshot = await here.ensure(commit)
            assert listing(snapshot.root) == archived(here.repository.path, commit), seed
    assert await unsound(here.cache) == []


async def test_it_is_so_for_root_and_for_somebody_else_who_shares_files_by_links(here: Stage) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    commits = write_history(here.repository.path, history(99, 4))
    with tempfile.TemporaryDirectory(prefix="flowsource-", ignore_cleanup_errors=True) as place:
        os.chmod(place, 0o777)
        command = [sys.executable, "-m", exporting.__name__, here.url, place, str(NOBODY), *commits]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [
        {path: list(entry) for path, entry in as_json(archived(here.repository.path, commit)).items()}
        for commit in commits
    ]
    assert [one["holds"] for one in told] == expected * 2
    assert [one["damage"] for one in told] == [[]] * 8
    assert all(one["shared"] > 0 for one in told[5:])


async def test_a_tree_of_every_odd_name_at_once(here: Stage) -> None:
    tree: Tree = {}
    for name in NAMES:
        put(tree, b"names/" + name, (FILE, name))
        put(tree, b"links/" + name, (LINK, name))
        put(tree, b"deep/" + name + b"/" + name, (FILE, b""))
    put(tree, b"d/" * 250 + b"bottom", (FILE, b"deep down"))
    put(tree, b"/".join([b"p" * 200] * 14), (FILE, b"a long way"))
    [commit] = write_history(here.repository.path, [tree])
    snapshot = await here.ensure(commit)
    assert listing(snapshot.root) == archived(here.repository.path, commit)
    assert await here.cache.verify(snapshot) == ()


async def test_parts_of_a_commit_are_those_of_gits_sparse_checkout(here: Stage, tmp_path: Path) -> None:
    tree: Tree = {}
    for top in (b"flows", b"flows-2", b"lib", b"flow"):
        for inner in (b"", b"etl/", b"etl/deep/", b"Etl/"):
            for name in (b"a.py", b"b"):
                put(tree, top + b"/" + inner + name, (FILE, top + inner + name))
    put(tree, b"pyproject.toml", (FILE, b""))
    put(tree, b"link", (LINK, b"flows"))
    [commit] = write_history(here.repository.path, [tree])
    work = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", "--no-checkout", here.repository.path, work], check=True)
    git = ["git", "-C", str(work), "-c", "core.sparseCheckoutCone=true"]
    for chosen in (["flows"], ["flows/etl"], ["flows/etl/deep", "lib/Etl"], ["flow", "flows-2/etl"], ["lib/etl"]):
        subprocess.run([*git, "sparse-checkout", "set", "--cone", *chosen], check=True, capture_output=True)
        subprocess.run([*git, "checkout", "-q", commit], check=True)
        listed = subprocess.run([*git, "ls-files", "-t", "-z"], check=True, stdout=subprocess.PIPE).stdout
        taken = {line[2:] for line in listed.split(b"\0") if line.startswith(b"H ")}
        source = GitRepository(here.url, commit_sha=commit, directories=chosen)
        snapshot = await here.cache.ensure(source, await source.resolve())
        found = {path for path, (kind, _) in listing(snapshot.root).items() if kind != "directory"}
        assert found == taken, chosen
