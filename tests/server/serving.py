"""A server on this machine for a test, over any store, with a token that may do everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio

from flowsource.server.options import ServerOptions
from flowsource.server.serving import serve_store
from flowsource.store.protocol import Store
from flowsource.tokens import Scope, Token, digest_of, new_secret
from tests.support.waiting import until


@dataclass(frozen=True)
class Served:
    """Where the server is, the store that it serves, and the secret of an administrator."""

    url: str
    store: Store
    secret: str

    async def token(self, name: str, *scopes: Scope, expires_in: timedelta | None = None) -> str:
        """The secret of a new token."""
        return await make_token(self.store, name, *scopes, expires_in=expires_in)


async def make_token(store: Store, name: str, *scopes: Scope, expires_in: timedelta | None = None) -> str:
    """The secret of a new token in `store`."""
    secret, now = new_secret(), datetime.now(UTC)
    expires_at = now + expires_in if expires_in is not None else None
    token = Token(id=uuid4(), name=name, scopes=scopes, created_at=now, expires_at=expires_at)
    await store.create_token(token, digest_of(secret))
    return secret


@asynccontextmanager
async def served(store: Store) -> AsyncIterator[Served]:
    """Serve `store` while the context is open."""
    secret = await make_token(store, f"test-{uuid4()}", "admin")
    addresses: list[str] = []
    stopping = anyio.Event()
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            options = ServerOptions(host="127.0.0.1", port=0)
            await serve_store(store, options, on_ready=addresses.append, stopping=stopping)

        tasks.start_soon(serve)
        await until(lambda: bool(addresses))
        yield Served(addresses[0], store, secret)
        stopping.set()
