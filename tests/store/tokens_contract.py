"""What every store promises about tokens, and about what belongs to them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import anyio
import pytest

from flowsource.errors import InConflict, NotAllowed, NotFound
from flowsource.runs import Run
from flowsource.store.protocol import Store
from flowsource.store.values import Things
from flowsource.tokens import Token, digest_of
from tests.store.words import FIRST, HOUR, MINUTE, NOW, Server, registration, serve

FOR_RUNNERS = Token(id=uuid4(), name="fleet", scopes=("runner",), created_at=NOW)
ONE = digest_of("one")


class TokensContract:
    async def test_a_token_is_known_by_its_digest_and_its_use_is_noted(self, store: Store) -> None:
        await store.create_token(FOR_RUNNERS, ONE)

        assert await store.use_token(ONE, now=NOW + HOUR) == FOR_RUNNERS
        assert await store.use_token(digest_of("another"), now=NOW) is None
        [kept] = [token for token in await store.tokens() if token.id == FOR_RUNNERS.id]
        assert kept.used_at == NOW + HOUR

    async def test_a_token_that_was_revoked_or_has_expired_counts_no_more(self, store: Store) -> None:
        brief = Token(id=uuid4(), name="brief", scopes=("viewer",), created_at=NOW, expires_at=NOW + MINUTE)
        await store.create_token(FOR_RUNNERS, ONE)
        await store.create_token(brief, digest_of("brief"))

        revoked = await store.revoke_token("fleet", now=NOW + MINUTE)

        assert revoked.revoked_at == NOW + MINUTE
        assert await store.use_token(ONE, now=NOW + MINUTE) is None
        assert await store.use_token(digest_of("brief"), now=NOW + MINUTE - timedelta(seconds=1)) is not None
        assert await store.use_token(digest_of("brief"), now=NOW + MINUTE) is None
        with pytest.raises(NotFound, match="no token 'fleet'"):
            await store.revoke_token("fleet", now=NOW)

    async def test_a_name_is_free_again_once_its_token_counts_no_more(self, store: Store) -> None:
        await store.create_token(FOR_RUNNERS, ONE)
        another = Token(id=uuid4(), name="fleet", scopes=("viewer",), created_at=NOW, expires_at=NOW + MINUTE)
        with pytest.raises(InConflict, match="there is a token 'fleet'"):
            await store.create_token(another, digest_of("two"))

        await store.revoke_token("fleet", now=NOW)
        await store.create_token(another, digest_of("two"))
        third = Token(id=uuid4(), name="fleet", scopes=("viewer",), created_at=NOW + HOUR)
        await store.create_token(third, digest_of("three"))

        of_that_name = [token for token in await store.tokens() if token.name == "fleet"]
        assert [token.is_good(NOW + HOUR) for token in of_that_name] == [False, False, True]

    async def test_of_several_made_at_once_by_one_name_one_counts_and_the_others_are_refused(
        self, store: Store
    ) -> None:
        outcomes = Counter[str]()

        async def make(name: str, which: int) -> None:
            token = Token(id=uuid4(), name=name, scopes=("viewer",), created_at=NOW)
            try:
                await store.create_token(token, digest_of(f"{name} {which}"))
            except InConflict:
                outcomes["refused"] += 1
            else:
                outcomes["made"] += 1

        for number in range(20):
            async with anyio.create_task_group() as tasks:
                for which in range(4):
                    tasks.start_soon(make, f"token {number}", which)

        assert outcomes == {"made": 20, "refused": 60}

    async def test_what_is_registered_with_a_token_is_its_own_and_nobody_elses(self, store: Store) -> None:
        server = await serve(store, registration("daily", source_key="mine"), owner="fleet")
        run = await server.ask()
        local = await serve(store, registration("hourly"))
        ours = Things(
            runners=(server.id, uuid4()), deployments=(server.deployment.id, uuid4()), runs=(run.id,), sources=("mine",)
        )

        assert await store.not_owned("fleet", ours) == Things()
        of_nobody = Things(deployments=(local.deployment.id,), runners=(local.id,))
        assert await store.not_owned("fleet", of_nobody) == of_nobody
        assert await store.not_owned("another", ours) == Things(
            runners=(server.id,), deployments=(server.deployment.id,), runs=(run.id,), sources=("mine",)
        )

    async def test_a_token_takes_over_nothing_that_is_there(self, store: Store) -> None:
        await serve(store, registration("hourly"))
        server = await serve(store, registration("daily"), owner="fleet")

        for name, runner_id in (("hourly", uuid4()), ("daily", uuid4()), ("new", server.id)):
            with pytest.raises(NotAllowed):
                await store.register(
                    runner_id, [registration(name)], lease_until=NOW + MINUTE, now=NOW, owner="another"
                )
        again = await store.register(uuid4(), [registration("daily")], lease_until=NOW, now=NOW, owner="fleet")
        assert again == list(server.deployments)
        assert {deployment.active for deployment in await store.deployments()} == {FIRST}

    async def test_what_has_an_owner_keeps_it_when_it_is_served_beside_the_store(self, store: Store) -> None:
        server = await serve(store, registration(), owner="fleet")
        await serve(store, registration())

        assert await store.not_owned("fleet", Things(deployments=(server.deployment.id,))) == Things()

    async def test_a_claim_of_which_the_reply_was_lost_gives_the_same_runs_again(self, store: Store) -> None:
        server = await serve(store, registration())
        for _ in range(3):
            await server.ask()
        claim_id = uuid4()

        first = await self._claim(server, claim_id)
        again = await self._claim(server, claim_id)

        assert first == again
        assert len(first) == 2
        assert len(await self._claim(server, uuid4(), after=claim_id)) == 1

    async def test_a_claim_that_comes_late_takes_no_runs_of_which_nobody_hears(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        first, second = uuid4(), uuid4()
        [run] = await self._claim(server, first)
        await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())
        later = await server.ask()

        assert await self._claim(server, first) == [], "it was answered, and its run has begun"
        assert [one.id for one in await self._claim(server, second, after=first)] == [later.id]

    async def test_what_a_claim_took_that_came_late_is_given_to_the_next(self, store: Store) -> None:
        server = await serve(store, registration())
        late, following = uuid4(), uuid4()
        assert await self._claim(server, late) == []
        run = await server.ask()
        assert [one.id for one in await self._claim(server, late)] == [run.id], "nobody hears of this one"
        await server.ask()

        ids = [one.id for one in server.deployments]
        claimed = await store.claim(server.id, ids, limit=2, now=NOW, transition_id=following)
        assert ([one.id for one in claimed.runs], claimed.last) == ([run.id], late)
        assert len(await self._claim(server, following, after=late)) == 1

    async def test_a_run_that_began_is_not_given_again(self, store: Store) -> None:
        server = await serve(store, registration())
        await server.ask()
        claim_id = uuid4()
        [run] = await self._claim(server, claim_id)
        await store.start(run.id, run.epoch, at=NOW, transition_id=uuid4())

        assert await self._claim(server, claim_id) == []

    async def _claim(self, server: Server, claim_id: UUID, *, after: UUID | None = None) -> list[Run]:
        ids = [one.id for one in server.deployments]
        claimed = await server.store.claim(server.id, ids, limit=2, now=NOW, transition_id=claim_id, after=after)
        return list(claimed.runs)
