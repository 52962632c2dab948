"""The page of tokens: for administrators, with nothing by which somebody else could come in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from flowsource.store.protocol import Store
from flowsource.tokens import Scope
from tests.server.routes import cookie_at
from tests.server.serving import Served
from tests.server.test_pages import HOSTILE, Elements
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

SHOWN = ("/tokens", "/tokens.txt", "/tokens.json")


@pytest.fixture
async def admin(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of an administrator, who came in by a link."""
    shown = {"authorization": f"Bearer {server.secret}"}
    async with httpx.AsyncClient(base_url=server.url, headers={"accept": "text/html"}, timeout=PATIENCE) as browser:
        link = await browser.post("/session/links", headers=shown)
        await browser.get(link.json()["path"])
        assert cookie_at(server.url) in browser.cookies
        yield browser


async def test_an_administrator_sees_what_each_token_may_and_whether_it_counts(
    store: Store, server: Served, admin: httpx.AsyncClient
) -> None:
    secrets = [
        await server.token("ci", "viewer", "operator"),
        await server.token("short", "runner", expires_in=timedelta(seconds=-1)),
        await server.token("gone", "runner"),
        await server.token(HOSTILE[:100], "viewer"),
    ]
    await store.revoke_token("gone", now=store.now())

    page = Elements((await admin.get("/tokens")).text)
    told = " ".join(page.text.split())
    assert "ci viewer, operator ✔ good" in told
    assert "short runner ⧗ expired" in told
    assert "gone runner ⊘ revoked" in told
    assert page.of("img") == []
    revoked_here = [button["data-post"] or "" for button in page.of("button") if "data-post" in button]
    assert "/api/v1/tokens/ci" in revoked_here
    assert not [path for path in revoked_here if path.endswith(("/gone", "/short"))]
    for path in SHOWN:
        said = (await admin.get(path)).text
        assert "ci" in said
        assert not [secret for secret in (*secrets, server.secret) if secret in said], path
    assert {one["name"] for one in (await admin.get("/tokens.json")).json()} >= {"ci", "short", "gone"}


async def test_where_there_is_one_token_the_page_has_the_command_that_makes_another(
    server: Served, admin: httpx.AsyncClient
) -> None:
    assert "<code data-copy>flowsource tokens create" in (await admin.get("/tokens")).text
    await server.token("ci", "viewer")
    assert "<code data-copy>flowsource tokens create" not in (await admin.get("/tokens")).text


@pytest.mark.parametrize("scope", ["viewer", "operator"])
async def test_the_page_is_offered_to_administrators_alone(
    server: Served, scope: Scope, admin: httpx.AsyncClient
) -> None:
    shown = {"authorization": f"Bearer {await server.token('eve', scope)}", "accept": "text/html"}
    async with httpx.AsyncClient(base_url=server.url, headers=shown, timeout=PATIENCE) as eve:
        assert "/tokens" not in [link["href"] for link in Elements((await eve.get("/")).text).of("a")]
        for path in SHOWN:
            refused = await eve.get(path)
            assert refused.status_code == 403
            assert "needs admin" in refused.text
    assert "/tokens" in [link["href"] for link in Elements((await admin.get("/")).text).of("a")]


async def test_a_page_of_somebody_else_makes_and_revokes_no_token(server: Served, admin: httpx.AsyncClient) -> None:
    await server.token("ci", "viewer")
    csrf = Elements((await admin.get("/tokens")).text)
    [known] = [one["content"] or "" for one in csrf.of("meta") if one.get("name") == "csrf"]
    asked = {"name": "theirs", "scopes": ["admin"]}

    for headers in ({}, {"x-csrf-token": "0" * 64}):
        assert (await admin.post("/api/v1/tokens", json=asked, headers=headers)).status_code == 403
        assert (await admin.delete("/api/v1/tokens/ci", headers=headers)).status_code == 403
    made = await admin.post("/api/v1/tokens", json=asked, headers={"x-csrf-token": known})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert (await admin.delete("/api/v1/tokens/ci", headers={"x-csrf-token": known})).status_code == 200
