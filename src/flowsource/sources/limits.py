"""How much a revision may hold, wherever it is from.

Far beyond any that is meant to be served, and within what a disk, a memory and a patient person can take.
"""

from __future__ import annotations

from typing import Final

MOST_ENTRIES: Final = 1_000_000
MOST_BYTES: Final = 20 << 30
DEEPEST: Final = 256
LONGEST_NAME: Final = 255
LONGEST_PATH: Final = 4095 - 1024  # room for the directory that it is written into
LONGEST_TARGET: Final = 4095
