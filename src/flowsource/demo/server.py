"""A Git server on this machine's loopback for one repository, which fetches and pushes need no `git` for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TextIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from dulwich.client import HttpGitClient
from dulwich.objects import ObjectID
from dulwich.pack import UnpackedObject
from dulwich.refs import Ref
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend
from dulwich.web import make_wsgi_chain

from flowsource.errors import SourceUnavailable


@dataclass(frozen=True, slots=True)
class ServedRepository:
    """A repository that is being served at `url`."""

    url: str


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Say nothing: whoever started this has the terminal for other things."""

    def get_stderr(self) -> TextIO:
        """Where the application's errors go, which the client is told of as well."""
        return StringIO()


@contextmanager
def serve_repository(path: Path) -> Iterator[ServedRepository]:
    """Serve the repository at `path` on a free port of 127.0.0.1 while the context is open. Anybody here may push."""
    with Repo(str(path)) as repo:
        repositories: dict[bytes, BackendRepo] = {b"/" + path.name.encode(): repo}
        application = make_wsgi_chain(DictBackend(repositories))
        with make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_QuietHandler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            try:
                yield ServedRepository(f"http://127.0.0.1:{server.server_port}/{path.name}")
            finally:
                server.shutdown()
                thread.join()


def push(local: Path, url: str, *, branch: str = "main") -> str:
    """Push `branch` of the repository at `local` to `url`, and return the commit that is there now.

    Raises SourceUnavailable when the server refuses, and what dulwich raises when there is none.
    """
    ref = Ref(b"refs/heads/" + branch.encode())
    with Repo(str(local)) as repo:
        tip = repo.refs[ref]

        def update(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            return {ref: tip}

        def pack(
            have: Set[ObjectID],
            want: Set[ObjectID],
            *,
            ofs_delta: bool = False,
            progress: Callable[[bytes], None] | None = None,
        ) -> tuple[int, Iterator[UnpackedObject]]:
            return repo.generate_pack_data(set(have), set(want), ofs_delta=ofs_delta)

        result = HttpGitClient(url).send_pack("", update, pack)
    if problem := (result.ref_status or {}).get(ref):
        raise SourceUnavailable(f"{url} refused the push of {branch}: {problem}.")
    return tip.decode()
