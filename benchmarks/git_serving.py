"""A process that serves bare Git repositories over HTTP, passing on what `git http-backend` says as it says it.

    python -m benchmarks.git_serving DIRECTORY

prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.git_server import backend_environment


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The address of a server of the bare repositories below `root`, which runs while the context is open."""
    command = [sys.executable, "-m", "benchmarks.git_serving", str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has what it wanted may leave."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    root: Path

    def do_GET(self) -> None:
        """Ask Git."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = backend_environment(self, self.root, len(body), {"uploadpack.allowFilter": "true"})
        with subprocess.Popen(
            ["git", "http-backend"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as git:
            assert git.stdin is not None
            assert git.stdout is not None
            git.stdin.write(body)
            git.stdin.close()
            self._pass_on(git.stdout.fileno())

    do_POST = do_GET

    def _pass_on(self, output: int) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (data := os.read(output, 65536)):
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while rest or (rest := os.read(output, 1 << 18)):
            self.wfile.write(b"%x\r\n" % len(rest) + rest + b"\r\n")
            rest = b""
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that its base gives it
        """Say nothing."""


def main(root: str) -> None:
    """Serve until nobody holds the other end of standard input."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"root": Path(root)}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
