"""The Git protocol over HTTP: which refs there are, in one request where the server allows it, and their objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO

from dulwich.client import read_pkt_refs_v2
from dulwich.objects import ObjectID
from dulwich.protocol import PEELED_TAG_SUFFIX, Protocol, pkt_line
from dulwich.refs import Ref
from dulwich.repo import Repo

from flowsource.errors import RevisionGone, SourceError, SourceUnavailable
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.client import LIST_REFS, UPLOAD_PACK, Client, check_type
from flowsource.sources.git.credentials import Login
from flowsource.sources.git.http import Answer, GitHttp, NotGit
from flowsource.sources.git.packs import PackMeter
from flowsource.sources.git.patience import Patience
from flowsource.sources.git.refs import Advertised, is_object_id
from flowsource.sources.git.stores import UnusableAnswer
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address

_DELIMITER, _FLUSH = b"0001", b"0000"
_VERSION_2 = 2
_NOT_OURS = re.compile(r"not our ref|no such|unadvertised", re.IGNORECASE)


class GitWire:
    """A repository on an HTTP server. Holds its connections and remembers how the server likes to be asked."""

    def __init__(self, address: Address, patience: Patience = Patience()) -> None:
        self._address = address
        self._http = GitHttp(address, patience)
        # The hash that its ids are made with, once the server has said that it speaks version 2.
        self._object_format: str | None = None

    def refs(self, prefixes: Sequence[str], *, login: Login | None, checkpoint: Checkpoint) -> Advertised:
        """The refs whose names begin with one of `prefixes`, and perhaps others.

        One request, once the server is known to speak protocol version 2, or when it speaks an older one.
        """
        if self._object_format is not None:
            try:
                return self._list_refs(prefixes, login, checkpoint)
            except NotGit:
                # Version 2 has the client ask for capabilities first. A server that insists is asked that way again.
                self._object_format = None
        return self._discover_refs(prefixes, login, checkpoint)

    def fetch(self, store: Repo, *, commit: str, ref: str | None, login: Login | None, checkpoint: Checkpoint) -> None:
        """Add `commit`, without its history, to `store`.

        `ref` is the name that led to it, if any. Raises RevisionGone when the server does not have the commit or does
        not give it out, SourceUnavailable when `ref` has moved on from it meanwhile, and UnusableAnswer.
        """
        seen: dict[str, str] = {}

        def wanted(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            seen.update(self._as_text(refs))
            # Older servers give out nothing but what they advertise: an annotated tag, never the commit it names.
            exact = client.protocol_version == _VERSION_2 or commit in seen.values()
            return [ObjectID((commit if exact else seen.get(ref or "", commit)).encode())]

        def progress(_: bytes) -> None:
            checkpoint()

        meter = PackMeter(self._address.url, id_size=len(commit) // 2)
        client = Client(self._address, self._http, login, checkpoint, meter)
        prefix = [_bytes(ref or "HEAD")]
        try:
            client.fetch("", store, determine_wants=wanted, progress=progress, depth=1, ref_prefix=prefix)
        except (SourceError, OSError):
            raise
        except Exception as error:
            # dulwich has a dozen exceptions for answers that make no sense, and here they all mean the same.
            raise self._fetch_failed(error, commit, ref, seen) from error
        if ObjectID(commit.encode()) not in store.object_store:
            raise self._gone(commit, ref, seen)

    def _list_refs(self, prefixes: Sequence[str], login: Login | None, checkpoint: Checkpoint) -> Advertised:
        lines = [LIST_REFS + b"\n"]
        # sha1 need not be said, and a probe is to be small.
        lines += [f"object-format={self._object_format}".encode()] if self._object_format != "sha1" else []
        arguments = [b"peel\n", b"symrefs\n"]
        arguments += [b"ref-prefix " + _bytes(prefix) for prefix in prefixes]
        body = b"".join(map(pkt_line, lines)) + _DELIMITER + b"".join(map(pkt_line, arguments)) + _FLUSH
        headers = {
            "Content-Type": f"application/x-{UPLOAD_PACK}-request",
            "Accept": f"application/x-{UPLOAD_PACK}-result",
            "Git-Protocol": "version=2",
        }
        with self._http.post(UPLOAD_PACK, body, login=login, headers=headers, checkpoint=checkpoint) as answer:
            check_type(answer, f"application/x-{UPLOAD_PACK}-result", self._address)
            try:
                refs, symrefs, peeled = read_pkt_refs_v2(_packets(answer))
            except SourceError:
                raise
            except Exception as error:
                raise self._not_understood(error) from error
        return self._advertised(refs, peeled, symrefs)

    def _discover_refs(self, prefixes: Sequence[str], login: Login | None, checkpoint: Checkpoint) -> Advertised:
        client = Client(self._address, self._http, login, checkpoint)
        try:
            found = client.get_refs("", ref_prefix=[_bytes(prefix) for prefix in prefixes])
        except (SourceError, OSError):
            raise
        except Exception as error:
            raise self._not_understood(error) from error
        if client.protocol_version == _VERSION_2:
            self._object_format = found.object_format or "sha1"
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

    def _fetch_failed(self, error: Exception, commit: str, ref: str | None, seen: Mapping[str, str]) -> SourceError:
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


def _packets(answer: Answer) -> Iterable[bytes]:
    """The lines of a listing. The body is read to its very end, so that the connection can be used again."""
    return Protocol(BytesIO(answer.read()).read, lambda data: None).read_pkt_seq()


def _text(name: bytes) -> str:
    """The name of a ref, from which `_bytes` gives the same again, UTF-8 or not."""
    return name.decode(errors="surrogateescape")


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
