"""What a store behind a server does when the way there breaks, or when something else is at its end."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import anyio
import pytest

from flowsource.addresses import server_url
from flowsource.errors import InvalidSettings, NotAuthenticated, StoreError, StoreUnavailable, StoreVersionMismatch
from flowsource.server_access import TOKEN, TOKEN_FILE, ServerAccess
from flowsource.store import open_store
from flowsource.store.http import listening
from flowsource.store.http import wire as wire_module
from flowsource.store.http.wire import OUR_VERSION, VERSION_HEADER, Wire
from flowsource.store.protocol import Store
from flowsource.store.values import WORK
from flowsource.tokens import new_secret
from tests.server.serving import Served, served
from tests.store.words import GENEROUS, NOW, Server, end, registration, serve
from tests.support.faulty_wire import FaultyWire, faulty_wire
from tests.support.http_way import Answer, Ask, Request, http_way

pytestmark = pytest.mark.anyio


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield store


@pytest.fixture
async def server(behind: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    async with served(behind) as server:
        monkeypatch.setenv(TOKEN, server.secret)
        yield server


@pytest.fixture
def wire(server: Served) -> Iterator[FaultyWire]:
    with faulty_wire(int(server.url.rpartition(":")[2])) as wire:
        yield wire


async def test_a_claim_of_which_the_answer_is_lost_is_answered_the_same_again(wire: FaultyWire, behind: Store) -> None:
    async with open_store(f"http://127.0.0.1:{wire.port}") as store:
        server = await serve(store, registration())
        run = await server.ask()
        ids = [server.deployment.id]
        wire.break_after(10, "reset")

        claim_id = uuid4()
        with pytest.raises(StoreUnavailable):
            await store.claim(server.id, ids, limit=5, now=NOW, transition_id=claim_id)
        assert (await behind.run(str(run.id))).epoch == 1, "it was carried out"
        wire.mend()
        again = await store.claim(server.id, ids, limit=5, now=NOW, transition_id=claim_id)

    assert [(one.id, one.epoch) for one in again.runs] == [(run.id, 1)]


@pytest.mark.parametrize("how", ["cut", "reset", "half-close"])
async def test_a_reply_that_is_lost_once_is_asked_for_again_by_itself(
    wire: FaultyWire, behind: Store, how: Any
) -> None:
    async with open_store(f"http://127.0.0.1:{wire.port}") as store:
        server = await serve(store, registration())
        await server.ask()
        run = await server.start_one()
        wire.break_after(20, how)

        async with anyio.create_task_group() as tasks:

            async def mend() -> None:
                while not wire.broke:  # noqa: ASYNC110 - of another thread
                    await anyio.sleep(0.005)
                wire.mend()

            tasks.start_soon(mend)
            ended = await end(store, run, transition_id=uuid4())

    assert ended == await behind.run(str(run.id))
    assert [step.state.value for step in await behind.transitions(run.id)].count("completed") == 1


async def test_what_may_not_be_done_twice_is_not_repeated(wire: FaultyWire, behind: Store) -> None:
    async with open_store(f"http://127.0.0.1:{wire.port}") as store:
        server = await serve(store, registration())
        wire.break_after(10, "reset")
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await server.ask()
    assert len(await behind.runs()) == 1


async def test_a_change_while_the_wire_was_cut_wakes_once_it_is_mended(
    wire: FaultyWire, behind: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_AGAIN_AFTER", timedelta(milliseconds=20))
    async with open_store(f"http://127.0.0.1:{wire.port}") as store:
        server = await serve(store, registration())
        async with store.changes(WORK) as ear:
            wire.break_after(0, "reset")
            await Server(behind, server.id, server.deployments).ask()
            assert not await ear.wait(timedelta(milliseconds=100))
            wire.mend()
            assert await ear.wait(GENEROUS)
            assert not await ear.wait(timedelta(milliseconds=100))


async def test_a_server_that_is_another_one_by_now_wakes_once(
    wire: FaultyWire, behind: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_AGAIN_AFTER", timedelta(milliseconds=20))
    url = f"http://127.0.0.1:{wire.port}"
    async with served(behind) as another, open_store(url) as store, store.changes(WORK) as ear:
        wire.upstream = int(another.url.rpartition(":")[2])
        wire.break_after(0, "reset")
        # The poll is open at the first one: what that says now breaks it.
        await (await serve(behind, registration())).ask()
        wire.mend()
        assert await ear.wait(GENEROUS)
        assert not await ear.wait(timedelta(milliseconds=100))


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str]) -> Iterator[str]:
    """Something at an address that answers everything in one way."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    other = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{other.server_address[1]}"
    finally:
        other.shutdown()
        other.server_close()
        thread.join()


OURS = {VERSION_HEADER: OUR_VERSION}


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "said"),
    [
        (200, b"<html>", {}, StoreError, "is no flowsource server: it answered with status 200"),
        (404, b"", {}, StoreError, "is no flowsource server"),
        (302, b"", {"location": "http://127.0.0.1:1/"}, StoreError, "is no flowsource server"),
        (502, b"<html>", {}, StoreUnavailable, r"is not well \(status 502\)"),
        (404, b"{}", {VERSION_HEADER: "0.0.1"}, StoreVersionMismatch, "is flowsource 0.0.1, this is"),
        (401, b"{}", OURS, NotAuthenticated, "wants another token"),
        (200, b"[" * 100_000, OURS, StoreError, "gave status 200"),
        (200, b'{"result": [' + b"[]," * 3_000_000 + b"[]]}", OURS, StoreError, "gave status 200"),
    ],
)
async def test_what_is_no_server_of_ours_is_told_in_one_sentence(
    status: int, body: bytes, headers: dict[str, str], kind: type[StoreError], said: str
) -> None:
    with answering(status, body, headers) as url, pytest.raises(kind, match=said):
        await open_store(url).__aenter__()


