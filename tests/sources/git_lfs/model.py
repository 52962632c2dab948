"""A file that is too large for Git."""

from __future__ import annotations

MODEL = bytes(range(256)) * 3000
