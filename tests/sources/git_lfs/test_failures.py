"""A file of Git LFS that does not come is named, and nothing half made stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceInvalid, SourceUnavailable, UnsafeTree
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.lfs.server import place_of
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.urls import parse_url
from tests.sources.contract import written
from tests.sources.git_lfs.model import MODEL
from tests.sources.served import SECRET
from tests.support.git_server import Cut, GitServer, Refuse
from tests.support.lfs import LfsObjects, oid_of, pointer_to

pytestmark = pytest.mark.anyio

BATCH = "flows.git/info/lfs/objects/batch"


class TestFailures:
    @pytest.fixture
    def pushed(self, repository: FixtureRepository, objects: LfsObjects) -> None:
        repository.commit_files({"model.bin": objects.add(MODEL), "z.bin": objects.add(b"last")})

    async def failure(self, server: GitServer, tmp_path: Path) -> Exception:
        with pytest.raises((SourceInvalid, SourceUnavailable)) as caught:
            await written(GitRepository(server.url("flows.git")), tmp_path)
        assert "is kept in Git LFS" in str(caught.value)
        return caught.value

    async def test_a_host_without_git_lfs(self, server: GitServer, pushed: None, tmp_path: Path) -> None:
        server.misbehave(Refuse(status=404), on=BATCH)
        error = await self.failure(server, tmp_path)
        assert "no server of Git LFS" in str(error) and "include_lfs=False" in str(error)

    async def test_a_page_in_place_of_an_answer(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        objects.answer = b"<html>sign in</html>"
        assert "does not answer as a server of Git LFS" in str(await self.failure(server, tmp_path))

    async def test_a_file_that_was_never_uploaded_is_named(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        del objects.contents[oid_of(b"last")]
        error = await self.failure(server, tmp_path)
        assert "'z.bin'" in str(error) and "git lfs push" in str(error)
        assert not any(exchange.path.startswith("/objects/") for exchange in server.log)

    async def test_a_file_that_its_host_does_not_give_out(
        self, server: GitServer, pushed: None, tmp_path: Path
    ) -> None:
        server.misbehave(Refuse(status=403), on="GET /objects/")
        assert "does not give it out" in str(await self.failure(server, tmp_path))

    async def test_other_content_than_the_commit_says(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        objects.contents[oid_of(MODEL)] = MODEL[::-1]
        assert "other content" in str(await self.failure(server, tmp_path))

    async def test_more_content_than_the_commit_says(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        objects.contents[oid_of(MODEL)] = MODEL + b"more"
        assert "there is more of it" in str(await self.failure(server, tmp_path))

    async def test_a_connection_that_breaks_may_do_better_later(
        self, server: GitServer, pushed: None, tmp_path: Path
    ) -> None:
        server.misbehave(Cut(after=100_000), on="GET /objects/")
        assert isinstance(await self.failure(server, tmp_path), SourceUnavailable)

    async def test_a_server_that_is_too_busy_says_how_long(
        self, server: GitServer, pushed: None, tmp_path: Path
    ) -> None:
        server.misbehave(Refuse(status=429, headers={"Retry-After": "7"}), on=BATCH)
        error = await self.failure(server, tmp_path)
        assert isinstance(error, SourceUnavailable) and error.retry_after == 7

    async def test_who_is_sent_on_and_on_gives_up(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        path = f"/objects/{oid_of(MODEL)}"
        objects.moved[path] = path
        assert "on and on" in str(await self.failure(server, tmp_path))

    @pytest.mark.parametrize(
        "href", ["file:///etc/passwd", "ftp://x/y", "/relative", "http://user:pw@127.0.0.1/x", "http://x y/", "http://"]
    )
    async def test_an_address_that_is_none_is_refused(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path, href: str
    ) -> None:
        objects.href = lambda oid: href
        assert "names no http address" in str(await self.failure(server, tmp_path))

    def test_who_is_asked_over_https_cannot_send_us_to_plain_http(self) -> None:
        where = parse_url("https://host/flows.git/info/lfs")[0]
        assert place_of(f"https://other/{SECRET}?x={SECRET}", where)[0].url == "https://other"
        with pytest.raises(SourceInvalid, match="to other for it, without https") as caught:
            place_of(f"http://other/{SECRET}", where)
        assert SECRET not in str(caught.value)

    async def test_more_than_a_disk_can_take_is_refused_before_anything_is_asked_for(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        huge = pointer_to(MODEL).replace(f"size {len(MODEL)}", f"size {100 << 30}")
        repository.commit_files({"model.bin": huge})
        with pytest.raises(UnsafeTree, match=r"model\.bin.*20 GiB"):
            await written(GitRepository(server.url("flows.git")), tmp_path)
        assert not objects.asked

    async def test_nothing_half_made_stays(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        cache, source = SnapshotCache(tmp_path / "cache"), GitRepository(server.url("flows.git"))
        objects.contents[oid_of(b"last")] = b"tsal"
        revision = await source.resolve()
        with pytest.raises(SourceInvalid, match=r"'z\.bin'"):
            await cache.ensure(source, revision)
        assert cache.find(source.key, revision) is None
        objects.contents[oid_of(b"last")] = b"last"
        snapshot = await cache.ensure(source, revision)
        assert (snapshot.root / "z.bin").read_bytes() == b"last"
