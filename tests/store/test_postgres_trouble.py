"""PostgreSQL that goes away, comes back, says nothing or refuses: told within a deadline, and nothing done twice."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from select import select
from threading import Barrier
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import psycopg
import pytest
from sqlalchemy import Connection, bindparam, text, update

from flowsource.errors import DeploymentNotFound, InvalidSettings, StoreError, StoreUnavailable
from flowsource.runs import RunState
from flowsource.store import open_store
from flowsource.store.postgres import connecting, database
from flowsource.store.protocol import Store
from flowsource.store.tables import runs
from flowsource.store.values import WORK, NewRun, about
from tests.store.words import GENEROUS, NOW, end, lines, registration, serve, start
from tests.support.postgres import PASSWORD, PostgresServer, postgres_server
from tests.support.postgres_proxy import LossyWay, lossy_way
from tests.support.waiting import PATIENCE, until_so

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(postgres_address: str) -> AsyncIterator[Store]:
    async with open_store(postgres_address) as store:
        yield store


@pytest.fixture
def way(postgres_address: str) -> Iterator[tuple[LossyWay, str]]:
    with lossy_way(postgres_address) as way:
        yield way


@pytest.fixture(scope="module")
def ours() -> Iterator[PostgresServer]:
    """A server that a test may stop, if it starts it again."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def our_address(ours: PostgresServer) -> Iterator[str]:
    with ours.database() as address:
        yield address


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_a_claim_whose_answer_is_lost_is_made_once_and_answered(way: tuple[LossyWay, str], lost: str) -> None:
    proxy, address = way
    async with open_store(address) as store:
        server = await serve(store, registration())
        asked = [await server.ask() for _ in range(3)]
        proxy.lost = "request" if lost == "request" else "answer"
        claimed = await server.claim()
        assert proxy.happened == 1
        assert {(run.id, run.epoch) for run in claimed} == {(run.id, 1) for run in asked}
        assert {(run.state, run.epoch) for run in await store.runs()} == {(RunState.CLAIMED, 1)}
        for run in claimed:
            await end(store, await start(store, run))


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_a_run_whose_answer_is_lost_is_created_once(way: tuple[LossyWay, str], lost: str) -> None:
    proxy, address = way
    async with open_store(address) as store:
        server = await serve(store, registration())
        proxy.lost = "request" if lost == "request" else "answer"
        asked = await server.ask()
        assert proxy.happened == 1
        assert [run.id for run in await store.runs()] == [asked.id]


async def test_a_hint_whose_answer_is_lost_is_not_told_as_given(way: tuple[LossyWay, str]) -> None:
    proxy, address = way
    async with open_store(address) as store:
        await store.hint_sources(["a"])
        proxy.lost = "request"
        with pytest.raises(StoreUnavailable):
            await store.hint_sources(["a"])
        assert [wish.hints for wish in await store.source_wishes(["a"])] == [1]


async def test_a_server_that_was_started_anew_is_used_as_if_nothing_had_been(
    ours: PostgresServer, our_address: str
) -> None:
    async with open_store(our_address) as store:
        server = await serve(store, registration())
        run = await server.ask()
        for number in (signal.SIGINT, signal.SIGQUIT):
            await anyio.to_thread.run_sync(ours.stop, number)
            await anyio.to_thread.run_sync(ours.start)
            assert await store.run(str(run.id)) == run
            await store.append_lines(run.id, lines(1))
            await server.ask()
        assert len(await store.runs()) == 3


async def test_a_server_that_is_stopped_is_told_at_once_and_used_when_it_is_back(
    ours: PostgresServer, our_address: str
) -> None:
    async with open_store(our_address) as store:
        server = await serve(store, registration())
        await anyio.to_thread.run_sync(ours.stop)
        try:
            with pytest.raises(StoreUnavailable, match=r"postgresql://127\.0\.0\.1:\d+/\w+: .*PostgreSQL runs"):
                await server.ask()
            with pytest.raises(StoreUnavailable):
                await store.deployments()
            with pytest.raises(StoreUnavailable):
                await open_store(our_address).__aenter__()
        finally:
            await anyio.to_thread.run_sync(ours.start)
        await server.ask()


