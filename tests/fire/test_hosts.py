"""What stands for hosts in the tests is one: it is reached, and cut in one direction the other still works."""

from __future__ import annotations

import subprocess
import sys

from tests.support.hosts import Host, hosts

LISTEN = """
import socket, sys
with socket.create_server((sys.argv[1], 7)) as server, socket.socket(type=socket.SOCK_DGRAM) as letters:
    letters.bind((sys.argv[1], 7))
    letters.settimeout(float(sys.argv[2]))
    print("ready", flush=True)
    try:
        print(letters.recv(99).decode())
    except TimeoutError:
        print("nothing")
"""
SEND = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as letters:
    letters.sendto(b"a letter", (sys.argv[1], 7))
"""


def arrives(sender: Host, receiver: Host, *, within: float = 20) -> bool:
    """Whether what one sends comes to the other."""
    listen = receiver.command(sys.executable, "-c", LISTEN, receiver.address, str(within))
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "ready\n"
        subprocess.run(sender.command(sys.executable, "-c", SEND, receiver.address), check=True)
        return listening.stdout.read() == "a letter\n"


def test_a_host_that_is_cut_in_one_direction_is_heard_in_the_other() -> None:
    with hosts(2) as (one, other):
        assert arrives(one, other)
        with other.deaf():
            assert not arrives(one, other, within=1)
        with one.mute():
            assert not arrives(one, other, within=1)
            assert arrives(other, one)
        assert arrives(one, other)
