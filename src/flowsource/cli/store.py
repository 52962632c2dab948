"""`flowsource store`: the memory itself."""

from __future__ import annotations

from flowsource.cli.groups import group
from flowsource.cli.store_prune import prune

store = group("store", "The memory: what is kept, and for how long.")
store.command(prune)
