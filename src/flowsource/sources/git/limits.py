"""How much of anything is taken from a repository, whoever it belongs to.

Far beyond any repository that is meant to be served, and within what a disk, a memory and a patient person can take.
"""

from __future__ import annotations

from typing import Final

# A file is held in memory as a whole, twice while it is stored.
LARGEST_FILE: Final = 512 << 20
# Of a tree, a commit or a tag; a million entries of ordinary length are smaller.
LARGEST_RECORD: Final = 64 << 20

# What a server may send in one answer: objects, deflated, and all that is said beside them.
LARGEST_PACK: Final = 4 << 30
LONGEST_TALK: Final = 64 << 20
