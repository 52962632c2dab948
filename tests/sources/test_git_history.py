"""Whether a revision comes after another, and what is done when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from dulwich.objects import Commit, ObjectID
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import HistoryRewritten, InvalidInput, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.wire import history
from flowsource.sources.history import HasHistory, Policy, hold_rewritten
from flowsource.watch.latest import latest
from flowsource.watch.watcher import Watcher
from tests.support.git_server import GitServer, git_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
    for number in range(5):
        repository.commit_files({"flows.py": f"ANSWER = {number}\n", "data.txt": "x" * 1000})
    return repository


@pytest.fixture(params=["over http", "over http with a filter", "over http of version 0", "from a directory"])
def url(request: pytest.FixtureRequest, repository: FixtureRepository) -> str:
    if request.param == "from a directory":
        return str(repository.path)
    with Repo(str(repository.path)) as repo:
        config = repo.get_config()
        config.set(b"uploadpack", b"allowFilter", request.param == "over http with a filter")
        config.write_to_path()
    server: GitServer = request.getfixturevalue("server")
    server.protocol_2 = request.param != "over http of version 0"
    return server.url("flows.git")


def ancestor(repository: FixtureRepository, steps: int) -> Revision:
    with Repo(str(repository.path)) as repo:
        commits = [entry.commit.id.decode() for entry in repo.get_walker([ObjectID(repository.tip().encode())])]
    return Revision(id=commits[steps])


def rewrite(repository: FixtureRepository) -> Revision:
    """Let `main` lead to a commit without the history that it had."""
    repository.set_ref("refs/heads/main", None)
    return Revision(id=repository.commit_files({"flows.py": "REWRITTEN = True\n"}))


async def test_a_commit_comes_after_its_ancestors_and_itself(url: str, repository: FixtureRepository) -> None:
    source, tip = GitRepository(url), ancestor(repository, 0)
    assert isinstance(source, HasHistory)
    assert [await source.descends(tip, ancestor(repository, steps)) for steps in (0, 1, 4)] == [True, True, True]


async def test_a_merge_comes_after_both_of_its_sides(url: str, repository: FixtureRepository) -> None:
    side = Revision(id=repository.commit_files({"side.py": ""}, branch="side"))
    with Repo(str(repository.path)) as repo:
        sides = [ObjectID(repository.tip().encode()), ObjectID(side.id.encode())]
        merge = Commit.from_string(repo[sides[0]].as_raw_string())
        merge.parents = sides
        repo.object_store.add_object(merge)
    before = ancestor(repository, 0)
    repository.set_ref("refs/heads/main", merge.id.decode())
    merged = Revision(id=merge.id.decode())
    source = GitRepository(url)
    assert await source.descends(merged, side)
    assert await source.descends(merged, before)


async def test_a_commit_of_a_rewritten_history_does_not_come_after_the_old_one(
    url: str, repository: FixtureRepository
) -> None:
    old = ancestor(repository, 0)
    assert await GitRepository(url).descends(rewrite(repository), old) is False


async def test_a_branch_that_was_put_back_does_not_come_after_where_it_was(
    url: str, repository: FixtureRepository
) -> None:
    tip, before = ancestor(repository, 0), ancestor(repository, 2)
    repository.set_ref("refs/heads/main", before.id)
    assert await GitRepository(url).descends(before, tip) is False


async def test_a_commit_that_nobody_has_any_more_is_no_ancestor(url: str, repository: FixtureRepository) -> None:
    assert await GitRepository(url).descends(ancestor(repository, 0), Revision(id="0123456789" * 4)) is False


async def test_of_a_server_that_does_not_give_out_the_commit_nothing_is_known(
    url: str, repository: FixtureRepository
) -> None:
    assert await GitRepository(url).descends(Revision(id="0123456789" * 4), ancestor(repository, 0)) is None


async def test_a_history_beyond_measure_is_not_looked_through(
    url: str, repository: FixtureRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_HISTORY", 100)
    monkeypatch.setattr(history, "MOST_COMMITS", 2)
    assert await GitRepository(url).descends(ancestor(repository, 0), ancestor(repository, 4)) is None


async def test_a_server_that_filters_sends_commits_alone(server: GitServer, repository: FixtureRepository) -> None:
    with Repo(str(repository.path)) as repo:
        config = repo.get_config()
        config.set(b"uploadpack", b"allowFilter", True)
        config.write_to_path()
    old = ancestor(repository, 0)
    new = Revision(id=repository.commit_files({f"{number}.bin": bytes([number]) * 50 for number in range(200)}))
    assert await GitRepository(server.url("flows.git")).descends(new, old)
    assert server.log[-1].bytes_out < 1000


async def test_a_server_that_is_away_says_nothing_of_its_history(server: GitServer, tmp_path: Path) -> None:
    with git_server(tmp_path) as gone:
        pass
    with pytest.raises(SourceUnavailable):
        await GitRepository(gone.url("flows.git")).descends(Revision(id="1" * 40), Revision(id="2" * 40))


class TestHolding:
    @pytest.mark.parametrize(("policy", "held"), [("follow", False), ("ff_only", True)])
    async def test_a_rewritten_history_is_held_off_only_if_that_is_wanted(
        self, url: str, repository: FixtureRepository, policy: Policy, held: bool
    ) -> None:
        old = ancestor(repository, 0)
        source, new = GitRepository(url, branch="main", policy=policy), rewrite(repository)
        if not held:
            await hold_rewritten(source, new, taken=old)
            return
        with pytest.raises(HistoryRewritten, match=f"does not come after {old.short}.*policy='follow' or commit_sha"):
            await hold_rewritten(source, new, taken=old)

    async def test_what_comes_after_is_taken(self, url: str, repository: FixtureRepository) -> None:
        source = GitRepository(url, branch="main", policy="ff_only")
        await hold_rewritten(source, ancestor(repository, 0), taken=ancestor(repository, 3))

    async def test_a_start_goes_on_with_the_revision_that_is_held(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was taken is kept on disk: a restart accepts nothing that nobody accepted."""
        cache, old = SnapshotCache(tmp_path / "cache"), ancestor(repository, 0)
        source = GitRepository(server.url("flows.git"), branch="main", policy="ff_only")
        assert (await latest(source, cache)).snapshot.revision == old
        new = rewrite(repository)
        monkeypatch.setattr("flowsource.watch.latest._seen", {})
        found = await latest(source, cache)
        assert found.snapshot.revision == old
        assert isinstance(found.failure, HistoryRewritten)
        accepting = GitRepository(server.url("flows.git"), branch="main")
        assert (await latest(accepting, cache)).snapshot.revision == new

    async def test_a_watcher_keeps_the_revision_that_is_held_and_says_why(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path
    ) -> None:
        cache, old = SnapshotCache(tmp_path / "cache"), ancestor(repository, 0)
        source = GitRepository(server.url("flows.git"), branch="main", policy="ff_only")
        taken: list[Revision] = []

        async def on_snapshot(source: Source, snapshot: Snapshot) -> None:
            taken.append(snapshot.revision)

        watcher = Watcher(
            [source], [await latest(source, cache)], cache, on_snapshot=on_snapshot, on_status=lambda *_: None
        )
        rewrite(repository)
        await watcher.poll_once()
        assert taken == []
        assert "does not come after" in (watcher.statuses[0].reason or "")
        repository.set_ref("refs/heads/main", old.id)
        after = Revision(id=repository.commit_files({"flows.py": "AFTER = True\n"}))
        await watcher.poll_once()
        assert taken == [after]

    def test_a_policy_that_there_is_not_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="policy: 'rebase' is unknown"):
            GitRepository("https://example.org/r.git", policy="rebase")  # type: ignore[arg-type]  # refused at run time too
