"""The clock of a store that is elsewhere: ours, put right by what its answers say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time of a store that may be on another machine, to within what an answer of it takes.

    Heard of from any thread. Before anything was heard it is the clock of this machine.
    """

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The time there."""
        return datetime.now(UTC) + self._ahead

    def hear(self, said: datetime, *, asked_at: datetime) -> None:
        """It was `said` there at some moment since `asked_at`, which is a time of this machine."""
        self._ahead = nearest(self._ahead, least=said - datetime.now(UTC), most=said - asked_at)


def nearest(thought: timedelta, *, least: timedelta, most: timedelta) -> timedelta:
    """How far another clock is ahead, now that it is known to be by `least` to `most`: as near to what was `thought`
    as can be.

    So an answer that took long says little, and one that came at once much. Where our own clock was set back while
    it was under way it says nothing.

    >>> nearest(timedelta(0), least=timedelta(seconds=-1), most=timedelta(seconds=30))
    datetime.timedelta(0)
    >>> nearest(timedelta(0), least=timedelta(seconds=599), most=timedelta(seconds=600))
    datetime.timedelta(seconds=599)
    """
    return min(max(thought, least), most) if least <= most else thought
