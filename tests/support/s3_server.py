"""A server that speaks S3 on this machine, told what to answer and asked what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote

import boto3
import moto.backends
from aiobotocore.session import AioSession
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEY, SECRET = "AKIDEXAMPLE", "s3cr3t-canary-0f9a"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what was asked (`list`, `get` or another), the path, and the headers that matter here."""

    action: str
    path: str
    if_match: str | None = None


# Given a request; what it returns is answered in place of the server: status line, headers, body.
Answer = tuple[str, Mapping[str, str], bytes]
Script = Callable[[Request], Answer | None]


@dataclass(eq=False)
class S3Server:
    """A running server with one bucket, `bucket`. `script` may answer in its place, and sees every request first."""

    endpoint: str
    log: list[Request] = field(default_factory=list)
    script: Script = lambda request: None

    def __post_init__(self) -> None:
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )
        self.session: Any = AioSession()

    def empty(self) -> None:
        """Forget every object, what was asked and what was to be answered."""
        self.script = lambda request: None
        moto.backends.get_backend("s3").reset()
        self.client.create_bucket(Bucket="bucket")
        self.log.clear()

    def settings(self) -> dict[str, Any]:
        """What a source needs to be let in, and a session that has read what it knows of S3, which takes a while."""
        return {"endpoint_url": self.endpoint, "key": KEY, "secret": SECRET, "session": self.session}

    def put(self, key: str, content: bytes | str) -> None:
        """Store an object."""
        self.client.put_object(Bucket="bucket", Key=key, Body=content)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket="bucket", Key=key)

    def put_raw(self, key: str, content: bytes) -> None:
        """Store an object under a key that no client would send as it is, such as one that holds `..`."""
        backend = moto.backends.get_backend("s3")["123456789012"]["aws"]
        backend.put_object("bucket", key, content)

    def stored(self) -> list[str]:
        """The keys of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket")
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def asked(self, action: str) -> list[Request]:
        """The requests of that kind, in order."""
        return [request for request in self.log if request.action == action]


class _Quiet(WSGIRequestHandler):
    # One connection for many requests, as real servers have it.
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name that its base gives it
        """Nothing: a test reads the server's own log."""


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server on a free port, with an empty bucket, until the block ends."""
    inner: Application = DomainDispatcherApplication(create_backend_app)
    running: list[S3Server] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = _request(environ)
        if running:
            running[0].log.append(request)
            if (answer := running[0].script(request)) is not None:
                status, headers, body = answer
                start_response(status, [*headers.items(), ("Content-Length", str(len(body)))])
                return [body]
        return inner(environ, start_response)

    listening = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        server = S3Server(f"http://127.0.0.1:{listening.server_port}")
        server.empty()
        running.append(server)
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def error(status: str, code: str, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer with which S3 refuses."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return status, {"Content-Type": "application/xml", **(headers or {})}, body.encode()


def _request(environ: Environ) -> Request:
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    path = quote(environ["PATH_INFO"].encode("latin-1"))
    if environ["REQUEST_METHOD"] == "GET":
        action = "list" if "list-type" in query or "versions" in query else "get"
    else:
        action = environ["REQUEST_METHOD"].lower()
    return Request(action, path, environ.get("HTTP_IF_MATCH"))
