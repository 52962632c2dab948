"""A small HTTP proxy on loopback that knows where some hosts are."""

from __future__ import annotations

import base64
import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.waiting import PATIENCE


class HttpProxy:
    """A proxy for `hosts`, by the port of this machine each is at. `asked` has what it was asked for, oldest first."""

    def __init__(self, hosts: Mapping[str, int], *, port: int, login: tuple[str, str] | None) -> None:
        self.hosts, self.port, self.login = hosts, port, login
        self.asked: list[str] = []


@contextmanager
def http_proxy(hosts: Mapping[str, int], *, login: tuple[str, str] | None = None) -> Iterator[HttpProxy]:
    """Serve as a proxy on a free port of 127.0.0.1, to `login` only if one is given."""
    server = _Threads(("127.0.0.1", 0), _Handler)
    server.proxy = HttpProxy(hosts, port=server.server_port, login=login)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    proxy: HttpProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Threads

    def do_GET(self) -> None:
        proxy, target = self.server.proxy, urlsplit(self.path)
        proxy.asked.append(f"{self.command} {self.path}")
        if self._is_stranger():
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream = http.client.HTTPConnection("127.0.0.1", proxy.hosts[target.netloc], timeout=PATIENCE)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        upstream.request(self.command, f"{target.path}?{target.query}", body=body, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "server", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def do_CONNECT(self) -> None:
        self.server.proxy.asked.append(f"CONNECT {self.path}")
        if not self._is_stranger():
            self._refuse(403)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that its base gives it
        pass

    def _is_stranger(self) -> bool:
        login = self.server.proxy.login
        if login is None or self.headers.get("Proxy-Authorization") == _basic(login):
            return False
        self._refuse(407)
        return True

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()
