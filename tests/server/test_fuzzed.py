"""The whole API asked with what its document lets in, and with what it does not: it answers as the document says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_type_hints

import httpx
import pytest
import requests
import schemathesis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks

from flowsource.server.app import document_of
from flowsource.server.guard import Guard
from flowsource.store import open_store
from flowsource.store.http.calls import CALLS
from flowsource.store.http.client import DIGEST_HEADER, DOOR
from flowsource.store.protocol import Store
from tests.fire.length import rounds
from tests.server.routes import app
from tests.server.serving import make_token
from tests.store.test_http_codec import values_of
from tests.store.words import HOURLY, end, lines, registration, serve

# Streams do not end; they have tests of their own.
SCHEMA = schemathesis.openapi.from_dict(document_of(app())).exclude(path_regex="/streams/")
OPERATIONS: list[Any] = [cast("Any", one).ok() for one in SCHEMA.get_all_operations()]
EXAMPLES = rounds("requests of each operation of the API", short=6, full=300)
# What fails is told as it was found: to make it smaller would take longer than all the rest.
FEW = settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    checks.not_a_server_error,
    checks.CHECKS.get_one("status_code_conformance"),
    checks.CHECKS.get_one("content_type_conformance"),
    checks.CHECKS.get_one("response_headers_conformance"),
    checks.CHECKS.get_one("response_schema_conformance"),
]


BODIES = [b"", b"{", b"[]", b"null", b'{"limit": 1e999}', b"\xff\xfe", b"[" * 100_000, b'"\\ud800"']


@dataclass(frozen=True)
class Asked:
    """The application in a thread of its own, with what there is to be asked about in the place of what varies."""

    portal: BlockingPortal
    client: httpx.AsyncClient
    known: dict[str, Any]
    here: dict[str, Any]

    def ask(self, request: requests.PreparedRequest) -> httpx.Response:
        """The answer to a request, as it is on its way."""
        assert request.url is not None
        assert request.method is not None
        content: Any = request.body.encode() if isinstance(request.body, str) else request.body
        headers: Any = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        headers["authorization"] = self.client.headers["authorization"]
        made = self.client.build_request(request.method, request.url, headers=headers, content=content)
        return self.portal.call(self.client.send, made)


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, Any], dict[str, Any]]]:
    async with open_store(f"sqlite:///{directory / 'flowsource.db'}") as store:
        server = await serve(store, registration(schedules=(HOURLY,)))
        await server.ask()
        run = await server.start_one()
        await store.append_lines(run.id, lines(1, 2, 3))
        await end(store, run)
        [schedule] = await store.schedules([server.deployment.id])
        known = {
            "flow": "etl",
            "name": "nightly",
            "run_id": str(run.id),
            "key": schedule.key,
            "seq": (await store.newest_events(limit=1))[0].seq,
        }
        shown = {"authorization": f"Bearer {await make_token(store, 'fuzz', 'admin')}"}
        transport = httpx.ASGITransport(app=Guard(app(store)), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=shown) as client:
            here = {"run_id": run.id, "deployment_id": server.deployment.id, "runner_id": server.id, "run": str(run.id)}
            yield client, known, {**here, "key": schedule.key, "deployment_ids": [server.deployment.id]}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    directory = tmp_path_factory.mktemp("fuzzed")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(opened(directory)) as (client, known, here),
    ):
        yield Asked(portal, client, known, here)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_an_operation_answers_as_the_document_says(operation: Any, asked: Asked) -> None:
    @FEW
    @given(case=operation.as_strategy(), of_what_is_there=st.booleans())
    def ask(case: Any, of_what_is_there: bool) -> None:
        if of_what_is_there and case.path_parameters:
            there = {name: value for name, value in asked.known.items() if name in case.path_parameters}
            case.path_parameters = {**case.path_parameters, **there}
        request = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
        case.validate_response(asked.ask(request), checks=CHECKS)

    ask()


@pytest.mark.parametrize("name", CALLS)
def test_a_method_of_the_store_is_asked_with_whatever_it_takes(name: str, asked: Asked) -> None:
    call, hints = CALLS[name], get_type_hints(getattr(Store, name))

    @FEW
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        arguments = {parameter: data.draw(values_of(hints[parameter]), label=parameter) for parameter in call.takes}
        for parameter in sorted(arguments.keys() & asked.here.keys()):
            if data.draw(st.booleans()):
                arguments[parameter] = asked.here[parameter]
        body = json.dumps(call.encode_arguments(**arguments)).encode()
        headers = {DIGEST_HEADER: call.digest, "content-type": "application/json"}
        made = asked.client.build_request("POST", f"{DOOR}/{name}", content=body, headers=headers)
        answer = asked.portal.call(asked.client.send, made)
        assert answer.status_code < 500, answer.text

    ask()


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:9]))
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
def test_whatever_is_in_a_body_is_answered(asked: Asked, body: bytes, kind: str) -> None:
    for path in ("/api/v1/runs/cancel", "/api/v1/tokens", "/api/v1/events", "/api/store/find_runs", "/session/links"):
        headers = {"content-type": kind}
        made = asked.client.build_request("POST", path, content=body, headers=headers)
        answer = asked.portal.call(asked.client.send, made)
        assert answer.status_code < 500, (path, answer.text)


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", b"Bearer \xff")],
        [("authorization", b"")],
        [("cookie", b"flowsource=\xff; ;=;")],
        [("host", b"[::1")],
        [("host", b"\xff")],
        [("origin", b"http://[")],
        [("origin", b"\xff")],
        [("content-length", b"x")],
        [("content-length", b"-1")],
        [("content-length", b"9" * 5000)],
        [("idempotency-key", b"\xff\xff")],
        [("last-event-id", b"\xff")],
    ],
    ids=lambda headers: f"{headers[0][0]}={headers[0][1][:12]!r}",
)
def test_whatever_is_in_a_header_is_answered(asked: Asked, headers: list[tuple[str, bytes]]) -> None:
    for method, path in (("GET", "/api/v1/runs"), ("POST", f"/api/v1/runs/{asked.known['run_id']}/rerun")):
        content = b"{}" if method == "POST" else None
        made = asked.client.build_request(method, path, content=content, headers={"content-type": "application/json"})
        kept = [(name, value) for name, value in made.headers.raw if name.decode().lower() != headers[0][0]]
        made.headers = httpx.Headers([*kept, *((name.encode(), value) for name, value in headers)])
        answer = asked.portal.call(asked.client.send, made)
        assert answer.status_code < 500, (path, answer.text)