async def test_nobody_at_the_address_is_told_as_that() -> None:
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:9 does not answer"):
        await open_store("http://127.0.0.1:9").__aenter__()


async def test_a_server_that_lies_about_a_type_is_not_believed(server: Served) -> None:
    body = json.dumps({"result": [{"id": 1}]}).encode()
    with answering(200, body, OURS) as url:
        async with open_store(url) as store:
            with pytest.raises(StoreUnavailable, match="that nobody understands"):
                await store.deployments()


async def test_a_token_that_is_revoked_is_told_as_that_and_mended_by_another(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(await server.token("one", "viewer"))
    monkeypatch.delenv(TOKEN)
    monkeypatch.setenv(TOKEN_FILE, str(file))
    async with open_store(server.url) as store:
        await store.deployments()
        await server.store.revoke_token("one", now=NOW)
        with pytest.raises(NotAuthenticated, match="has expired or was revoked"):
            await store.deployments()
        file.unlink()
        with pytest.raises(NotAuthenticated, match="cannot be read"):
            await store.deployments()
        file.write_text(await server.token("two", "viewer"))
        await store.deployments()


async def test_without_a_token_nothing_is_opened(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN)
    with pytest.raises(NotAuthenticated, match="FLOWSOURCE_TOKEN_FILE"):
        await open_store(server.url).__aenter__()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://ada:hunter2@example.org", "has a name or a password in it"),
        ("https://hunter2@example.org", "has a name or a password in it"),
        ("http://example.org", "plain http"),
        ("http://127.0.0.1.example.org", "plain http"),
        ("https://", "names no host"),
        ("https://example.org/?token=hunter2", "more than a path"),
        ("https://[hunter2", "malformed"),
        ("https://example.org:hunter2", "malformed"),
    ],
)
def test_an_address_that_must_not_be_used_is_refused_without_repeating_it(address: str, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why) as caught:
        server_url(address)
    assert "hunter2" not in str(caught.value)


def test_plain_http_is_for_this_machine_unless_it_is_allowed() -> None:
    for host in ("localhost", "127.0.0.1:8787", "[::1]:8787"):
        assert server_url(f"http://{host}/") == f"http://{host}"
    assert server_url("http://example.org/flows/", allow_http=True) == "http://example.org/flows"


def test_a_token_is_taken_from_its_variable_or_its_file_and_shown_in_no_text(tmp_path: Path) -> None:
    secret = new_secret()
    (tmp_path / "token").write_text(f"{secret}\n")
    by_file = ServerAccess({TOKEN_FILE: str(tmp_path / "token")})

    assert ServerAccess({TOKEN: secret}).token == secret
    assert by_file.token == secret
    assert ServerAccess({}).token is None
    assert secret not in repr(ServerAccess({TOKEN: secret}))
    with pytest.raises(InvalidSettings) as caught:
        _ = ServerAccess({TOKEN: "hunter2"}).token
    assert "hunter2" not in str(caught.value)


def test_a_file_of_certificates_is_looked_at_before_it_is_used(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="is not a file"):
        _ = ServerAccess({"FLOWSOURCE_CA_FILE": str(tmp_path / "none")}).ca_file


async def test_a_server_is_believed_by_its_certificate_alone(
    behind: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trustme

    from flowsource.server.options import ServerOptions
    from flowsource.server.serving import serve_store
    from tests.server.serving import make_token
    from tests.support.waiting import until

    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv(TOKEN, await make_token(behind, "anna", "viewer"))
    found: list[str] = []
    stopping = anyio.Event()
    options = ServerOptions(port=0, certificate=tmp_path / "server.pem", key=tmp_path / "server.pem")
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await serve_store(behind, options, on_ready=found.append, stopping=stopping)

        tasks.start_soon(run)
        await until(lambda: bool(found))
        url = found[0].replace("127.0.0.1", "localhost")
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await open_store(url).__aenter__()
        monkeypatch.setenv("FLOWSOURCE_CA_FILE", str(tmp_path / "ca.pem"))
        async with open_store(url) as store:
            assert await store.deployments() == []
        stopping.set()


@pytest.mark.parametrize("bytes_at_once", [1, 1 << 20])
async def test_an_answer_without_an_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, bytes_at_once: int) -> None:
    monkeypatch.setattr(wire_module, "_WHOLE", timedelta(milliseconds=300))
    monkeypatch.setattr(wire_module, "LARGEST_ANSWER", 3 << 20)
    ended = Event()

    def parts() -> Iterator[bytes]:
        while not ended.is_set():
            yield b" " * bytes_at_once
            ended.wait(0.02 if bytes_at_once == 1 else 0)

    with http_way(0, lambda _request, _ask: Answer(200, [], parts())) as url:
        async with Wire(url, ServerAccess({})) as wire:
            with pytest.raises(StoreUnavailable, match=r"the end of its answer|more than anything of ours"):
                await wire.post("/", b"", patience=timedelta(milliseconds=200), headers={})
        ended.set()


async def test_cookies_are_not_kept_and_nothing_is_unpacked() -> None:
    seen: list[Mapping[str, str]] = []
    packed = gzip.compress(bytes(1 << 20))

    def pass_on(request: Request, _: Ask) -> Answer:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return Answer(200, [("Set-Cookie", "a=1; Path=/"), ("Content-Encoding", "gzip")], packed)

    with http_way(0, pass_on) as url:
        async with Wire(url, ServerAccess({})) as wire:
            for _ in range(2):
                answer = await wire.post("/", b"", patience=GENEROUS, headers={})
                assert answer.body == packed
    assert [(one["accept-encoding"], one.get("cookie")) for one in seen] == [("identity", None)] * 2
