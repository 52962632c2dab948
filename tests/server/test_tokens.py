"""Tokens over the API: made once, listed, revoked, by administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flowsource.server.api import models
from tests.server.serving import Served
from tests.server.shapes import is_as
from tests.server.test_lists import all_of
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    shown = {"authorization": f"Bearer {server.secret}"}
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", headers=shown, timeout=PATIENCE) as client:
        yield client


async def test_a_token_is_made_used_and_revoked(admin: httpx.AsyncClient, server: Served) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    # A name may have what divides paths.
    asked = {"name": "team/ci ?", "scopes": ["viewer", "runner"], "expires_at": until}
    made = await admin.post("/tokens", json=asked)
    again = await admin.post("/tokens", json=asked)
    shown = {"authorization": f"Bearer {made.json()['secret']}"}
    me = await admin.get("/me", headers=shown)
    listed = await all_of(admin, "/tokens", limit=1)
    revoked = await admin.delete("/tokens/team%2Fci%20%3F")

    assert (made.status_code, again.status_code) == (201, 409)
    assert is_as(models.NewToken, made.json())
    assert (me.json()["name"], me.json()["scopes"]) == ("team/ci ?", ["viewer", "runner"])
    assert [one["name"] for one in listed][-1] == "team/ci ?"
    assert all(is_as(models.Token, one) for one in (*listed, revoked.json()))
    assert revoked.json()["revoked_at"] is not None
    assert (await admin.get("/me", headers=shown)).status_code == 401
    assert (await admin.delete("/tokens/team%2Fci%20%3F")).status_code == 404
    assert made.json()["secret"] not in (await admin.get("/tokens")).text


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a"},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "", "scopes": ["viewer"]},
        {"name": "a\nb", "scopes": ["viewer"]},
        {"name": "a", "scopes": ["viewer"], "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "a", "scopes": ["viewer"], "secret": "fs_mine"},
    ],
)
async def test_what_cannot_be_a_token_is_refused(admin: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await admin.post("/tokens", json=body)).status_code == 422
    assert len(await all_of(admin, "/tokens")) == 1
