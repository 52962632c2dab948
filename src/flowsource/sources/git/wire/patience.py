"""How long a server may keep us waiting for an answer, and how much it may say beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from flowsource.errors import SourceInvalid, SourceUnavailable
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.limits import LONGEST_TALK

# A thread that is to end is not waited for longer than this.
_GLANCE: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server may keep us waiting, in seconds.

    For a connection to one of its addresses, for the head of an answer from when it was asked for, and for the next
    bytes of its body. An answer that is not finished must bring `slowest` bytes a second, over any time of `stall`. Of
    one that brings objects nothing else counts, over any time of `prepare`: they have to be put together first.
    """

    connect: float = 5.0
    head: float = 30.0
    stall: float = 30.0
    slowest: float = 100.0
    prepare: float = 300.0


class Waiting:
    """The waiting for one answer of the server at `where`. It raises SourceError when that has to end."""

    def __init__(self, where: str, patience: Patience, checkpoint: Checkpoint) -> None:
        self._where, self._patience, self._checkpoint = where, patience, checkpoint
        self._head_by: float | None = time.monotonic() + patience.head
        # The time that the pace is judged over, from when, and what arrived in it.
        self._window, self._began, self._paced = patience.stall, 0.0, 0
        self._brings_objects = False
        self._said = 0

    def glance(self, silent_since: float) -> float:
        """Seconds to wait for the next bytes before asking again, when there were none since that monotonic time."""
        self._checkpoint()
        now = time.monotonic()
        if self._head_by is not None and now >= self._head_by:
            raise SourceUnavailable(f"{self._where} did not begin to answer within {self._patience.head:g} s.")
        if now >= silent_since + self._patience.stall:
            raise SourceUnavailable(f"{self._where} sent nothing for {self._patience.stall:g} s.")
        return min(_GLANCE, silent_since + self._patience.stall - now, (self._head_by or float("inf")) - now)

    def head_is_there(self) -> None:
        """Go on to wait for the body."""
        self._head_by, self._began = None, time.monotonic()

    def end(self) -> None:
        """Take note that the server has hung up. Else half a head would be taken for all of it, and believed."""
        if self._head_by is not None:
            raise SourceUnavailable(f"{self._where} hung up before it had begun to answer.")

    def objects_are_to_come(self) -> None:
        """Let nothing but what `count_objects` is told count for the pace."""
        self._brings_objects, self._window = True, self._patience.prepare

    def count(self, received: int) -> None:
        """Take note of bytes that arrived, whatever they are."""
        self._said += received
        if self._said > LONGEST_TALK:
            raise SourceInvalid(
                f"{self._where} says more than the {LONGEST_TALK >> 20} MiB that are listened to; "
                "check the URL, or remove refs from the repository."
            )
        if self._head_by is None:
            self._paced += 0 if self._brings_objects else received
            self._check_pace()

    def count_objects(self, received: int) -> None:
        """Take note that bytes which arrived were those of objects. How many there may be is not judged here."""
        self._said -= received
        self._paced += received

    def _check_pace(self) -> None:
        now = time.monotonic()
        lasted = now - self._began
        if lasted < self._window:
            return
        if self._paced < self._patience.slowest * lasted:
            raise SourceUnavailable(f"{self._where} answers too slowly to ever be done.")
        self._began, self._paced = now, 0
