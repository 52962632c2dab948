"""A bucket that refuses, fails, hangs or is not there."""

from __future__ import annotations

import threading

import anyio
import pytest

from flowsource.errors import AuthenticationFailed, SourceError, SourceInvalid, SourceMissing, SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.remote import fetching, s3
from tests.sources.caching import newest, published
from tests.sources.remote_s3.bucket import assert_no_secret, bucket
from tests.support.s3_server import Answer, Request, S3Server, error

pytestmark = pytest.mark.anyio


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
            await bucket(server, key=None, secret=None, session=None).resolve()

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
                over.wait()

        server.script = hang
        try:
            with pytest.raises(SourceUnavailable, match="did not answer in time"):
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
                over.wait()

        server.script = hang
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cache.ensure, source, revision)
                await anyio.to_thread.run_sync(asked.wait)
                tasks.cancel_scope.cancel()
        finally:
            over.set()
        assert published(cache) == []
