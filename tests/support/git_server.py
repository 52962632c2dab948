"""The real `git http-backend` behind a small HTTP server that counts what passes and can be told to misbehave."""

from __future__ import annotations

import base64
import itertools
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer. Bytes are head and body of each, without what TCP adds.

    `command` is what protocol version 2 was asked to do: `ls-refs`, `fetch`, `history` (a fetch of the commits between
    two, which asks for no depth), or nothing.
    """

    method: str
    path: str
    command: str
    headers: Mapping[str, str]
    status: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Answer with this status and these headers instead of asking Git."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Close the connection after so many bytes of the body."""

    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Send so many bytes of the body and then nothing, until the server is told to go on or is closed."""

    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """Send the head or the body one byte at a time, or one `100 Continue` after the other, so many seconds apart."""

    every: float
    part: Literal["head", "body", "continue"] = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endless:
    """Answer with these headers, then `first`, then `again` and again, so many seconds apart."""

    headers: Mapping[str, str]
    first: bytes = b""
    again: bytes
    every: float = 0


Login = tuple[str, str] | str
Misbehaviour = Refuse | Cut | Stall | Drip | Endless

# Status, headers and body for a method, a path and a body; None for what it does not answer.
Beside = Callable[[str, str, bytes], tuple[int, Mapping[str, str], bytes] | None]


class GitServer:
    """A server of all bare repositories below one directory. `log` has the exchanges so far, oldest first.

    `login` is the user and password that it lets in, or the bearer token.
    """

    def __init__(self, root: Path, *, scheme: str, port: int, login: Login | None) -> None:
        self.root, self.scheme, self.port, self.login = root, scheme, port, login
        self.log: list[Exchange] = []
        self.released = threading.Event()
        self._misbehaviour: dict[str, Misbehaviour] = {}
        self.protocol_2 = True
        # What the server answers beside Git, once the login was checked.
        self.beside: Beside = lambda method, path, body: None

    def url(self, name: str) -> str:
        """The address of the repository in the directory `name`."""
        return f"{self.scheme}://127.0.0.1:{self.port}/{name}"

    def misbehave(self, how: Misbehaviour, *, on: str = "") -> None:
        """From now on treat requests so whose method, path and command contain `on`, such as `POST` or `ls-refs`."""
        self._misbehaviour[on] = how

    def behave(self) -> None:
        """From now on treat all requests as a good server does."""
        self._misbehaviour.clear()

    def misbehaviour(self, request: str) -> Misbehaviour | None:
        """How to treat a request, if not well."""
        return next((how for part, how in self._misbehaviour.items() if part in request), None)

    @property
    def authorizations(self) -> list[str]:
        """The Authorization headers that were sent so far."""
        return [exchange.headers["Authorization"] for exchange in self.log if "Authorization" in exchange.headers]


@contextmanager
def git_server(
    root: Path, *, login: Login | None = None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[GitServer]:
    """Serve the bare repositories below `root` on a free port of `host`, to `login` only if one is given."""
    server = _Threads((host, 0), _Handler)
    if tls is not None:
        # Shaken hands in the thread of the connection: who is refused there must not end the server.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.git = GitServer(root, scheme="http" if tls is None else "https", port=server.server_port, login=login)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.git
    finally:
        server.git.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    git: GitServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Threads

    def do_GET(self) -> None:
        git = self.server.git
        body = self._request_body()
        # The line and the headers as they came, each with its two bytes of line end, and an empty line.
        size_in = len(self.requestline) + 2 + sum(len(f"{k}: {v}") + 2 for k, v in self.headers.items()) + 2 + len(body)
        command = _command(body)
        how = git.misbehaviour(f"{self.command} {self.path} {command}")
        status, headers, answer = self._answer(body, how)
        sent = answer[: how.after] if isinstance(how, (Cut, Stall)) else answer
        reason = self.responses[status][0] if status in self.responses else ""
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        length = [] if isinstance(how, Endless) else [f"Content-Length: {len(answer)}"]
        head = "\r\n".join([*lines, *length, "", ""]).encode()
        # Before the answer leaves: who has it may look at the log at once.
        size_out = len(head) + len(sent)
        git.log.append(Exchange(self.command, self.path, command, dict(self.headers), status, size_in, size_out))
        if isinstance(how, Drip):
            self._drip(head, sent, how)
            return
        if isinstance(how, Endless):
            self._send_slowly([head, how.first], itertools.repeat(how.again), how.every)
            return
        self.wfile.write(head + sent)
        self.wfile.flush()
        self.close_connection = self.close_connection or sent != answer
        if isinstance(how, Stall):
            git.released.wait(60)

    do_POST = do_GET

    def _drip(self, head: bytes, body: bytes, how: Drip) -> None:
        match how.part:
            case "continue":
                self._send_slowly([], itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), how.every)
            case "head":
                self._send_slowly([], _bytes_of(head + body), how.every)
            case "body":
                self._send_slowly([head], _bytes_of(body), how.every)

    def _send_slowly(self, at_once: Iterable[bytes], pieces: Iterable[bytes], every: float) -> None:
        self.close_connection = True
        for piece in at_once:
            self.wfile.write(piece)
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            if self.server.git.released.wait(every):
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that its base gives it
        pass

    def _request_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, body: bytes, how: Misbehaviour | None) -> tuple[int, Mapping[str, str], bytes]:
        login = self.server.git.login
        if isinstance(how, Refuse):
            return how.status, how.headers, how.body
        if isinstance(how, Endless):
            return 200, how.headers, b""
        if login is not None and self.headers.get("Authorization") != _authorization(login):
            return 401, {"WWW-Authenticate": 'Basic realm="git"'}, b""
        return self.server.git.beside(self.command, self.path, body) or self._ask_git(body)

    def _ask_git(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        environment = backend_environment(self, self.server.git.root, len(body))
        if not self.server.git.protocol_2:
            del environment["GIT_PROTOCOL"]
        done = subprocess.run(
            ["git", "http-backend"],
            env=environment,
            input=body,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200 OK").split()[0])
        return status, headers, answer


def backend_environment(
    request: BaseHTTPRequestHandler, root: Path, length: int, settings: Mapping[str, str] = {}
) -> dict[str, str]:
    """What `git http-backend` is told of a request with a body of that length, and of Git's own `settings`."""
    path, _, query = request.path.partition("?")
    told = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(length),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_USER": "somebody",
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": str(len(settings) + 1),
    }
    for place, (key, value) in enumerate({"safe.directory": "*", **settings}.items()):
        told |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return told


def _bytes_of(data: bytes) -> Iterator[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


def _command(body: bytes) -> str:
    """The first line of a request in version 2 of the protocol, after its length, is its command."""
    first, _, _ = body[4:64].partition(b"\n")
    if first == b"command=fetch" and b"have " in body and b"deepen " not in body:
        return "history"
    return first.removeprefix(b"command=")[:7].decode("ascii", "replace") if first.startswith(b"command=") else ""


def _authorization(login: Login) -> str:
    if isinstance(login, str):
        return f"Bearer {login}"
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()
