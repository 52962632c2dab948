"""A Git server on a host of its own.

    python -m tests.support.git_hosts ROOT ADDRESS

serves the bare repositories below ROOT there, says at which port, and ends with its standard input.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.git_server import git_server
from tests.support.hosts import Host


@contextmanager
def git_host(host: Host, root: Path) -> Iterator[str]:
    """Serve the repositories below `root` from `host` while the context is open; the address of that server."""
    command = host.command(sys.executable, "-m", __name__, str(root), host.address)
    top = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=top, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "it did not start"
        try:
            yield f"http://{host.address}:{port}"
        finally:
            process.stdin.close()


if __name__ == "__main__":
    with git_server(Path(sys.argv[1]), host=sys.argv[2]) as served:
        print(served.port, flush=True)
        sys.stdin.read()
