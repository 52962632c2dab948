"""How things are shown at a terminal: what others wrote without harm, the same states by the same signs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TextIO

from flowsource.revisions import Revision
from flowsource.runs import RunState

# A sign and the number of its colour, for each state; the word is always said beside them.
MARKS: Mapping[RunState, tuple[str, str]] = {
    RunState.SCHEDULED: ("○", "36"),
    RunState.CLAIMED: ("◔", "36"),
    RunState.RUNNING: ("●", "34"),
    RunState.RETRYING: ("↻", "33"),
    RunState.LOST: ("?", "31"),
    RunState.COMPLETED: ("✔", "32"),
    RunState.FAILED: ("✖", "31"),
    RunState.CRASHED: ("⚡", "31"),
    RunState.TIMED_OUT: ("⧗", "31"),
    RunState.CANCELLED: ("⊘", "33"),
    RunState.SKIPPED: ("⤼", "33"),
}


# What may not be printable: the rest of ASCII is, and asking Python for each sign takes its time.
_STEERING = re.compile(r"[^ -~\n\t]")


def _shown(sign: str) -> str:
    return sign if sign.isprintable() else ascii(sign)[1:-1]


def printable(text: str) -> str:
    """`text` without what could steer a terminal: control characters are shown as escapes, line ends and tabs stay.

    >>> printable("a bell \\a and a line end\\n")
    'a bell \\\\x07 and a line end\\n'
    """
    return text if text.isprintable() else _STEERING.sub(lambda found: _shown(found[0]), text)


def one_line(text: str) -> str:
    """As `printable`, with line ends and tabs shown as escapes too: for names, and cells of a table."""
    return "".join(map(_shown, text))


def revision_text(revision: Revision) -> str:
    """A revision in a few words: seven characters and the subject."""
    return f"{revision.short} {revision.subject}" if revision.subject else revision.short


def size_text(count: int) -> str:
    """A number of bytes in the unit that helps.

    >>> size_text(512), size_text(3 << 20), size_text(5_500_000_000)
    ('0.5 KiB', '3.0 MiB', '5.1 GiB')
    """
    power = 3 if count >= 1 << 30 else 2 if count >= 1 << 20 else 1
    return f"{count / 1024**power:.1f} {'KMG'[power - 1]}iB"


def shows_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose owner wants colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: str, stream: TextIO) -> str:
    """`text` in a colour or weight (the number of ANSI's), where `stream` shows it."""
    return f"\x1b[{colour}m{text}\x1b[0m" if shows_colour(stream) else text