async def test_a_server_that_says_nothing_any_more_is_not_waited_for_for_ever(
    ours: PostgresServer, our_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_CUT_AFTER", timedelta(seconds=1))
    async with open_store(our_address) as store:
        await store.deployments()
        clients = ours.ask(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        frozen = [ours.pid, *(int(str(pid)) for (pid,) in clients)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable):
                await store.deployments()
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        await store.deployments()


async def test_a_change_that_is_stopped_half_way_holds_up_the_others_for_seconds_only(
    store: Store, postgres: PostgresServer, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(store, registration())
    foreign = psycopg.connect(postgres_address)
    try:
        foreign.execute("SET idle_in_transaction_session_timeout = 500")
        foreign.commit()
        foreign.execute(f"SELECT pg_advisory_xact_lock_shared({database.LOCK})".encode())
        await store.set_paused(server.deployment.id, True, now=NOW)
    finally:
        foreign.close()
    assert int(connecting.SESSION["idle_in_transaction_session_timeout"]) <= 10_000


async def test_ears_are_woken_once_when_a_lost_connection_is_back(ours: PostgresServer, our_address: str) -> None:
    async with open_store(our_address) as ear_of, open_store(our_address) as other:
        server = await serve(other, registration())
        async with ear_of.changes(about(uuid4())) as unconcerned, ear_of.changes(WORK) as changes:
            await anyio.to_thread.run_sync(ours.stop)
            await anyio.to_thread.run_sync(ours.start)
            assert await unconcerned.wait(GENEROUS)
            assert await changes.wait(GENEROUS)
            await server.ask()
            assert await changes.wait(GENEROUS)
            assert not await unconcerned.wait(timedelta(milliseconds=1))


async def test_an_ear_hears_what_another_process_of_the_same_store_writes(postgres_address: str) -> None:
    async with open_store(postgres_address) as one, open_store(postgres_address) as other:
        server = await serve(other, registration())
        async with one.changes(WORK) as work, one.changes(about(uuid4())) as nothing:
            run = await server.ask()
            assert await work.wait(GENEROUS)
            async with one.changes(about(run.id)) as changes:
                await other.append_lines(run.id, lines(1))
                assert await changes.wait(GENEROUS)
            assert not await nothing.wait(timedelta(milliseconds=1))


async def test_what_is_too_much_for_one_notification_wakes_everybody(postgres_address: str) -> None:
    async with open_store(postgres_address) as one, open_store(postgres_address) as other:
        server = await serve(other, registration(schedules=()))
        asked = [await server.ask() for _ in range(150)]
        async with one.changes(about(asked[-1].id)) as changes:
            while await changes.wait(timedelta(milliseconds=50)):
                pass
            await server.claim(limit=150)
            assert await changes.wait(GENEROUS)


async def test_what_is_written_last_is_heard_although_the_writer_leaves(postgres_address: str) -> None:
    async with open_store(postgres_address) as one:
        async with open_store(postgres_address) as other:
            server = await serve(other, registration())
        async with one.changes(WORK) as changes:
            async with open_store(postgres_address) as other:
                await serve(other, registration("other"))
                again = await other.deployment("nightly")
                assert again.id == server.deployment.id
                await type(server)(other, server.id, [again]).ask()
            assert await changes.wait(GENEROUS)


async def test_a_password_is_in_no_error(postgres: PostgresServer, postgres_address: str) -> None:
    wrong = postgres_address.replace(PASSWORD, f"{PASSWORD}x")
    unreachable = postgres_address.replace("127.0.0.1:", "127.0.0.1:1")
    for address in (wrong, f"{wrong}?password={PASSWORD}y", unreachable, f"{postgres_address}?nonsense=1"):
        with pytest.raises((StoreUnavailable, InvalidSettings)) as caught:
            await open_store(address).__aenter__()
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))


async def test_values_of_rows_are_in_no_error(store: Store, postgres: PostgresServer, postgres_address: str) -> None:
    server = await serve(store, registration())
    secret = "hunter" + "2"
    postgres.ask("ALTER TABLE runs ADD CHECK (length(parameters) < 5)", postgres_address.rpartition("/")[2])
    try:
        with pytest.raises(StoreError, match="refuses") as caught:
            await server.ask(parameters={"token": secret})
        assert secret not in "".join(traceback.format_exception(caught.value))
    finally:
        postgres.ask("ALTER TABLE runs DROP CONSTRAINT runs_parameters_check", postgres_address.rpartition("/")[2])


async def test_what_is_awaited_in_a_circle_is_tried_again(store: Store, postgres_address: str) -> None:
    # Each changes the rows of two runs, in opposite orders, and the second cannot before the first has ended.
    server = await serve(store, registration())
    one, other = await server.ask(), await server.ask()
    databases = [database.PostgresDatabase(postgres_address) for _ in range(2)]
    met = Barrier(2)

    touch = update(runs).where(runs.c.id == bindparam("which")).values(name=runs.c.name)

    def touch_both(mine: int, first: UUID, second: UUID) -> None:
        is_first_try = True

        def change(connection: Connection) -> None:
            nonlocal is_first_try
            for which in (first, second):
                connection.execute(touch, {"which": which})
                if which == first and is_first_try:
                    is_first_try = False
                    met.wait(PATIENCE)

        databases[mine].write(change, durable=True)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, touch_both, 0, one.id, other.id)
            tasks.start_soon(anyio.to_thread.run_sync, touch_both, 1, other.id, one.id)
    finally:
        for opened in databases:
            opened.close()


