"""What is refused before anything looks at it: other names, other sites, bodies without end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from flowsource.errors import InvalidInput
from flowsource.server import guard
from flowsource.server.options import checked_options
from flowsource.store import open_store
from tests.server.serving import Served, served
from tests.support.waiting import PATIENCE, until_true

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store, served(store) as server:
        yield server


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    shown = {"authorization": f"Bearer {server.secret}"}
    async with httpx.AsyncClient(base_url=server.url, headers=shown, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "", "a@evil.test", "evil.test:8787", "[::1"])
async def test_a_name_that_is_not_ours_is_answered_with_nothing(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/api/v1/deployments", headers={"host": host})

    assert answer.status_code == 421
    assert "items" not in answer.text


async def test_the_names_of_this_machine_are_ours(client: httpx.AsyncClient) -> None:
    for host in ("localhost", "127.0.0.1:80", "[::1]:99"):
        assert (await client.get("/api/v1/deployments", headers={"host": host})).status_code == 200


async def test_two_names_are_none(server: Served) -> None:
    port = int(server.url.rpartition(":")[2])
    async with await anyio.connect_tcp("127.0.0.1", port) as raw:
        await raw.send(b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n")
        assert (await raw.receive()).split(b" ")[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://[", "http://localhost:1", "http://127.0.0.1.evil.test"]
)
async def test_a_page_of_another_site_gets_no_answer(client: httpx.AsyncClient, origin: str) -> None:
    pause, runs = "/api/v1/deployments/a/b/pause", "/api/v1/runs"
    for method, path in (("POST", pause), ("GET", runs), ("OPTIONS", runs)):
        answer = await client.request(method, path, headers={"origin": origin})
        assert answer.status_code == 403, (method, path)
        assert "access-control-allow-origin" not in answer.headers


async def test_a_page_of_ours_is_answered(client: httpx.AsyncClient, server: Served) -> None:
    assert (await client.get("/api/v1/runs", headers={"origin": server.url})).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/runs", "/healthz/live", "/nothing", "/api/store/hello"])
async def test_every_answer_says_that_it_is_to_be_shown_nowhere_else(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize(
    "rest",
    [
        f"Content-Length: {guard.LARGEST_BODY + 1}\r\n\r\n",
        f"Transfer-Encoding: chunked\r\n\r\n{guard.LARGEST_BODY + 1:x}\r\n{' ' * (guard.LARGEST_BODY + 1)}",
    ],
    ids=["told", "untold"],
)
async def test_a_body_that_is_too_large_is_not_read_to_its_end(server: Served, rest: str) -> None:
    port = int(server.url.rpartition(":")[2])
    head = "POST /api/v1/deployments/a/b/pause HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with await anyio.connect_tcp("127.0.0.1", port) as raw:
        await raw.send(f"{head}Authorization: Bearer {server.secret}\r\n{rest}".encode())
        assert (await raw.receive()).split(b" ")[1] == b"413"


async def test_who_hangs_up_before_he_has_said_all_is_no_error_of_the_server(
    server: Served, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(server.url.rpartition(":")[2])
    head = f"POST /api/store/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.secret}\r\n"
    async with await anyio.connect_tcp("127.0.0.1", port) as raw:
        await raw.send(f"{head}Content-Length: 9\r\n\r\n{{".encode())

    async def is_counted() -> bool:
        return 'requests_total{method="POST",status="400"}' in (await client.get("/metrics")).text

    await until_true(is_counted)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_body_that_does_not_come_is_not_waited_for(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", timedelta(milliseconds=50))
    port = int(server.url.rpartition(":")[2])
    head = f"POST /api/store/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.secret}\r\n"
    async with await anyio.connect_tcp("127.0.0.1", port) as raw:
        await raw.send(f"{head}Content-Length: 5\r\n\r\n{{".encode())
        assert (await raw.receive()).split(b" ")[1] == b"408"


GOOD = {
    "host": "127.0.0.1",
    "port": 0,
    "names": (),
    "prefix": "",
    "certificate": None,
    "key": None,
    "is_behind_proxy": False,
    "proxies": (),
}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"host": "0.0.0.0"}, "others could read along"),
        ({"host": "0.0.0.0", "is_behind_proxy": True}, "by which --name"),
        ({"certificate": Path("x.pem")}, "give both, or none"),
        ({"certificate": Path("x.pem"), "key": Path("y.pem")}, "there is no such file"),
        ({"prefix": "flowsource"}, "begins with a slash"),
        ({"prefix": "/a/../b//"}, "begins with a slash"),
        ({"proxies": ("10.0.0.1",)}, "say --behind-proxy too"),
    ],
)
def test_a_server_that_others_could_listen_in_on_does_not_start(said: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        checked_options(**{**GOOD, **said})  # type: ignore[arg-type]  # given by name in a table


def test_behind_a_proxy_it_may_be_reached_from_elsewhere() -> None:
    options = checked_options(
        **{**GOOD, "host": "0.0.0.0", "names": ("flows.example.org",), "is_behind_proxy": True, "prefix": "/flows/"}  # type: ignore[arg-type]
    )
    assert (options.prefix, options.proxies) == ("/flows", ("127.0.0.1", "::1"))
