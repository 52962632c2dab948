"""`flowsource store`: the memory itself."""

from __future__ import annotations

from flowsource.cli.groups import group
from flowsource.cli.store_prune import prune
from flowsource.cli.store_tables import downgrade, status

store = group("store", "The memory: where it is, what is kept and for how long, and the version of its tables.")
for act in (status, prune, downgrade):
    store.command(act)
