"""A way to an HTTP server on this machine, on which a test decides what becomes of each request and its answer."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.waiting import PATIENCE

_OF_THE_WAY = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True)
class Request:
    """What came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back. With `is_cut` half of it is all that does; a body in parts has no length, and ends with them."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | Iterable[bytes]
    is_cut: bool = False


Ask = Callable[[], Answer]
# What is answered to a request, or None to hang up. Calling the second gives what the server answers, each time anew.
PassOn = Callable[[Request, Ask], Answer | None]


@contextmanager
def http_way(upstream: int, pass_on: PassOn) -> Iterator[str]:
    """The address of a way to the port `upstream` of this machine."""
    server = _Threads(("127.0.0.1", 0), _Handler)
    server.upstream, server.pass_on = upstream, pass_on
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    upstream: int
    pass_on: PassOn

    def handle_error(self, request: object, client_address: object) -> None:
        """A side that goes away in the middle is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Threads

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers.items()), body)
        answer: Answer | None = None
        # Where there is no server just now, nobody answers.
        with suppress(OSError, http.client.HTTPException):
            answer = self.server.pass_on(request, lambda: _asked(self.server.upstream, request))
        if answer is not None:
            self._answer(answer)
        if answer is None or answer.is_cut or not isinstance(answer.body, bytes):
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    do_POST = do_GET

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _OF_THE_WAY:
                self.send_header(name, value)
        if isinstance(answer.body, bytes):
            self.send_header("Content-Length", str(len(answer.body)))
            parts: Iterable[bytes] = [answer.body[: len(answer.body) // 2] if answer.is_cut else answer.body]
        else:
            self.send_header("Connection", "close")
            parts = answer.body
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that its base gives it
        pass


def _asked(upstream: int, request: Request) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=PATIENCE)
    try:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_THE_WAY}
        connection.request(request.method, request.path, body=request.body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()
