"""The dashboard of a script that serves: its link, its process, and what becomes of both."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL
from time import monotonic, sleep

import httpx
import pytest

from flowsource.cli import exits
from tests.cli.calling import CommandLine
from tests.support.live import processes_below
from tests.support.ports import free_port
from tests.support.servers import server_process
from tests.support.serving import ServingScript, serving
from tests.support.waiting import PATIENCE

SCRIPT = """
import sys
from flowsource import flow


@flow
def hello(name: str = "world"):
    return name


if __name__ == "__main__":
    hello.serve(name="one", webserver="--without" not in sys.argv)
"""
_EMBEDDED = b"flowsource.server.embedded"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "code" / "flows.py"
    file.parent.mkdir()
    file.write_text(SCRIPT)
    return file


@pytest.fixture
def anybody() -> Iterator[httpx.Client]:
    # The first answer is that of a process that has yet to start.
    with httpx.Client(timeout=PATIENCE) as client:
        yield client


def dashboard_of(served: ServingScript) -> str:
    """The address that the script has told."""
    found = re.search(r"^Dashboard: +(\S+)$", served.output, re.MULTILINE)
    assert found, served.output
    return found[1]


def link_to(home: Path) -> str:
    """What `flowsource dashboard` prints."""
    done = CommandLine(home).run("dashboard")
    assert done.code == exits.OK, done.err
    return done.out.strip()


def web_processes(home: Path) -> list[int]:
    """The processes that serve the dashboard."""
    found = []
    for pid in processes_below(home):
        try:
            if _EMBEDDED in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def until_gone(pids: list[int], *, within: float = PATIENCE) -> None:
    """Wait until none of them is there."""
    deadline = monotonic() + within
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids):
        assert monotonic() < deadline, f"of {pids} some are still there"
        sleep(0.02)


def test_a_process_serves_it_once_somebody_comes_and_sessions_outlive_it(
    script: Path, tmp_path: Path, anybody: httpx.Client
) -> None:
    home, port = tmp_path / "home", str(free_port())
    with serving(script, home, environ={"FLOWSOURCE_DASHBOARD": port}) as served:
        address = dashboard_of(served)
        assert web_processes(home) == []
        assert "code=" not in served.output
        assert anybody.get(f"{address}/api/v1/me").status_code == 401
        [first] = web_processes(home)

        link = link_to(home)
        assert link.startswith(address)
        assert anybody.get(link).status_code == 303
        assert anybody.get(link).status_code == 401
        assert anybody.get(f"{address}/api/v1/me").json()["name"] == "local"

        os.kill(first, signal.SIGKILL)
        until_gone([first])
        served.wait_until_said("the dashboard ended with -9")
        assert anybody.get(f"{address}/api/v1/me").json()["name"] == "local"
        [second] = web_processes(home)
        assert second != first

    until_gone([second])
    with serving(script, home, environ={"FLOWSOURCE_DASHBOARD": port}) as again:
        assert dashboard_of(again) == address
        assert anybody.get(f"{address}/api/v1/me").json()["name"] == "local"
        left = web_processes(home)
        again.process.kill()
        again.process.wait(PATIENCE)
        until_gone(left)


def test_on_a_screen_the_link_lets_a_person_in_at_once(script: Path, tmp_path: Path, anybody: httpx.Client) -> None:
    ours, theirs = pty.openpty()
    home = tmp_path / "home"
    home.mkdir()
    said = CommandLine(home).environ() | {"NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, str(script)], env=said, stdin=DEVNULL, stdout=DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        told = ""
        while "Ask for a run" not in told:
            told += os.read(ours, 4096).decode()
        link = re.search(r"http://127\.0\.0\.1:\d+/session\?code=\S+", told)
        assert link, told
        assert anybody.get(link[0]).status_code == 303
        process.terminate()
        assert process.wait(PATIENCE) == 0
    os.close(ours)


def test_where_its_port_is_taken_it_has_another(script: Path, tmp_path: Path, anybody: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(script, tmp_path / "home", environ={"FLOWSOURCE_DASHBOARD": str(port)}) as served:
            address = dashboard_of(served)
            assert address.rpartition(":")[2] != str(port)
            assert anybody.get(f"{address}/healthz/live").json() == {"live": True}


def test_it_can_be_left_out_and_then_there_is_no_link(script: Path, tmp_path: Path) -> None:
    script.write_text(SCRIPT.replace('"--without" not in sys.argv', "False"))
    home = tmp_path / "home"
    with serving(script, home) as served:
        assert "Dashboard" not in served.output
        done = CommandLine(home).run("dashboard")
    assert done.code == exits.NOT_FOUND
    assert "there is no dashboard on this machine now" in done.err


def test_a_server_makes_links_here_and_for_those_with_a_token(tmp_path: Path, anybody: httpx.Client) -> None:
    with server_process(tmp_path / "server-home") as server:
        assert anybody.get(link_to(tmp_path / "server-home")).status_code == 303
        assert anybody.get(f"{server.url}/api/v1/me").json()["name"] == "local"

        token = server.token("anna", "viewer")
        elsewhere = {"FLOWSOURCE_STORE": server.url, "FLOWSOURCE_TOKEN_FILE": str(token)}
        done = CommandLine(tmp_path / "person-home").run("dashboard", "--json", environ=elsewhere)
        with httpx.Client(timeout=PATIENCE) as another:
            assert another.get(done.json["url"]).status_code == 303
            assert another.get(f"{server.url}/api/v1/me").json()["name"] == "anna"
        token.write_text("fs_" + "x" * 43)
        refused = CommandLine(tmp_path / "person-home").run("dashboard", environ=elsewhere)
    assert refused.code == exits.AUTHENTICATION
    assert "the token is unknown here" in refused.err
