"""The Git protocol: which refs there are, in one request where the server allows it, and their objects."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from dulwich.client import read_pkt_refs_v2
from dulwich.objects import ObjectID
from dulwich.protocol import PEELED_TAG_SUFFIX, Protocol
from dulwich.refs import Ref
from dulwich.repo import Repo

from flowsource.errors import AuthenticationFailed, RevisionGone, SourceError, SourceMissing, SourceUnavailable
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.export import Export
from flowsource.sources.git.refs import Advertised, is_object_id
from flowsource.sources.git.store.objects import DamagedObjects, Objects
from flowsource.sources.git.store.receiving import PackReceiver
from flowsource.sources.git.store.stores import UnusableAnswer, tips
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address
from flowsource.sources.git.wire.fetching import Request, read_pack
from flowsource.sources.git.wire.history import ReceivedHistory, SinceThen
from flowsource.sources.git.wire.http import NotGit
from flowsource.sources.git.wire.http_settings import HttpSettings
from flowsource.sources.git.wire.packets import request
from flowsource.sources.git.wire.patience import Patience
from flowsource.sources.git.wire.transports import Answer, AnyLogin, transport_to

logger = logging.getLogger(__name__)

_MOST_WANTS = 50_000
_DEPTHS = (1, 100, None)
_VERSION_2 = 2
_NOT_OURS = re.compile(r"not our ref|no such|unadvertised", re.IGNORECASE)


@dataclass(slots=True)
class _Habits:
    """How a server likes to be asked.

    `object_format` is the hash that its ids are made with, once it has said that it speaks version 2. `can_filter`
    says whether it leaves out what is not wanted.
    """

    object_format: str | None = None
    can_filter: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one fetch is made with.

    Objects go into `store`, and `export` is given them as they arrive.
    """

    store: Repo
    export: Export
    login: AnyLogin
    checkpoint: Checkpoint


# For as long as the process lives, by address: many sources may be of one repository.
_known_habits: dict[str, _Habits] = {}


