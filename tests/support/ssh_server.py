"""The real sshd on loopback, which lets one key in and runs the real git-upload-pack."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.support.parts import requires
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

KeyType = Literal["ed25519", "rsa", "ecdsa"]

# Where it is, also when the directory is on nobody's PATH but root's.
_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class SshServer:
    """A server on `port` that lets in who has `key`. `known_hosts` is the file that says who it is.

    Without `protocol_2` it lets nobody ask for that version.
    """

    def __init__(self, directory: Path, *, port: int, host_key: KeyType) -> None:
        self.directory, self.port, self.host_key = directory, port, host_key
        self.user = getpass.getuser()
        self.key, self.known_hosts = directory / "client", directory / "known_hosts"
        self.protocol_2 = True
        self._process: subprocess.Popen[bytes] | None = None
        make_key(self.key)
        shutil.copy(self.key.with_name("client.pub"), directory / "authorized_keys")

    def url(self, path: Path) -> str:
        """The address of the repository at `path`."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Begin to serve, under a host key of its own. Returns once it answers."""
        host_key = self.directory / f"host_{self.host_key}"
        if not host_key.exists():
            make_key(host_key, self.host_key)
            public = host_key.with_name(f"{host_key.name}.pub").read_text().split()
            if not self.known_hosts.exists():
                self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        config = self.directory / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host_key}\n"
            f"AuthorizedKeysFile {self.directory}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
            "Subsystem sftp internal-sftp\n"
            f"AcceptEnv {'GIT_PROTOCOL' if self.protocol_2 else 'NONE'}\n"
            # The default is ten times slower, for the sake of secrets that must outlive us.
            "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org\n"
            # bash reads what is meant for people at a terminal, unless it is told that it runs inside another one.
            "SetEnv SHLVL=2\n"
        )
        if os.getuid() == 0:
            # It insists on an empty directory to lock itself into.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        assert _SSHD is not None
        log = self.directory / "sshd.log"
        with log.open("ab") as output:
            command = [_SSHD, "-D", "-e", "-f", str(config)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline = time.monotonic() + PATIENCE
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"sshd did not start: {log.read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Serve nobody any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Take on what was changed."""
        self.stop()
        self.start()

    def let_in(self, key: Path) -> None:
        """Let in who has that key too."""
        with (self.directory / "authorized_keys").open("a") as file:
            file.write(key.with_name(f"{key.name}.pub").read_text())

    def take_another_host_key(self) -> None:
        """Be another server at the same place, as far as anybody can tell."""
        self.stop()
        for file in self.directory.glob("host_*"):
            file.unlink()
        self.start()


@contextmanager
def ssh_server(directory: Path, *, host_key: KeyType = "ed25519") -> Iterator[SshServer]:
    """Serve everything on this machine that the current user may read, on a free port of 127.0.0.1."""
    if _SSHD is None:
        requires("sshd")
    requires("ssh")
    requires("git")
    directory.mkdir(exist_ok=True)
    server = SshServer(directory, port=free_port(), host_key=host_key)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def make_key(path: Path, kind: KeyType = "ed25519", *, passphrase: str = "") -> None:
    """Make a pair of keys at `path` and `path`.pub."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run([*command, *(["-b", "2048"] if kind == "rsa" else [])], check=True, capture_output=True)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
