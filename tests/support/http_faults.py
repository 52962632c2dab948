"""What goes wrong on a way to a server: requests and answers lost, late, doubled, out of order, cut or refused."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

from tests.support.http_way import Answer, Ask, Request

Fault = Literal[
    "request lost",
    "answer lost",
    "answer cut",
    "request late",
    "answer late",
    "twice",
    "again later",
    "overtaken",
    "502",
    "503 though done",
]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
# How long something is late at most.
_LATE_SECONDS = 0.5


@dataclass(eq=False)
class Faults:
    """Passes requests on (see `tests.support.http_way`), with a fault at the `rate`, each kind as often as any other.

    What happened is counted. It depends on a seed, and on the order in which requests come.
    """

    seed: int
    rate: float = 0.0
    requests: int = 0
    happened: Counter[Fault] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._chance, self._lock = random.Random(self.seed), threading.Lock()
        self._another_came = threading.Event()

    def __call__(self, _: Request, ask: Ask) -> Answer | None:
        """What is answered, if anything is."""
        fault, late = self._arrives()
        match fault:
            case "request lost":
                return None
            case "502":
                return Answer(502, [], b"<html>bad gateway</html>")
            case "request late":
                threading.Event().wait(late)
            case "overtaken":
                self._another_came.wait(_LATE_SECONDS)
            case "twice":
                ask()
            case "again later":
                threading.Thread(target=_repeat, args=(ask, late), daemon=True).start()
        answer = ask()
        match fault:
            case "answer lost":
                return None
            case "answer cut":
                return replace(answer, is_cut=True)
            case "answer late":
                threading.Event().wait(late)
            case "503 though done":
                return Answer(503, [], b"<html>unavailable</html>")
        return answer

    def _arrives(self) -> tuple[Fault | None, float]:
        """What happens to a request, and how late something is."""
        with self._lock:
            self.requests += 1
            fault = self._chance.choice(FAULTS) if self._chance.random() < self.rate else None
            if fault is not None:
                self.happened[fault] += 1
            self._another_came.set()
            self._another_came = threading.Event()
            return fault, self._chance.uniform(0, _LATE_SECONDS)


def _repeat(ask: Ask, late: float) -> None:
    threading.Event().wait(late)
    # By then the server may be gone, or too busy for it.
    with suppress(OSError, http.client.HTTPException):
        ask()
