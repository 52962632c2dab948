"""A bucket as a source, over a server that speaks S3: what is asked of it, what is taken, and what goes wrong."""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsource import RemoteStorage
from flowsource.errors import (
    AuthenticationFailed,
    RevisionGone,
    SourceError,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
    UnsafeTree,
)
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.snapshot import Snapshot
from flowsource.sources.base import Source
from flowsource.sources.remote import fetching, s3, storage
from tests.sources.contract import files_in
from tests.support.s3_server import KEY, SECRET, Answer, Request, S3Server, error, s3_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with nothing in its bucket."""
    monkeypatch.setattr(storage, "_SETTLE", 0.001)
    running.empty()
    return running


@pytest.fixture
def cache(tmp_path: Path) -> SnapshotCache:
    return SnapshotCache(tmp_path / "cache")


def bucket(server: S3Server, url: str = "s3://bucket/code", **options: Any) -> RemoteStorage:
    return RemoteStorage(url, **{**server.settings(), **options})


async def newest(cache: SnapshotCache, source: Source) -> Snapshot:
    return await cache.ensure(source, await source.resolve())


def published(cache: SnapshotCache) -> list[Path]:
    return list(cache.root.glob("sources/*/snapshots/*/complete"))


class TestWhatIsAsked:
    async def test_a_poll_that_finds_nothing_new_is_one_listing(self, server: S3Server, cache: SnapshotCache) -> None:
        for number in range(3):
            server.put(f"code/{number}.py", "x")
        source = bucket(server, s3_additional_kwargs={"MaxKeys": 2})
        await source.resolve()
        server.log.clear()
        await source.resolve()
        assert [request.action for request in server.log] == ["list", "list"], "there are two pages"

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


class TestWhileOthersWrite:
    async def test_an_object_replaced_before_it_is_read_is_never_mixed_in(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        server.put("code/a.py", "old")
        server.put("code/b.py", "old")
        source = bucket(server)
        revision = await source.resolve()
        server.script = once("get", lambda: server.put("code/b.py", "new"))
        with pytest.raises(SourceUnavailable, match="changed while it was read"):
            await cache.ensure(source, revision)
        assert published(cache) == []
        assert files_in((await newest(cache, source)).root) == {"a.py": b"old", "b.py": b"new"}

    async def test_an_object_replaced_after_it_was_read_is_never_mixed_in(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        server.put("code/a.py", "old")
        source = bucket(server)
        revision = await source.resolve()

        def replaced(request: Request) -> Answer | None:
            if request.action == "list" and server.asked("get"):
                server.script = lambda request: None
                server.put("code/a.py", "new")
            return None

        server.script = replaced
        with pytest.raises(SourceUnavailable, match="changed while it was read"):
            await cache.ensure(source, revision)
        assert published(cache) == []

    @pytest.mark.parametrize("size", [3, 3000])
    async def test_an_object_that_vanishes_is_never_left_out(
        self, server: S3Server, cache: SnapshotCache, size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fetching, "_PIECE", 1000)
        server.put("code/a.py", "a" * size)
        source = bucket(server)
        revision = await source.resolve()
        server.script = once("get", lambda: server.delete("code/a.py"))
        with pytest.raises((SourceUnavailable, SourceMissing)):
            await cache.ensure(source, revision)
        assert published(cache) == []

    async def test_a_read_that_fails_once_is_done_again(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("code/a.py", "1")
        refusing = iter([error("412 Precondition Failed", "PreconditionFailed")])
        server.script = lambda request: next(refusing, None) if request.action == "get" else None
        assert files_in((await newest(cache, bucket(server))).root) == {"a.py": b"1"}

    async def test_an_object_that_is_never_what_is_listed_is_named(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        server.put("code/a.py", "1")
        server.script = lambda request: ("200 OK", {"ETag": '"x"'}, b"longer") if request.action == "get" else None
        with pytest.raises(SourceUnavailable, match=r"'a\.py' is not what the listing tells of it"):
            await newest(cache, bucket(server))

    async def test_a_state_that_is_no_more_is_gone(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("code/a.py", "1")
        source = bucket(server)
        revision = await source.resolve()
        server.put("code/a.py", "2")
        with pytest.raises(RevisionGone, match="keeps no history"):
            await cache.ensure(source, revision)

    async def test_a_bucket_in_motion_is_waited_for(self, server: S3Server) -> None:
        server.put("code/a.py", "0")
        versions = count(1)

        def moving(request: Request) -> None:
            if request.action == "list" and (version := next(versions)) < 4:
                server.put("code/a.py", f"{version}")

        server.script = moving
        source = bucket(server)
        revision = await source.resolve()
        assert await source.resolve() == revision
        assert len(server.asked("list")) == 5

    async def test_a_bucket_that_is_never_quiet_is_not_taken(self, server: S3Server) -> None:
        server.put("code/a.py", "0")
        versions = count(1)

        def moving(request: Request) -> None:
            if request.action == "list":
                server.put("code/a.py", f"{next(versions)}")

        server.script = moving
        with pytest.raises(SourceUnavailable, match="is being written to"):
            await bucket(server).resolve()

    async def test_what_is_there_for_a_moment_only_is_never_taken(self, server: S3Server, cache: SnapshotCache) -> None:
        """As no listing shows that it was."""
        server.put("code/a.py", "a = 1")
        gets = count()

        def flicker(request: Request) -> None:
            if request.action == "get" and next(gets) == 0:
                server.put("code/a.py", "a = 2")
            elif request.action == "list":
                server.put("code/a.py", "a = 1")

        server.script = flicker
        assert files_in((await newest(cache, bucket(server))).root) == {"a.py": b"a = 1"}
        assert next(gets) == 2

    async def test_every_snapshot_is_a_state_that_was_whenever_somebody_writes(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        chances, writing = random.Random(1), threading.Lock()
        # Of one length, so that it is not by that that a change shows.
        state = {f"{number}.txt": b"000000" for number in range(6)}
        states: list[dict[str, bytes]] = []

        def write(times: int) -> None:
            for _ in range(times):
                name = chances.choice(sorted(state))
                state[name] = b"%06d" % len(states)
                server.put(f"code/{name}", state[name])
                states.append(dict(state))

        def interfere(request: Request) -> None:
            if request.action == "get":
                with writing:
                    if chances.random() < 0.2:
                        write(3)

        for name, content in state.items():
            server.put(f"code/{name}", content)
        server.script = interfere
        source, taken, disturbed = bucket(server), 0, 0
        with anyio.fail_after(30):
            while taken < 6 or not disturbed:
                write(2)
                try:
                    snapshot = await newest(cache, source)
                except SourceUnavailable:
                    disturbed += 1
                    continue
                taken += 1
                assert files_in(snapshot.root) in states


def once(action: str, act: Callable[[], None]) -> Callable[[Request], None]:
    """A script that does `act` before the first request of that kind is answered, and answers none itself."""
    pending = [act]

    def script(request: Request) -> None:
        if request.action == action and pending:
            pending.pop()()

    return script


class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        ("answer", "kind", "told"),
        [
            (error("403 Forbidden", "AccessDenied"), AuthenticationFailed, "refused access (AccessDenied, HTTP 403)"),
            (error("403 Forbidden", "InvalidAccessKeyId"), AuthenticationFailed, "InvalidAccessKeyId"),
            (error("403 Forbidden", "SignatureDoesNotMatch"), AuthenticationFailed, "SignatureDoesNotMatch"),
            (error("400 Bad Request", "ExpiredToken"), AuthenticationFailed, "ExpiredToken"),
            (error("404 Not Found", "NoSuchBucket"), SourceMissing, "is not there (NoSuchBucket, HTTP 404)"),
            (error("503 Slow Down", "SlowDown"), SourceUnavailable, "asks for fewer requests (SlowDown, HTTP 503)"),
            (error("429 Too Many", "TooManyRequests"), SourceUnavailable, "asks for fewer requests"),
            (error("500 Oh", "InternalError"), SourceUnavailable, "failed to answer (InternalError, HTTP 500)"),
            (error("501 No", "NotImplemented"), SourceUnavailable, "failed to answer (NotImplemented, HTTP 501)"),
            (("200 OK", {}, b"<html>this is no S3"), SourceError, "s3://bucket/code"),
        ],
    )
    async def test_each_refusal_is_told_in_our_words(
        self, server: S3Server, answer: Answer, kind: type[SourceError], told: str
    ) -> None:
        server.script = lambda request: answer
        with pytest.raises(kind) as caught:
            await bucket(server).resolve()
        assert told in str(caught.value)
        assert "s3://bucket/code" in str(caught.value)
        assert_no_secret(caught.value)

    async def test_a_server_that_asks_to_wait_is_obeyed(self, server: S3Server) -> None:
        server.script = lambda request: error("503 Slow Down", "SlowDown", {"Retry-After": "7"})
        with pytest.raises(SourceUnavailable) as caught:
            await bucket(server).resolve()
        assert caught.value.retry_after == 7

    async def test_a_bucket_that_is_not_there_is_missing(self, server: S3Server) -> None:
        with pytest.raises(SourceMissing, match="is not there"):
            await bucket(server, "s3://other/code").resolve()

    async def test_a_prefix_with_nothing_below_it_is_missing(self, server: S3Server) -> None:
        server.put("code-2/a.py", "1")
        with pytest.raises(SourceMissing, match="nothing is at s3://bucket/code"):
            await bucket(server).resolve()

    @pytest.mark.parametrize("key", ["code", "flows.zip"])
    async def test_a_single_object_is_no_source(self, server: S3Server, key: str) -> None:
        server.put(key, "1")
        with pytest.raises(SourceInvalid, match=r"is a single object\. Give the prefix"):
            await bucket(server, f"s3://bucket/{key}").resolve()

    async def test_an_endpoint_that_is_not_there_cannot_be_reached(self, server: S3Server) -> None:
        with pytest.raises(SourceUnavailable, match=r"cannot be reached \(EndpointConnectionError\)") as caught:
            await bucket(server, endpoint_url="http://127.0.0.1:9").resolve()
        assert_no_secret(caught.value)

    async def test_no_credentials_at_all_are_told(self, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(AuthenticationFailed, match="Check the credentials in the settings or the environment"):
            await bucket(server, key=None, secret=None).resolve()

    async def test_settings_that_nobody_takes_are_told(self, server: S3Server) -> None:
        with pytest.raises(SourceInvalid, match=r"settings: those given for s3://bucket/code are not taken") as caught:
            await bucket(server, username="ada").resolve()
        assert_no_secret(caught.value)

    @pytest.mark.parametrize("action", ["list", "get"])
    async def test_a_server_that_hangs_is_not_waited_for_for_ever(
        self, server: S3Server, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch, action: str
    ) -> None:
        server.put("code/a.py", "1")
        monkeypatch.setattr(s3, "REQUEST", 0.3)
        over = threading.Event()

        def hang(request: Request) -> None:
            if request.action == action:
                over.wait(20)

        server.script = hang
        try:
            with anyio.fail_after(10), pytest.raises(SourceUnavailable, match="did not answer in time"):
                await newest(cache, bucket(server))
        finally:
            over.set()

    @pytest.mark.parametrize("size", [3, 3000])
    async def test_a_fetch_can_be_cancelled(
        self, server: S3Server, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        monkeypatch.setattr(fetching, "_PIECE", 1000)
        server.put("code/a.py", "1" * size)
        source = bucket(server)
        revision = await source.resolve()
        asked, over = threading.Event(), threading.Event()

        def hang(request: Request) -> None:
            if request.action == "get":
                asked.set()
                over.wait(20)

        server.script = hang
        try:
            with anyio.fail_after(10):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(cache.ensure, source, revision)
                    await anyio.to_thread.run_sync(asked.wait, 10)
                    tasks.cancel_scope.cancel()
        finally:
            over.set()
        assert published(cache) == []


class TestCredentials:
    async def test_a_callable_is_asked_at_every_attempt(self, server: S3Server) -> None:
        server.put("code/a.py", "1")
        asked = count()
        source = bucket(server, secret=lambda: f"{SECRET}-{next(asked)}")
        await source.resolve()
        await source.resolve()
        assert next(asked) == 2

    async def test_a_callable_below_another_setting_is_asked_too(self, server: S3Server) -> None:
        server.put("code/a.py", "1")
        await bucket(server, endpoint_url=None, client_kwargs={"endpoint_url": lambda: server.endpoint}).resolve()
        assert server.asked("list")

    async def test_a_callable_that_fails_is_named_without_what_it_said(self, server: S3Server) -> None:
        def vault() -> str:
            raise RuntimeError(f"no {SECRET} for you")

        with pytest.raises(AuthenticationFailed, match=r"settings: secret: .*vault failed with RuntimeError") as caught:
            await bucket(server, secret=vault).resolve()
        assert_no_secret(caught.value)

    async def test_they_are_taken_from_the_environment(self, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        server.put("code/a.py", "1")
        source = bucket(server, key=None, secret=None)
        assert (await source.resolve()).id

    def test_they_show_nowhere(self, server: S3Server) -> None:
        source = bucket(server, token=SECRET)
        told = [repr(source), str(source), source.key, source.label, source.url, repr(vars(source))]
        assert not [text for text in told if SECRET in text]

    async def test_what_is_opened_does_not_show_them(self, server: S3Server, cache: SnapshotCache) -> None:
        server.put("code/a.py", "1")
        source = bucket(server)
        await newest(cache, source)
        assert SECRET not in repr(vars(source))
        kept = [path.read_bytes() for path in cache.root.rglob("*") if path.is_file()]
        assert not [content for content in kept if SECRET.encode() in content]

    def test_a_new_secret_leaves_the_key_as_it_was_and_another_endpoint_does_not(self, server: S3Server) -> None:
        key = bucket(server).key
        assert bucket(server, secret="another").key == key
        assert bucket(server, endpoint_url="http://other.example.org").key != key
        assert RemoteStorage("s3://bucket/code", anon=True).key != key

    def test_no_variable_is_kept_from_runs_unless_it_is_named(self, server: S3Server) -> None:
        assert bucket(server).secret_variables == frozenset()
        named = bucket(server, secret_variables=["AWS_SECRET_ACCESS_KEY"])
        assert named.secret_variables == {"AWS_SECRET_ACCESS_KEY"}


def assert_no_secret(failure: BaseException) -> None:
    shown = "".join(traceback.format_exception(failure))
    assert SECRET not in shown + repr(failure) + str(failure)
