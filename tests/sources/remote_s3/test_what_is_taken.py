"""Which objects of a bucket are taken, under which names."""

from __future__ import annotations

import pytest

from flowsource.errors import SourceMissing, UnsafeTree
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.remote import fetching
from tests.sources.caching import newest, published
from tests.sources.contract import files_in
from tests.sources.remote_s3.bucket import bucket
from tests.support.s3_server import S3Server

pytestmark = pytest.mark.anyio


class TestWhatIsTaken:
    async def test_a_prefix_is_meant_exactly(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("my-folder/a.py", "in")
        server.put("my-folder-2/b.py", "out")
        server.put("my-folder.py", "out")
        for url in ("s3://bucket/my-folder", "s3://bucket/my-folder/", "s3a://bucket/my-folder"):
            source = bucket(server, url)
            assert files_in((await newest(cache, source)).root) == {"a.py": b"in"}
            assert source.key == bucket(server, "s3://bucket/my-folder").key

    async def test_a_whole_bucket_can_be_meant(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("a.py", "1")
        server.put("deep/b.py", "2")
        assert files_in((await newest(cache, bucket(server, "s3://bucket"))).root) == {"a.py": b"1", "deep/b.py": b"2"}

    async def test_the_marker_of_a_directory_is_a_directory(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("code/", "")
        server.put("code/empty/", "")
        server.put("code/lib/", "")
        server.put("code/lib/a.py", "1")
        root = (await newest(cache, bucket(server))).root
        assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == ["empty", "lib", "lib/a.py"]
        assert files_in(root) == {"lib/a.py": b"1"}

    async def test_what_is_included_and_excluded_makes_the_revision(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        for key in ("a.py", "lib/b.py", "lib/b.txt", "data/c.py"):
            server.put(f"code/{key}", key)
        some = bucket(server, include=["*.py"], exclude="/data/")
        every = bucket(server)
        assert some.key == every.key
        assert (some.selector, some.label) == (
            "only *.py; without /data/",
            "s3://bucket/code (only *.py; without /data/)",
        )
        before = await some.resolve_together([some, every])
        assert files_in((await cache.ensure(some, await some.resolve())).root).keys() == {"a.py", "lib/b.py"}
        assert len(files_in((await cache.ensure(every, await every.resolve())).root)) == 4
        server.put("code/data/c.py", "changed")
        after = await some.resolve_together([some, every])
        assert (after[0] == before[0], after[1] == before[1]) == (True, False)

    async def test_patterns_that_leave_nothing_are_told(self, server: S3Server) -> None:
        server.put("code/a.py", "1")
        with pytest.raises(SourceMissing, match=r"holds no object\. Correct include and exclude"):
            await bucket(server, include=["*.txt"]).resolve()

    async def test_a_large_object_is_read_in_pieces_of_one_state(
        self, server: S3Server, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fetching, "_PIECE", 1000)
        content = bytes(range(256)) * 13
        server.put("code/large.bin", content)
        assert files_in((await newest(cache, bucket(server))).root) == {"large.bin": content}
        assert len({request.if_match for request in server.asked("get")}) == 1
        assert len(server.asked("get")) == 4

    @pytest.mark.parametrize(
        ("key", "why"),
        [
            ("code/a/../../x", "'a/../../x': a name in the key is empty, '.' or '..'"),
            ("code//abs", "'/abs': the key begins with a slash"),
            ("code/a//b", "'a//b': a name in the key is empty"),
            ("code/a/./b", "'a/./b': a name in the key is empty"),
            ("code/C:\\x", "a backslash separates names"),
            ("code/.git/config", "Git's own"),
            ("code/" + "n" * 300, "the name is longer than 255 bytes"),
            ("code/a.py/b", "it is a file, and the directory of 'a.py/b' too"),
            ("code/a.py/", "it is a file, and the directory of 'a.py/' too"),
            ("code/dir/", "stands for a directory, and this one has content"),
        ],
    )
    async def test_a_key_that_must_not_be_a_path_is_refused_before_anything_is_read(
        self, server: S3Server, cache: SnapshotCache, key: str, why: str
    ) -> None:
        server.put("code/a.py", "1")
        server.put_raw(key, b"" if key == "code/a.py/" else b"evil")
        with pytest.raises(UnsafeTree) as caught:
            await newest(cache, bucket(server))
        assert why in str(caught.value)
        assert server.asked("get") == []
        assert published(cache) == []

    async def test_names_that_differ_in_case_are_two_files(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("code/a.py", "small")
        server.put("code/A.py", "large")
        assert files_in((await newest(cache, bucket(server))).root) == {"a.py": b"small", "A.py": b"large"}
