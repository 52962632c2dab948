"""The credentials for a bucket are looked up when they are used, and show nowhere."""

from __future__ import annotations

from itertools import count

import pytest

from flowsource import RemoteStorage
from flowsource.errors import AuthenticationFailed
from flowsource.snapshots.cache import SnapshotCache
from tests.sources.caching import newest
from tests.sources.remote_s3.bucket import assert_no_secret, bucket
from tests.support.s3_server import KEY, SECRET, S3Server

pytestmark = pytest.mark.anyio


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
        source = bucket(server, key=None, secret=None, session=None)
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
