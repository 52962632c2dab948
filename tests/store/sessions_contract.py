"""What every store promises about browsers that come in with a token."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from flowsource.errors import NotFound
from flowsource.store.protocol import Store
from flowsource.tokens import Token, digest_of
from tests.store.words import HOUR, MINUTE, NOW

ANNAS = Token(id=uuid4(), name="anna", scopes=("operator",), created_at=NOW, expires_at=NOW + 10 * HOUR)
LINK, COOKIE = digest_of("a link"), digest_of("a cookie")


async def came_in(store: Store, *, until: timedelta = HOUR) -> None:
    """A browser has come in with the token of Anna."""
    await store.create_token(ANNAS, digest_of("anna's"))
    await store.create_login_link(LINK, ANNAS.id, until=NOW + MINUTE, now=NOW)
    assert await store.begin_session(LINK, COOKIE, until=NOW + until, now=NOW) == ANNAS


class SessionsContract:
    async def test_a_link_begins_one_session_with_its_token(self, store: Store) -> None:
        await came_in(store)

        assert await store.begin_session(LINK, digest_of("another"), until=NOW + HOUR, now=NOW) is None
        found = await store.use_session(COOKIE, until=NOW + HOUR, now=NOW)
        assert found is not None
        assert (found.id, found.name, found.scopes) == (ANNAS.id, "anna", ("operator",))
        assert await store.use_session(digest_of("another"), until=NOW + HOUR, now=NOW) is None

    async def test_a_link_that_is_too_old_begins_nothing_and_is_used_up(self, store: Store) -> None:
        await store.create_token(ANNAS, digest_of("anna's"))
        await store.create_login_link(LINK, ANNAS.id, until=NOW + MINUTE, now=NOW)

        assert await store.begin_session(LINK, COOKIE, until=NOW + HOUR, now=NOW + MINUTE) is None
        assert await store.begin_session(LINK, COOKIE, until=NOW + HOUR, now=NOW) is None
        assert await store.use_session(COOKIE, until=NOW + HOUR, now=NOW) is None

    async def test_a_session_lasts_as_long_as_it_is_used(self, store: Store) -> None:
        await came_in(store)

        for hour in range(1, 4):
            just_before = NOW + hour * HOUR - MINUTE
            assert await store.use_session(COOKIE, until=just_before + HOUR + MINUTE, now=just_before) is not None
        assert await store.use_session(COOKIE, until=NOW + 9 * HOUR, now=NOW + 4 * HOUR) is None

    async def test_the_use_of_a_session_is_a_use_of_its_token(self, store: Store) -> None:
        await came_in(store)

        await store.use_session(COOKIE, until=NOW + 2 * HOUR, now=NOW + MINUTE)

        assert [one.used_at for one in await store.tokens() if one.id == ANNAS.id] == [NOW + MINUTE]

    async def test_a_session_is_over_with_its_token(self, store: Store) -> None:
        await came_in(store, until=20 * HOUR)

        at_the_end = NOW + 10 * HOUR
        assert await store.use_session(COOKIE, until=at_the_end, now=at_the_end - MINUTE) is not None
        assert await store.use_session(COOKIE, until=at_the_end, now=at_the_end) is None
        await store.revoke_token("anna", now=NOW)
        assert await store.use_session(COOKIE, until=NOW + HOUR, now=NOW) is None

    async def test_a_link_of_a_token_that_counts_no_more_begins_nothing(self, store: Store) -> None:
        await store.create_token(ANNAS, digest_of("anna's"))
        await store.create_login_link(LINK, ANNAS.id, until=NOW + MINUTE, now=NOW)
        await store.revoke_token("anna", now=NOW)

        assert await store.begin_session(LINK, COOKIE, until=NOW + HOUR, now=NOW) is None
        with pytest.raises(NotFound):
            await store.create_login_link(digest_of("of none"), uuid4(), until=NOW + HOUR, now=NOW)

    async def test_a_session_can_be_ended(self, store: Store) -> None:
        await came_in(store)

        await store.end_session(COOKIE)
        await store.end_session(COOKIE)

        assert await store.use_session(COOKIE, until=NOW + HOUR, now=NOW) is None
