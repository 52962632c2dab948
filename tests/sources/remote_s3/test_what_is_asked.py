"""How little is asked of a bucket."""

from __future__ import annotations

import pytest

from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from tests.sources.caching import newest
from tests.sources.contract import files_in
from tests.sources.remote_s3.bucket import bucket
from tests.support.s3_server import S3Server

pytestmark = pytest.mark.anyio


class TestWhatIsAsked:
    async def test_a_poll_that_finds_nothing_new_is_one_listing(self, server: S3Server, cache: SnapshotCache) -> None:
        for number in range(3):
            server.put(f"code/{number}.py", "x")
        source = bucket(server, s3_additional_kwargs={"MaxKeys": 2})
        await source.resolve()
        server.log.clear()
        await source.resolve()
        assert [request.action for request in server.log] == ["list", "list"], "there are two pages"

    async def test_what_is_new_is_listed_twice_before_it_is_read_and_once_after(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        server.put("code/a.py", "a = 1")
        source = bucket(server)
        for asked in (["list", "list", "get", "list"], ["list"]):
            server.log.clear()
            await newest(cache, source)
            assert [request.action for request in server.log] == asked

    async def test_sources_of_one_bucket_are_listed_together_and_read_without_another_look(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        server.put("code/a.py", "a = 1")
        server.put("code/b.py", "b = 1")
        sources = [bucket(server, include="a.py"), bucket(server, include="b.py")]
        revisions = await sources[0].resolve_together(sources)
        assert len(server.asked("list")) == 2
        for source, revision in zip(sources, revisions, strict=True):
            assert isinstance(revision, Revision)
            server.log.clear()
            await cache.ensure(source, revision)
            assert [request.action for request in server.log] == ["get", "list"]

    async def test_only_what_changed_is_read(self, server: S3Server, cache: SnapshotCache) -> None:
        for name in "abc":
            server.put(f"code/{name}.py", f"{name} = 1")
        source = bucket(server)
        await newest(cache, source)
        assert len(server.asked("get")) == 3
        server.put("code/b.py", "b = 2")
        server.delete("code/c.py")
        server.log.clear()
        snapshot = await newest(cache, source)
        assert [request.path for request in server.asked("get")] == ["/bucket/code/b.py"]
        assert files_in(snapshot.root) == {"a.py": b"a = 1", "b.py": b"b = 2"}

    async def test_what_was_read_in_another_process_is_not_read_again(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        server.put("code/a.py", "a = 1")
        await newest(cache, bucket(server))
        server.put("code/b.py", "b = 1")
        server.log.clear()
        await newest(SnapshotCache(cache.root), bucket(server))
        assert [request.path for request in server.asked("get")] == ["/bucket/code/b.py"]

    async def test_a_record_that_cannot_be_read_is_only_missed(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("code/a.py", "a = 1")
        source = bucket(server)
        await newest(cache, source)
        (cache.root / "sources" / source.key / "objects.json").write_text("{")
        server.put("code/b.py", "b = 1")
        assert files_in((await newest(cache, source)).root) == {"a.py": b"a = 1", "b.py": b"b = 1"}

    async def test_an_empty_object_is_not_read(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("code/__init__.py", "")
        assert files_in((await newest(cache, bucket(server))).root) == {"__init__.py": b""}
        assert server.asked("get") == []

    async def test_the_same_content_put_again_is_no_new_revision(self, server: S3Server) -> None:
        server.put("code/a.py", "a = 1")
        source = bucket(server)
        before = await source.resolve()
        server.put("code/a.py", "a = 1")
        assert await source.resolve() == before

    async def test_a_rewrite_of_one_size_is_a_new_revision(self, server: S3Server) -> None:
        server.put("code/a.py", "a = 1")
        source = bucket(server)
        before = await source.resolve()
        server.put("code/a.py", "a = 2")
        assert await source.resolve() != before
