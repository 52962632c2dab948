"""SIGTERM in a run's process: an exception, once, so that the flow can put things in order before it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from types import FrameType
from typing import Any, Final

# A signal that comes right before Python begins to wait in the kernel is heard only when that wait is over. Another one
# ends the wait: this one, which says nothing by itself, and is ignored by whoever does not listen to it.
REMINDER: Final = signal.SIGURG

_A_MOMENT = 0.01  # s


class RunCancelled(KeyboardInterrupt):
    """This run was asked to end.

    It is a KeyboardInterrupt, since that is what event loops, pools and frameworks let pass. One that dies before it
    came to a frame of the flow was dropped by Python itself, as in the destructor of a file that nobody closed: then
    `on_unheard` is called, once.
    """

    def __init__(self, message: str, on_unheard: Callable[[], None] | None = None) -> None:
        super().__init__(message)
        self._on_unheard = on_unheard

    def was_unheard(self) -> None:
        """Tell that nobody heard of it, unless that was told."""
        on_unheard, self._on_unheard = self._on_unheard, None
        if on_unheard is not None:
            on_unheard()

    def __del__(self) -> None:
        # Before 3.12 an exception learns of its traceback only where it is caught.
        if self.__traceback__ is None or self.__traceback__.tb_frame.f_code.co_filename == __file__:
            self.was_unheard()


class Termination:
    """What a run's process does about SIGTERM: the first one raises RunCancelled in the flow (an async one is
    cancelled), and a second one ends the process as ever. To be made in the main thread, where signals are heard."""

    def __init__(self) -> None:
        self.is_asked = False
        self._owner, self._thread = os.getpid(), threading.get_ident()
        self._shields = 0
        self._is_due = False
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._again: threading.Thread | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While open, heed the signal; afterwards, when how the flow ended is still to be told, pay no attention."""
        signal.signal(REMINDER, _is_reminded)
        signal.signal(signal.SIGTERM, self._on_signal)
        tell_otherwise = sys.unraisablehook

        def tell(unheard: sys.UnraisableHookArgs) -> None:
            if isinstance(unheard.exc_value, RunCancelled):
                unheard.exc_value.was_unheard()
            else:
                tell_otherwise(unheard)

        sys.unraisablehook = tell
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if self._again is not None:
                self._again.join()

    def over(self) -> None:
        """All is told: from now on the signal ends the process."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """While open nothing is raised, but right after it: for what must be done as a whole."""
        if threading.get_ident() != self._thread:
            yield  # Where nothing is ever raised.
            return
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if self._is_due and not self._shields:
                self._is_due = False
                self._raise()

    @contextmanager
    def cancelling(self, task: asyncio.Task[Any]) -> Iterator[None]:
        """While open, cancel `task` instead of raising where its event loop happens to be."""
        self._task = asyncio.get_running_loop(), task
        try:
            yield
        finally:
            self._task = None

    def _raise_in_a_moment(self) -> None:
        """Raise once more, for where we were, in a destructor for example, Python lets nobody hear of it."""
        signal.signal(signal.SIGTERM, self._on_signal)
        self._again = threading.Thread(target=self._ask_again, daemon=True)
        self._again.start()

    def _ask_again(self) -> None:
        """Signal the main thread as soon as it is past what is done in here, and until it hears of it."""
        number = signal.SIGTERM
        while signal.getsignal(signal.SIGTERM) == self._on_signal:
            if not _is_in_here(self._thread):
                signal.pthread_kill(self._thread, number)
                number = REMINDER
            sleep(_A_MOMENT)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != self._owner:
            os.kill(os.getpid(), number)  # A process that the flow forked ends as it would without us.
            return
        self.is_asked = True
        if self._shields:
            self._is_due = True
        else:
            self._raise()

    def _raise(self) -> None:
        if self._task is None:
            raise RunCancelled("this run was asked to end", self._raise_in_a_moment)
        loop, task = self._task
        loop.call_soon_threadsafe(task.cancel, "this run was asked to end")


def _is_reminded(number: int, frame: FrameType | None) -> None:
    """Do nothing: what came before is heard before this is."""


def _is_in_here(thread: int) -> bool:
    """Whether `thread` is doing something of this module, where what is raised is heard by nobody."""
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code.co_filename != __file__:
        frame = frame.f_back
    return frame is not None
