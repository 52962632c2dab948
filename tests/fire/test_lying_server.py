"""A server that was taken over answers whatever it likes: nothing of that is executed, and the token goes nowhere."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from flowsource.server_access import TOKEN
from flowsource.store import open_store
from tests.fire.length import FULL, some
from tests.fire.mixture import token_file, token_of
from tests.support.http_way import Answer, Ask, Request, http_way
from tests.support.live import Serving, processes_below, serving
from tests.support.servers import server_process

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200 if FULL else 300)]

SCRIPT = """
from flowsource import flow
if __name__ == "__main__":
    flow.from_source({source!r}, "flows.py:main").serve(name="x", limit=4)
"""
FLOWS = """
def main(n: int = 0):
    return "as declared"
"""
EVIL = """
import os
from pathlib import Path
(Path(os.environ["FLOWSOURCE_HOME"]).parent / "executed").touch()
def evil(n: int = 0):
    return "evil"
"""
CODE = {
    "entrypoint": "evil.py:evil",
    "instance": "evil.pickle",
    "preload": ["evil"],
    "source_key": "evil",
    "source_label": "evil",
    "source_selector": "evil",
    "paths": ["evil"],
}
# Each lie is told so often.
TIMES = 4
MOST_GROWTH_MIB = 400


def each_value(change: Callable[[str, Any], Any], data: Any, key: str = "") -> Any:
    """`data` with what `change` makes of each value in it."""
    if isinstance(data, dict):
        data = {name: each_value(change, value, name) for name, value in data.items()}
    elif isinstance(data, list):
        data = [each_value(change, value, key) for value in data]
    return change(key, data)


def other_code(key: str, value: Any) -> Any:
    return CODE.get(key, value)


def other_revision(key: str, value: Any) -> Any:
    return {**value, "id": "e" * 40} if key in ("revision", "active") and isinstance(value, dict) else value


def other_deployment(key: str, value: Any) -> Any:
    return "00000000-0000-0000-0000-00000000000e" if key == "deployment_id" else value


def other_types(_: str, value: Any) -> Any:
    return {str: 17, int: "x", bool: [], list: {}, type(None): 1.5}.get(type(value), value)


def odd_values(_: str, value: Any) -> Any:
    return {str: "\ud800\x1b]0;evil\x07", int: 10**400, float: float("nan")}.get(type(value), value)


def many_times(key: str, value: Any) -> Any:
    return value * 5_000 if key == "runs" and isinstance(value, list) else value


def told(change: Callable[[str, Any], Any]) -> Callable[[Answer], Answer]:
    """What the server says, with each value changed."""

    def lie(answer: Answer) -> Answer:
        assert isinstance(answer.body, bytes)
        return replace(answer, body=json.dumps(each_value(change, json.loads(answer.body))).encode())

    return lie


def said(body: bytes, *headers: tuple[str, str]) -> Callable[[Answer], Answer]:
    """That, whatever was asked."""
    return lambda answer: replace(answer, body=body, headers=[*answer.headers, *headers])


def told_as_error(kind: str) -> Callable[[Answer], Answer]:
    """That something went wrong, in words that are meant for a terminal."""
    error = {"type": kind, "message": "\x1b]0;evil\x07", "fields": {}}
    return lambda answer: replace(answer, status=500, body=json.dumps({"error": error}).encode())


def redirects(status: int, where: str) -> Callable[[Answer], Answer]:
    """To somewhere else."""
    return lambda answer: Answer(status, [*answer.headers, ("Location", where)], b"")


class Liar:
    """Passes requests on to a server, and tells a lie in the place of each answer while it has one."""

    def __init__(self) -> None:
        self.lie: Callable[[Answer], Answer] | None = None
        self.count = 0
        self.cookies: list[str] = []

    def __call__(self, request: Request, ask: Ask) -> Answer:
        """What is answered."""
        self.cookies += [value for name, value in request.headers.items() if name.lower() == "cookie"]
        lie, answer = self.lie, ask()
        if lie is None:
            return answer
        self.count += 1
        return lie(answer)

    def drips(self, answer: Answer) -> Answer:
        """An answer of which no end comes, until the lie is another."""
        lie = self.lie

        def parts() -> Iterator[bytes]:
            while self.lie == lie:
                yield b" "
                time.sleep(0.02)

        return replace(answer, body=parts())


@contextmanager
def elsewhere() -> Iterator[tuple[int, list[bytes]]]:
    """A port of another server, and what came there."""
    came: list[bytes] = []

    def listen() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                came.append(client.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def resident(pid: int) -> int:
    """The most that a process had in memory, in MiB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) >> 10


async def test_whatever_a_server_answers_nothing_else_is_executed_and_its_truth_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, script, home = tmp_path / "code", tmp_path / "serve.py", tmp_path / "runner"
    source.mkdir()
    (source / "flows.py").write_text(FLOWS)
    (source / "evil.py").write_text(EVIL)
    script.write_text(SCRIPT.format(source=str(source)))
    liar = Liar()
    with (
        server_process(tmp_path / "server") as server,
        http_way(server.port, liar) as url,
        elsewhere() as (port, came),
    ):
        lies: dict[str, Callable[[Answer], Answer]] = {
            "other code": told(other_code),
            "another revision": told(other_revision),
            "another deployment": told(other_deployment),
            "other types": told(other_types),
            "odd values": told(odd_values),
            "very many runs": told(many_times),
            "errors that steer": told_as_error("StoreUnavailable"),
            "refusals": told_as_error("NotAllowed"),
            "deep JSON": said(b"[" * 1_000_000),
            "very many values": said(b'{"result": [' + b"[]," * 20_000_000 + b"[]]}"),
            "a flood": lambda answer: replace(answer, body=(b" " * 1_000_000 for _ in range(100_000))),
            "a packed flood": said(gzip.compress(bytes(1 << 30), 1), ("Content-Encoding", "gzip")),
            "a drip": liar.drips,
            "a cookie": lambda answer: replace(answer, headers=[*answer.headers, ("Set-Cookie", "evil=1; Path=/")]),
            **{f"a redirect ({status})": redirects(status, f"http://127.0.0.1:{port}/") for status in (301, 307, 308)},
        }
        environ = await token_file(server, tmp_path)
        monkeypatch.setenv(TOKEN, await token_of(server, "anna", "operator"))
        async with (
            open_store(server.url) as truth,
            serving(script, home, address=url, environ=environ) as runner,
        ):
            before = resident(runner.process.pid)
            for name in some("lies of a server", list(lies), every=4):
                liar.count, liar.lie = 0, lies[name]
                await request_run(truth, "main/x", {})
                await runner.until(lambda: liar.count >= TIMES, f"{name} to be told")
                liar.lie = None
                await is_well(runner)
                print(f"{name}: {resident(runner.process.pid) - before} MiB more")
            assert resident(runner.process.pid) - before < MOST_GROWTH_MIB
            assert await runner.stop() == 0
        assert came == [], "whoever is elsewhere is told nothing"
        assert liar.cookies == []
    assert not (tmp_path / "executed").exists()
    assert "Traceback" not in runner.said
    assert "\x1b]0;" not in runner.said
    assert processes_below(home) == []
    print(runner.said[:6000])


async def is_well(runner: Serving) -> None:
    """Once the server tells the truth, runs are executed as they were declared."""
    ended = await runner.until_final(await request_run(runner.store, "main/x", {}))
    assert (ended.state, ended.result) == (RunState.COMPLETED, "as declared"), ended.failure
