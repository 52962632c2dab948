"""A repository on a server: its wire, its credentials, and its store on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dulwich.repo import Repo

from flowsource.errors import AuthenticationFailed
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.credentials import Credentials
from flowsource.sources.git.export import Export
from flowsource.sources.git.refs import Advertised
from flowsource.sources.git.store.objects import Objects
from flowsource.sources.git.store.stores import ObjectStore
from flowsource.sources.git.urls import Address
from flowsource.sources.git.wire.exchange import Fetch, GitWire
from flowsource.sources.git.wire.http_settings import HttpSettings
from flowsource.sources.git.wire.patience import Patience
from flowsource.sources.git.wire.transports import AnyLogin

_Answer = TypeVar("_Answer")


class RemoteRepository:
    """A repository at an http, https or ssh `address`. Credentials are looked up anew for each exchange."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None,
        patience: Patience = Patience(),
        settings: HttpSettings = HttpSettings(),
    ) -> None:
        self._address, self._credentials = address, credentials
        self._wire = GitWire(address, patience, settings)

    def refs(self, prefixes: Sequence[str], *, checkpoint: Checkpoint) -> Advertised:
        """The refs whose names begin with one of `prefixes`."""
        return self._logged_in(lambda login: self._wire.refs(prefixes, login=login, checkpoint=checkpoint))

    def descends(self, new: str, old: str, *, checkpoint: Checkpoint) -> bool | None:
        """Whether commit `new` has `old` among its ancestors; None when that cannot be told."""
        return self._logged_in(lambda login: self._wire.descends(new, old, login=login, checkpoint=checkpoint))

    @contextmanager
    def objects(
        self, commit: str, ref: str | None, export: Export, *, workspace: Path, checkpoint: Checkpoint, renew: bool
    ) -> Iterator[Objects]:
        """The objects that `export` needs, from the store in `workspace`, fetched into it unless they are there.

        The export is given them as they arrive.
        """

        def fetch(store: Repo) -> None:
            # Not looked up before it is needed: what is in the store is served though its credentials are gone.
            self._logged_in(
                lambda login: self._wire.fetch(Fetch(store, export, login, checkpoint), commit=commit, ref=ref)
            )

        with ObjectStore(workspace / "objects").holding(commit, ref, fetch, renew=renew) as store:
            if lacking := export.lacking(Objects(store.object_store, export.held)):
                self._logged_in(lambda login: self._wire.fetch_files(Fetch(store, export, login, checkpoint), lacking))
            objects = Objects(store.object_store, export.held)
            if (tag := export.tag) is not None and not objects.has(tag):
                self._logged_in(
                    lambda login: self._wire.fetch_tag(
                        Fetch(store, export, login, checkpoint), tag, commit=commit, ref=ref
                    )
                )
            # Anew: what was listed of a store before it was added to is out of date.
            yield Objects(store.object_store, export.held)

    def _logged_in(self, exchange: Callable[[AnyLogin], _Answer]) -> _Answer:
        """What `exchange` gives with the credentials of now, and with new ones if they were replaced meanwhile."""
        login = self._login()
        try:
            return exchange(login)
        except AuthenticationFailed:
            # A token is often replaced before the old one is looked up again, and no poll need fail for that.
            if login is None or (renewed := self._login()) == login:
                raise
        return exchange(renewed)

    def _login(self) -> AnyLogin:
        if self._credentials is None:
            return None
        host = self._address.host
        return self._credentials.ssh_login(host) if self._address.scheme == "ssh" else self._credentials.login(host)
