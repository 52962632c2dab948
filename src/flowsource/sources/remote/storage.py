"""A bucket, or any other place that fsspec reaches, as a source of flow code."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import anyio
from anyio import to_thread

from flowsource.errors import RevisionGone, SourceError, SourceMissing, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.sources.base import Report, Source, resolve_alone, say_nothing
from flowsource.sources.intervals import checked_interval
from flowsource.sources.remote import record
from flowsource.sources.remote.address import parse
from flowsource.sources.remote.fetching import Fetching
from flowsource.sources.remote.given import Given
from flowsource.sources.remote.listing import Item, Listing
from flowsource.sources.remote.opening import open_store
from flowsource.sources.remote.patterns import Patterns, checked
from flowsource.sources.remote.stores import Store
from flowsource.sources.writing import TreeWriter

_SETTLE: Final = 0.5
_LOOKS: Final = 5
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class _Opened:
    settings: dict[str, Any]
    store: Store

    def __repr__(self) -> str:
        return "_Opened(...)"


class RemoteStorage:
    """Flow code in a bucket, or in any other place that fsspec reaches: all objects below `url`, as files.

    `url` is an address such as `s3://bucket/prefix`, `gs://bucket`, `abfs://container/prefix` or `sftp://host/path`; it
    stands for what is below it (`s3://bucket/flows` has nothing of `flows-2`), never for a single object or an archive.
    `include` and `exclude` are patterns as in a `.gitignore` file. Objects have no permissions: no file is executable.

    `settings` go to the file system as they are (`key`, `secret`, `endpoint_url`, `client_kwargs`...), but for the
    callables among them, which are asked for the value at every attempt. Without credentials there it looks for them in
    the environment, as it always does. A server of SFTP is believed only if its key is in `~/.ssh/known_hosts`, unless
    `host_key_policy` is given. Sources of one `url` whose settings have the same names share what they fetch.
    Of environment variables none is kept from runs, since flows tend to need the same access, unless it is named in
    `secret_variables`.

    `name` replaces the address in messages. `pull_interval` is the time between two polls, in seconds or as a
    timedelta, of at least 5 seconds; None reads the source once.

    A revision is named by a digest of what a listing tells of each object. It is published only if nothing changed from
    the listing before it was read to the one after, and on S3 each object is read in the very state that was listed.
    The libraries are imported at the first poll; those that are asynchronous keep one idle thread from then on.

    Raises InvalidInput naming the argument that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        pull_interval: float | timedelta | None = 60,
        name: str | None = None,
        secret_variables: Collection[str] = (),
        **settings: Any,
    ) -> None:
        self._address = parse(url)
        self._patterns = Patterns(checked("include", include), checked("exclude", exclude))
        self._pull_interval = checked_interval(pull_interval, asks_others=True)
        self._name, self._secret_variables = name, frozenset(secret_variables)
        self._given = Given(settings)
        self._opened: _Opened | None = None
        # The state that was last seen twice in a row, of each of the sources that were asked about.
        self._settled: list[str] = []
        # All objects of that state while it is new, for whoever fetches it next; there may be a million of them.
        self._found: list[Item] | None = None

    def __repr__(self) -> str:
        return f"RemoteStorage({self._address.url!r})"

    @property
    def url(self) -> str:
        """The address in its canonical form, without credentials."""
        return self._address.url

    @property
    def key(self) -> str:
        digest = hashlib.sha256(f"{self._address.url}\n{self._given.identity}".encode(errors="surrogateescape"))
        return f"{self._address.protocol.replace('+', '-')}-{digest.hexdigest()[:32]}"

    @property
    def label(self) -> str:
        where = self._name or self._address.url
        return f"{where} ({self._patterns})" if self.selector else where

    @property
    def selector(self) -> str:
        return str(self._patterns)

    @property
    def pull_interval(self) -> timedelta | None:
        return self._pull_interval

    @property
    def mount(self) -> Path | None:
        return None

    def notices(self, stop: anyio.Event) -> None:
        """None: it is to be polled."""

    @property
    def secret_variables(self) -> frozenset[str]:
        return self._secret_variables

    async def resolve(self) -> Revision:
        """The state that the objects are in: one listing when it is the one that was seen before, else two or more."""
        return await resolve_alone(self)

    async def resolve_together(self, sources: Sequence[Source]) -> list[Revision | SourceError]:
        """The same for all of `sources`, which differ in their patterns only."""
        storages = [source for source in sources if isinstance(source, RemoteStorage)]
        assert len(storages) == len(sources), "sources of one key are of one kind"
        for storage in storages:
            storage._found = None
        found, listings = await self._quiet(await self._store(), storages)
        for storage in storages:
            storage._found = found
        return [storage._revision(listing) for storage, listing in zip(storages, listings, strict=True)]

    async def fetch(
        self, revision: Revision, into: TreeWriter, *, workspace: Path, report: Report = say_nothing
    ) -> Revision:
        """Write the objects that changed, and take over the others; only the state of now can be had."""
        store = await self._store()
        present, listing = await self._as_of(revision, store)
        items = listing.checked()
        digests = await to_thread.run_sync(record.read, workspace)
        fetching = Fetching(store, into, digests, report, total=len(items))
        left = items
        for _ in range(_ATTEMPTS):
            left = await fetching.write(left)
            [after] = await _listed(await store.items(), [self])
            if after.digest != revision.id:
                raise SourceUnavailable(f"{self.label} changed before all of it was read. It is tried again.")
            if not left:
                break
            await anyio.sleep(_SETTLE)
        else:
            raise SourceUnavailable(f"{self.label}: {left[0].path!a} is not what the listing tells of it.")
        await to_thread.run_sync(record.write, workspace, fetching.digests, present)
        return revision

    async def _as_of(self, revision: Revision, store: Store) -> tuple[list[Item], Listing]:
        """All objects, and those that are taken: as they were found when that is what `revision` names, else as of now.

        Raises RevisionGone when that is another state.
        """
        found, self._found = self._found, None
        if found is not None:
            [listing] = await _listed(found, [self])
            if self._revision(listing) == revision:
                return found, listing
        found = await store.items()
        [listing] = await _listed(found, [self])
        if self._revision(listing) != revision:
            raise RevisionGone(
                f"{self.label} has changed since {revision.short}, and keeps no history. The next poll takes "
                f"{listing.digest[:7]}."
            )
        return found, listing

    def _revision(self, listing: Listing) -> Revision | SourceError:
        if not listing.items:
            return SourceMissing(f"{self.label} holds no object. Correct include and exclude, or put the files there.")
        return Revision(id=listing.digest, content=self._patterns.content)

    async def _quiet(self, store: Store, storages: Sequence[RemoteStorage]) -> tuple[list[Item] | None, list[Listing]]:
        """What each of `storages` takes, once it was the same twice in a row; and all objects, if that is new.

        Somebody who puts many objects there is not done after the first, and no listing tells when.
        """
        before = self._settled
        for look in range(_LOOKS):
            items = await store.items()
            listings = await _listed(items, storages)
            digests = [listing.digest for listing in listings]
            if digests == before:
                self._settled = digests
                return items if look else None, listings
            before = digests
            if look + 1 < _LOOKS:
                await anyio.sleep(_SETTLE)
        raise SourceUnavailable(
            f"{self._address.url} is being written to. It is taken once it stays the same for {_SETTLE:g} s; exclude "
            "what changes all the time."
        )

    async def _store(self) -> Store:
        """The store, with the settings of now. One that failed is opened anew, connections and all."""
        settings = await to_thread.run_sync(self._given.resolved, abandon_on_cancel=True)
        if self._opened is None or self._opened.settings != settings or self._opened.store.has_failed:
            self._opened = None
            self._opened = _Opened(settings, await open_store(self._address, settings))
        return self._opened.store


async def _listed(items: Sequence[Item], storages: Sequence[RemoteStorage]) -> list[Listing]:
    """What each of `storages` takes of `items`; in a thread, since there may be a million."""

    def choose() -> list[Listing]:
        return [Listing.of(items, storage._patterns) for storage in storages]

    return await to_thread.run_sync(choose)
