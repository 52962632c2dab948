"""Events that nobody asks for cost nothing to whoever asks for others."""

from __future__ import annotations

from sqlalchemy import Connection

from flowsource.events import new_event
from flowsource.store import telling
from flowsource.store.sqlite import SqliteDatabase
from tests.store.test_cost import database, steps_of
from tests.store.words import NOW

__all__ = ["database"]


def tell(database: SqliteDatabase, count: int, name: str = "order.created") -> None:
    events = [new_event(name, {"n": number}, at=NOW) for number in range(count)]
    database.write(lambda connection: telling.emit(connection, events), durable=False)


def test_many_events_before_cost_nothing_to_whoever_reads_on(database: SqliteDatabase) -> None:
    def look_behind(seq: int) -> int:
        def look(connection: Connection) -> None:
            page = telling.events_after(connection, seq, names=["order.*"], limit=500)
            assert [event.payload["n"] for event in page.events] == [0]

        return steps_of(database, look)

    tell(database, 1)
    before = look_behind(0)
    tell(database, 3000)
    seq = database.read(telling.last_number)
    tell(database, 1)
    assert look_behind(seq) < 1.1 * before


def test_many_events_cost_nothing_to_whoever_looks_at_the_newest(database: SqliteDatabase) -> None:
    def look(connection: Connection) -> None:
        assert len(telling.newest_events(connection, names=(), limit=2)) == 2

    tell(database, 3)
    before = steps_of(database, look)
    tell(database, 3000)
    assert steps_of(database, look) < 1.1 * before
