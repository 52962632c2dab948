"""What is published of a bucket is a state that it was in, whoever writes to it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from itertools import count

import pytest

from flowsource.errors import RevisionGone, SourceMissing, SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.remote import fetching
from tests.sources.caching import newest, published
from tests.sources.contract import files_in
from tests.sources.remote_s3.bucket import bucket
from tests.support.s3_server import Answer, Request, S3Server, error

pytestmark = pytest.mark.anyio


class TestWhileOthersWrite:
    async def test_an_object_replaced_before_it_is_read_is_never_mixed_in(
        self, server: S3Server, cache: SnapshotCache
    ) -> None:
        server.put("code/a.py", "old")
        server.put("code/b.py", "old")
        source = bucket(server)
        revision = await source.resolve()
        server.script = once("get", lambda: server.put("code/b.py", "new"))
        with pytest.raises(SourceUnavailable, match="changed before all of it was read"):
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
        with pytest.raises(SourceUnavailable, match="changed before all of it was read"):
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
        # What was found just now is read as it was found, and only then looked at again.
        with pytest.raises(SourceUnavailable, match="changed before all of it was read"):
            await cache.ensure(source, revision)
        with pytest.raises(RevisionGone, match="keeps no history"):
            await cache.ensure(source, revision)
        assert published(cache) == []

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
