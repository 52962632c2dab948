"""Hosts of their own on one network, which can be cut in either direction: network namespaces, joined by a bridge."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.parts import forbids, requires

_NETWORK = "10.91.0"
_DEVICE = "eth0"


@dataclass(frozen=True)
class Host:
    """A network of its own, reached by the others at `address`; it is `namespace` to the system."""

    namespace: str
    address: str
    _hub: str
    _port: str

    def command(self, *words: str) -> Sequence[str]:
        """The command that does `words` there."""
        return ("ip", "netns", "exec", self.namespace, *words)

    @property
    def network(self) -> int:
        """The number by which a process there knows its network: that of the file /proc/self/ns/net."""
        return Path("/run/netns", self.namespace).stat().st_ino

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """While open, nothing that is sent to it arrives; nobody is told so."""
        with _dropping(self._hub, self._port):
            yield

    @contextmanager
    def mute(self) -> Iterator[None]:
        """While open, nothing that it sends arrives; nobody is told so."""
        with _dropping(self.namespace, _DEVICE):
            yield


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts on a network that leads nowhere else; skips the test where no networks can be made."""
    requires("ip")
    requires("tc")
    mark = f"fs-{os.getpid()}-{secrets.token_hex(2)}"
    try:
        hub = _namespace(f"{mark}-hub")
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        yield [
            _joined(_namespace(f"{mark}-{number}"), f"{_NETWORK}.{number}", hub, f"port{number}")
            for number in range(1, count + 1)
        ]
    finally:
        for name in _namespaces():
            if name.startswith(mark):
                _ip("netns", "del", name)


def _joined(namespace: str, address: str, hub: str, port: str) -> Host:
    _ip("link", "add", port, "netns", hub, "type", "veth", "peer", "name", _DEVICE, "netns", namespace)
    _ip("-n", hub, "link", "set", port, "master", "bridge", "up")
    _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", _DEVICE)
    for device in ("lo", _DEVICE):
        _ip("-n", namespace, "link", "set", device, "up")
    return Host(namespace, address, hub, port)


@contextmanager
def _dropping(namespace: str, device: str) -> Iterator[None]:
    """While open, drop what is sent from a device."""
    queue = ("tc", "-n", namespace, "qdisc")
    subprocess.run([*queue, "add", "dev", device, "root", "blackhole"], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*queue, "del", "dev", device, "root"], check=True, capture_output=True)


def _namespace(name: str) -> str:
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        forbids(f"no network can be made here: {tried.stderr.strip()}")
    return name


def _namespaces() -> list[str]:
    listed = subprocess.run(["ip", "netns", "ls"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines()]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