async def test_a_run_that_is_asked_for_while_its_deployment_is_deleted_finds_none(
    store: Store, postgres_address: str
) -> None:
    server = await serve(store, registration())
    which = server.deployment.id
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async def ask() -> None:
        with pytest.raises(DeploymentNotFound):
            await store.create_run(NewRun(deployment_id=which, scheduled_at=NOW), now=NOW)

    def is_waiting() -> bool:
        with psycopg.connect(postgres_address, autocommit=True) as looking:
            return bool((looking.execute(waiting).fetchone() or (0,))[0])

    async with await psycopg.AsyncConnection.connect(postgres_address) as deleting, anyio.create_task_group() as tasks:
        await deleting.execute("SELECT 1 FROM deployments WHERE id = %s FOR UPDATE", (which,))
        tasks.start_soon(ask)
        await anyio.to_thread.run_sync(until_so, is_waiting)
        await deleting.execute("DELETE FROM deployments WHERE id = %s", (which,))
        await deleting.commit()


def stand_still(connection: Connection, address: str) -> None:
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 1"))


def terminate(connection: Connection, address: str) -> None:
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with psycopg.connect(address, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))


def read_on(connection: Connection) -> None:
    connection.execute(text("SELECT 7"))


def be_done(connection: Connection) -> None:
    pass


@pytest.mark.parametrize("then", [read_on, be_done])
@pytest.mark.parametrize("is_ended", [stand_still, terminate])
def test_a_change_whose_connection_the_server_ends_before_its_commit_is_made_again(
    postgres_address: str, is_ended: Callable[[Connection, str], None], then: Callable[[Connection], None]
) -> None:
    opened, tries = database.PostgresDatabase(postgres_address), 0

    def change(connection: Connection) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            is_ended(connection, postgres_address)
            socket = connection.connection.driver_connection.fileno()  # type: ignore[union-attr] # It is open.
            # What the server has to say of its own accord is that it is over.
            assert select([socket], [], [], GENEROUS.total_seconds())[0]
        then(connection)
        return "answer"

    try:
        assert opened.write(change, durable=True) == "answer"
    finally:
        opened.close()
    assert tries == 2
