"""A repository on an HTTP server: its wire, its credentials, and its store on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dulwich.repo import Repo

from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.credentials import Credentials, Login
from flowsource.sources.git.export import Export
from flowsource.sources.git.objects import Objects
from flowsource.sources.git.patience import Patience
from flowsource.sources.git.refs import Advertised
from flowsource.sources.git.stores import ObjectStore
from flowsource.sources.git.urls import Address
from flowsource.sources.git.wire import GitWire


class RemoteRepository:
    """A repository at an http or https `address`. Credentials are looked up anew for each exchange."""

    def __init__(self, address: Address, credentials: Credentials | None, patience: Patience = Patience()) -> None:
        self._address, self._credentials = address, credentials
        self._wire = GitWire(address, patience)

    def refs(self, prefixes: Sequence[str], *, checkpoint: Checkpoint) -> Advertised:
        """The refs whose names begin with one of `prefixes`."""
        return self._wire.refs(prefixes, login=self._login(), checkpoint=checkpoint)

    @contextmanager
    def objects(
        self, commit: str, ref: str | None, export: Export, *, workspace: Path, checkpoint: Checkpoint, renew: bool
    ) -> Iterator[Objects]:
        """The objects that `export` needs, from the store in `workspace`, fetched into it unless they are there.

        The export is given them as they arrive.
        """

        def fetch(store: Repo) -> None:
            # Not looked up before it is needed: what is in the store is served though its credentials are gone.
            self._wire.fetch(store, export, commit=commit, ref=ref, login=self._login(), checkpoint=checkpoint)

        with ObjectStore(workspace / "objects").holding(commit, ref, fetch, renew=renew) as store:
            if lacking := export.lacking(Objects(store.object_store, export.held)):
                self._wire.fetch_files(store, export, lacking, login=self._login(), checkpoint=checkpoint)
            objects = Objects(store.object_store, export.held)
            if (tag := export.tag) is not None and not objects.has(tag):
                self._wire.fetch_tag(
                    store, export, tag, commit=commit, ref=ref, login=self._login(), checkpoint=checkpoint
                )
            yield Objects(store.object_store, export.held)

    def _login(self) -> Login | None:
        return self._credentials.login(self._address.host) if self._credentials is not None else None
