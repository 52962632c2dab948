"""A bucket, and whatever else fsspec reaches, keeps the promises of a source."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from flowsource import RemoteStorage
from flowsource.sources.remote import storage
from tests.sources.contract import SourceContract
from tests.sources.directories import DirectoryRemote
from tests.support.s3_server import S3Server, s3_server

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def settle_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_SETTLE", 0.001)


class BucketRemote:
    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.source = RemoteStorage("s3://bucket/code", **server.settings())
        server.put("code-2/beside.py", "not of this source")

    def push(self, files: Mapping[str, str | bytes]) -> None:
        for key in self.server.stored():
            if key.startswith("code/") and key.removeprefix("code/") not in files:
                self.server.delete(key)
        for path, content in files.items():
            self.server.put(f"code/{path}", content)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


class TestABucket(SourceContract):
    @pytest.fixture
    def remote(self, server: S3Server) -> BucketRemote:
        server.empty()
        return BucketRemote(server)


class MemoryRemote:
    def __init__(self) -> None:
        self.source = RemoteStorage("memory://code")
        self.files = fsspec.filesystem("memory")

    def push(self, files: Mapping[str, str | bytes]) -> None:
        if self.files.exists("/code"):
            self.files.rm("/code", recursive=True)
        self.files.pipe(
            {
                f"/code/{path}": content if isinstance(content, bytes) else content.encode()
                for path, content in files.items()
            }
        )


class TestAMemory(SourceContract):
    @pytest.fixture
    def remote(self) -> MemoryRemote:
        return MemoryRemote()


class Tagging(SimpleHTTPRequestHandler):
    """Tells the state of each file, as servers do, and more finely than by the second."""

    def end_headers(self) -> None:
        facts = Path(self.translate_path(self.path)).stat()
        self.send_header("ETag", f'"{facts.st_mtime_ns:x}-{facts.st_ino:x}"')
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that its base gives it
        pass


class TestAWebServerThatListsItsFiles(SourceContract):
    @pytest.fixture
    def remote(self, tmp_path: Path) -> Iterator[DirectoryRemote]:
        (tmp_path / "served").mkdir()
        handler = partial(Tagging, directory=str(tmp_path / "served"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        source = RemoteStorage(f"http://127.0.0.1:{server.server_port}/code/")
        yield DirectoryRemote(tmp_path / "served" / "code", source)
        server.shutdown()
        server.server_close()
        thread.join()
