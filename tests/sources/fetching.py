"""Fetching one commit over a wire into a store, without a source around it."""

from __future__ import annotations

from pathlib import Path

from dulwich.repo import Repo

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.export import Export
from flowsource.sources.git.scope import Scope
from flowsource.sources.git.wire.exchange import Fetch, GitWire
from flowsource.sources.writing import TreeWriter


def fetch_into(
    store: Repo, wire: GitWire, commit: str, tree: Path, *, checkpoint: Checkpoint = lambda: None
) -> TreeWriter:
    """Fetch `commit`; the new directory `tree` gets the files that could be written as they came."""
    tree.mkdir()
    writer = TreeWriter(tree)
    export = Export(commit, writer, Scope(), checkpoint=checkpoint)
    wire.fetch(Fetch(store, export, None, checkpoint), commit=commit, ref=None)
    return writer
