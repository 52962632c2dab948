"""Text that a stranger wrote, made fit for a message."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 500


def harmless(text: str) -> str:
    """`text` without anything that a terminal or a page would obey, and not longer than a few lines."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()[:_LONGEST]


def is_harmless(text: str) -> bool:
    """Whether `text` may stand in a message as it is."""
    return harmless(text) == text