class GitWire:
    """A repository on a server. Holds its connections and remembers how the server likes to be asked."""

    def __init__(
        self, address: Address, patience: Patience = Patience(), settings: HttpSettings = HttpSettings()
    ) -> None:
        self._address = address
        self._transport = transport_to(address, patience, settings)
        self._habits = _known_habits.setdefault(address.url, _Habits())

    def refs(self, prefixes: Sequence[str], *, login: AnyLogin, checkpoint: Checkpoint) -> Advertised:
        """The refs whose names begin with one of `prefixes`, and perhaps others.

        One request, once the server is known to speak protocol version 2, or when it speaks an older one.
        """
        if self._habits.object_format is not None:
            try:
                return self._list_refs(prefixes, login, checkpoint)
            except NotGit:
                # Version 2 has the client ask for capabilities first. A server that insists is asked that way again.
                self._habits.object_format = None
        return self._discover_refs(prefixes, login, checkpoint)

    def fetch(self, fetch: Fetch, *, commit: str, ref: str | None) -> None:
        """Fetch `commit`, without its history.

        `ref` is the name that led to it, if any. Files that the export has no use for may be left out. Raises
        RevisionGone when the server does not have the commit or does not give it out, SourceUnavailable when `ref` has
        moved on from it meanwhile, and UnusableAnswer.
        """
        if not self._speaks_version_2(ref, fetch.login, fetch.checkpoint):
            self._fetch_as_before(fetch, commit, ref)
            return
        known = tips(fetch.store)
        leave_out = "blob:none" if fetch.export.is_partial and self._habits.can_filter else None
        request = Request(wants=[commit], haves=known, shallow=known, filter=leave_out)
        try:
            self._ask(request, fetch, lambda error: self._failed(error, commit, ref, {}))
        except RevisionGone as error:
            now = self._list_refs((ref or "HEAD",), fetch.login, fetch.checkpoint)
            raise self._gone(commit, ref, now.commits) from error
        if ObjectID(commit.encode()) not in fetch.store.object_store:
            # Not refused, so the server has it. Or what it sent cannot be found here: then the store is damaged.
            raise UnusableAnswer(f"{self._address.url} answered without commit {commit}; it is asked again later.")

    def fetch_files(self, fetch: Fetch, files: Sequence[str]) -> None:
        """Fetch `files`, by their object ids.

        Raises DamagedObjects for a server that gives nothing out but commits: all is to be fetched anew then.
        """
        if self._habits.object_format is None:
            raise DamagedObjects(f"{len(files)} files are not there, and {self._address.url} gives out none alone")
        for begin in range(0, len(files), _MOST_WANTS):
            request = Request(wants=files[begin : begin + _MOST_WANTS], depth=None)
            self._ask(request, fetch, _files_refused)

    def fetch_tag(self, fetch: Fetch, tag: str, *, commit: str, ref: str | None) -> None:
        """Fetch the object `tag`, which leads to `commit`, into the store that has that."""
        if not self._speaks_version_2(ref, fetch.login, fetch.checkpoint):
            self._fetch_advertised(fetch, tag, ref, depth=1)
            return
        request = Request(wants=[tag], haves=[commit], shallow=[commit])
        self._ask(request, fetch, lambda error: self._failed(error, tag, None, {}))

    def descends(self, new: str, old: str, *, login: AnyLogin, checkpoint: Checkpoint) -> bool | None:
        """Whether commit `new` has `old` among its ancestors; None when the server does not let that be told."""
        received = ReceivedHistory(self._address.url, id_size=len(new) // 2)
        try:
            if not self._speaks_version_2(None, login, checkpoint):
                client = self._transport.client(login, checkpoint, thin_packs=False)

                def receive(data: bytes) -> int:
                    client.count_objects(len(data))
                    return received.feed(data)

                client.fetch_pack(
                    b"",
                    lambda refs, depth=None: [ObjectID(new.encode())],
                    SinceThen(old),
                    receive,
                    progress=lambda _: checkpoint(),
                )
            else:
                # Commits alone, where the server can leave out the rest.
                leave_out = "tree:0" if self._habits.can_filter else None
                request = Request(wants=[new], haves=[old], depth=None, filter=leave_out, is_thin=False)
                self._receive(request, received.feed, login, checkpoint)
            return received.leads(old, new)
        except (SourceUnavailable, AuthenticationFailed, SourceMissing, OSError):
            raise
        except Exception as error:
            # More than is looked at, a server that keeps the commit to itself, or one that makes no sense.
            logger.debug("%s does not say whether %s descends from %s: %r", self._address.url, new, old, error)
            return None

    def _speaks_version_2(self, ref: str | None, login: AnyLogin, checkpoint: Checkpoint) -> bool:
        """Whether it does, asked unless that is known."""
        if self._habits.object_format is None:
            self._discover_refs((ref or "HEAD",), login, checkpoint)
        return self._habits.object_format is not None

    def _ask(self, request: Request, fetch: Fetch, fail: Callable[[Exception], Exception]) -> None:
        try:
            with self._receiver(fetch, len(request.wants[0]) // 2) as receiver:

                def receive(data: bytes) -> None:
                    receiver.feed(data)
                    fetch.export.report(receiver.progress)

                self._receive(request, receive, fetch.login, fetch.checkpoint)
                receiver.finish()
        except (SourceError, DamagedObjects, OSError):
            raise
        except Exception as error:
            # dulwich has a dozen exceptions for answers that make no sense, and here they all mean the same.
            raise fail(error) from error

    def _receive(
        self, request: Request, feed: Callable[[bytes], object], login: AnyLogin, checkpoint: Checkpoint
    ) -> None:
        """Hand the pack that answers `request` to `feed`."""
        assert self._habits.object_format is not None
        body = request.body(self._habits.object_format)
        with self._transport.ask(body, login=login, checkpoint=checkpoint) as answer:
            answer.waiting.objects_are_to_come()

            def receive(data: bytes) -> int:
                answer.waiting.count_objects(len(data))
                feed(data)
                return len(data)

            read_pack(answer, receive=receive, progress=lambda _: checkpoint())

    def _fetch_as_before(self, fetch: Fetch, commit: str, ref: str | None) -> None:
        """Fetch in an older version of the protocol, where servers give out nothing but what they advertise.

        An annotated tag then, never the commit it names; and of a commit that no ref is at any more, the history of
        its ref or of all, as far back as it takes.
        """
        seen: dict[str, str] = {}
        for depth in _DEPTHS:
            seen = self._fetch_advertised(fetch, commit, ref, depth=depth)
            if ObjectID(commit.encode()) in fetch.store.object_store:
                return
        raise self._gone(commit, ref, seen)

    def _fetch_advertised(self, fetch: Fetch, commit: str, ref: str | None, *, depth: int | None) -> dict[str, str]:
        """Fetch the ref that leads to `commit`, or all of them, to that depth; what was advertised."""
        seen: dict[str, str] = {}

        def wanted(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            seen.update(self._as_text(refs))
            is_there = commit in seen.values()
            ids = {commit} if is_there else {seen[ref]} if ref in seen else set(seen.values())
            return [ObjectID(one.encode()) for one in sorted(ids)]

        client = self._transport.client(fetch.login, fetch.checkpoint)
        prefix = [_bytes(ref or "HEAD")] if ref is not None else None
        try:
            with self._receiver(fetch, len(commit) // 2) as receiver:

                def receive(data: bytes) -> int:
                    client.count_objects(len(data))
                    receiver.feed(data)
                    fetch.export.report(receiver.progress)
                    return len(data)

                client.fetch_pack(
                    b"",
                    wanted,
                    _Known(fetch.store),
                    receive,
                    progress=lambda _: fetch.checkpoint(),
                    depth=depth,
                    ref_prefix=prefix,
                )
                receiver.finish()
        except (SourceError, OSError):
            raise
        except Exception as error:
            # As in `_ask`.
            raise self._failed(error, commit, ref, seen) from error
        return seen

    def _receiver(self, fetch: Fetch, id_size: int) -> PackReceiver:
        known = Objects(fetch.store.object_store, fetch.export.held)
        packs = Path(fetch.store.object_store.pack_dir)
        return PackReceiver(packs, self._address.url, known, id_size=id_size, on_object=fetch.export.arrived)

    def _list_refs(self, prefixes: Sequence[str], login: AnyLogin, checkpoint: Checkpoint) -> Advertised:
        assert self._habits.object_format is not None
        arguments = ["peel", "symrefs", *(f"ref-prefix {prefix}" for prefix in prefixes)]
        body = request("ls-refs", arguments, object_format=self._habits.object_format)
        with self._transport.ask(body, login=login, checkpoint=checkpoint) as answer:
            try:
                refs, symrefs, peeled = read_pkt_refs_v2(_packets(answer))
            except SourceError:
                raise
            except Exception as error:
                # As in `_ask`, here and below.
                raise self._not_understood(error) from error
        return self._advertised(refs, peeled, symrefs)

    def _discover_refs(self, prefixes: Sequence[str], login: AnyLogin, checkpoint: Checkpoint) -> Advertised:
        client = self._transport.client(login, checkpoint)
        try:
            found = client.get_refs(b"", ref_prefix=[_bytes(prefix) for prefix in prefixes])
        except (SourceError, OSError):
            raise
        except Exception as error:
            raise self._not_understood(error) from error
        if client.protocol_version == _VERSION_2:
            self._habits.object_format = found.object_format or "sha1"
            self._habits.can_filter = any(
                line.startswith(b"fetch=") and b"filter" in line[6:].split() for line in client.capabilities
            )
        objects, peeled = dict[Ref, ObjectID | None](), dict[Ref, ObjectID | None]()
        for name, object_id in found.refs.items():
            if name.endswith(PEELED_TAG_SUFFIX):
                peeled[Ref(name.removesuffix(PEELED_TAG_SUFFIX))] = object_id
            else:
                objects[name] = object_id
        return self._advertised(objects, peeled, found.symrefs)

    def _advertised(
        self,
        objects: Mapping[Ref, ObjectID | None],
        peeled: Mapping[Ref, ObjectID | None],
        symrefs: Mapping[Ref, Ref],
    ) -> Advertised:
        head = symrefs.get(Ref(b"HEAD"))
        return Advertised(self._as_text(objects), self._as_text(peeled), _text(head) if head else None)

    def _as_text(self, refs: Mapping[Ref, ObjectID | None]) -> dict[str, str]:
        # A branch without a commit yet is advertised without an id.
        texts = {_text(name): object_id.decode("latin-1") for name, object_id in refs.items() if object_id}
        if not all(map(is_object_id, texts.values())):
            raise NotGit(f"{self._address.url} names objects in a way that cannot be understood; check the URL.")
        return texts

    def _not_understood(self, error: Exception) -> NotGit:
        return NotGit(
            f"{self._address.url} does not answer as a Git server "
            f"({type(error).__name__}: {harmless(str(error))}); check the URL."
        )

    def _failed(self, error: Exception, commit: str, ref: str | None, seen: Mapping[str, str]) -> SourceError:
        if _NOT_OURS.search(str(error)):
            return self._gone(commit, ref, seen)
        return UnusableAnswer(
            f"{self._address.url} sent an answer that cannot be used "
            f"({type(error).__name__}: {harmless(str(error))}); it is asked again later."
        )

    def _gone(self, commit: str, ref: str | None, seen: Mapping[str, str]) -> SourceError:
        if ref is not None and ref in seen and seen[ref] != commit:
            return SourceUnavailable(
                f"{ref} of {self._address.url} moved from {commit:.12} to {seen[ref]:.12} while it was being fetched; "
                "the next poll takes the newer one."
            )
        return RevisionGone(
            f"{self._address.url} does not have commit {commit}, or does not give it out; "
            "correct the commit, or push a branch that holds it."
        )


class _Known:
    """What a store has, as dulwich asks for it: the tips, and none of their history."""

    def __init__(self, store: Repo) -> None:
        known = [ObjectID(tip.encode()) for tip in tips(store)]
        self._tips, self.shallow, self.unshallow = iter(known), set(known), set[ObjectID]()

    def __next__(self) -> ObjectID | None:
        return next(self._tips, None)

    def ack(self, sha: ObjectID) -> None:
        """Nothing: all that is here was told."""

    def nak(self) -> None:
        """Nothing."""


def _files_refused(error: Exception) -> Exception:
    return DamagedObjects(f"files that are not there cannot be had alone ({harmless(str(error))})")


def _packets(answer: Answer) -> Iterable[bytes]:
    """The lines of a listing. The body is read to its very end, so that the connection can be used again."""
    return Protocol(BytesIO(answer.read()).read, lambda data: None).read_pkt_seq()


def _text(name: bytes) -> str:
    """The name of a ref, from which `_bytes` gives the same again, UTF-8 or not."""
    return name.decode(errors="surrogateescape")


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
