"""A log record as JSON, whatever it holds."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

MOST_CHARACTERS = 64 * 1024
MOST_EXTRA_CHARACTERS = 16 * 1024

# What every record has, and what formatters and event loops add to it.
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def told(record: logging.LogRecord, text_of: Callable[[logging.LogRecord], str]) -> dict[str, Any]:
    """`record` as it is told to the runner: text and extras are cut where they are too long, and say so."""
    message = {
        "at": record.created,
        "level": record.levelno,
        "logger": record.name,
        "text": _cut(_text(record, text_of), MOST_CHARACTERS),
    }
    if extra := vars(record).keys() - _OF_EVERY_RECORD:
        message["extra"] = _extras({name: value for name, value in vars(record).items() if name in extra})
    return message


def _text(record: logging.LogRecord, text_of: Callable[[logging.LogRecord], str]) -> str:
    try:
        return text_of(record)
    except Exception as error:
        # Its words are worth more than a complaint about them.
        return f"{_shown(record.msg)} [its arguments cannot be shown: {type(error).__name__}]"


def _extras(values: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    room = MOST_EXTRA_CHARACTERS
    for name, value in values.items():
        # A name is text by custom, not by force.
        key, (value, length) = _cut(str(name), 100), _json(value, room)
        room -= length
        kept[key] = value
        if room <= 0:
            break
    if left_out := len(values) - len(kept):
        kept["..."] = f"{left_out} more were left out"
    return kept


def _json(value: Any, room: int) -> tuple[Any, int]:
    """`value` if it is JSON and there is room for it, else as text that is cut to the room; and how long it is."""
    try:
        text = json.dumps(value, allow_nan=False)
    except Exception:  # What a value does when it is looked at is up to it.
        shown = _cut(_shown(value), room)
        return shown, len(shown)
    return (value, len(text)) if len(text) <= room else (_cut(text, room), room)


def _shown(value: Any) -> str:
    """`value` as text, even when it cannot say what it is."""
    try:
        return value if type(value) is str else repr(value)
    except Exception as error:
        return f"<{type(value).__qualname__} whose repr raised {type(error).__name__}>"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} ... [{len(text) - most} characters more]"
