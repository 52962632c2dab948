"""The first token: one for all servers of a store, however many of them start at once."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from flowsource.errors import InConflict
from flowsource.server.first_token import ensure_first_token
from flowsource.store.protocol import Store
from flowsource.tokens import Token, digest_of
from tests.server.serving import make_token

pytestmark = pytest.mark.anyio


class Together:
    """A store of which several look at the tokens before any of them makes one."""

    def __init__(self, store: Store, count: int) -> None:
        self._store, self._left, self._all_looked = store, count, anyio.Event()
        self.now = store.now

    async def tokens(self) -> list[Token]:
        found = await self._store.tokens()
        self._left -= 1
        if self._left == 0:
            self._all_looked.set()
        await self._all_looked.wait()
        return found

    async def create_token(self, token: Token, digest: str) -> Token:
        return await self._store.create_token(token, digest)


async def test_of_servers_that_start_at_once_one_has_the_first_token(store: Store, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}" / "server-token" for number in range(3)]
    together = Together(store, len(files))
    made: list[bool] = []

    async def begin(file: Path) -> None:
        made.append(await ensure_first_token(together, file))  # type: ignore[arg-type]  # it has all that is called

    async with anyio.create_task_group() as tasks:
        for file in files:
            tasks.start_soon(begin, file)
    assert sorted(made) == [False, False, True]
    [kept] = [file for file in files if file.exists()]
    assert await store.use_token(digest_of(kept.read_text().strip()), now=store.now()) is not None


async def test_a_token_that_has_the_name_and_not_the_power_is_no_first_token(store: Store, tmp_path: Path) -> None:
    await make_token(store, "first", "viewer")
    with pytest.raises(InConflict):
        await ensure_first_token(store, tmp_path / "server-token")
    assert not (tmp_path / "server-token").exists()
