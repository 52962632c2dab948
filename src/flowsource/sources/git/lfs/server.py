"""A server of Git LFS: asked about up to a hundred files at once, then for each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from flowsource.errors import AuthenticationFailed, SourceInvalid, SourceMissing
from flowsource.sources.git.checkpoint import Checkpoint
from flowsource.sources.git.lfs.batch import MEDIA_TYPE, MOST, Download, Refused, parse_answer, request_body
from flowsource.sources.git.lfs.pointers import Pointer
from flowsource.sources.git.remotes import Remote
from flowsource.sources.git.urls import Address, parse_url
from flowsource.sources.git.wire.http import Answer, GitHttp, Moved, NotGit

_CHUNK: Final = 1 << 18
_LONGEST_ANSWER: Final = 4 << 20
_MOST_MOVES: Final = 5
_WRITTEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")


class NotThere(SourceInvalid):
    """The server does not give out the file that `pointer` stands for."""

    def __init__(self, pointer: Pointer, message: str) -> None:
        self.pointer = pointer
        super().__init__(message)


class LfsServer:
    """The API at `remote`, asked with the credentials that are for it; `ref` is what led to the files."""

    def __init__(self, remote: Remote, ref: str | None, checkpoint: Checkpoint) -> None:
        self._remote, self._ref, self._checkpoint = remote, ref, checkpoint
        self._servers: dict[str, GitHttp] = {}

    def open(self, pointers: Sequence[Pointer]) -> Iterator[tuple[Pointer, Iterator[bytes]]]:
        """Each of `pointers` with its content, which is read before the next is asked for.

        Raises NotThere, or SourceError for what concerns all of them.
        """
        yield from ((pointer, iter(())) for pointer in pointers if not pointer.size)
        asked = [pointer for pointer in pointers if pointer.size]
        for begin in range(0, len(asked), MOST):
            batch = asked[begin : begin + MOST]
            found = self._ask(batch)
            # All are looked at before one is downloaded: for nothing, if another is not there.
            for pointer, download in [(pointer, self._download_of(pointer, found)) for pointer in batch]:
                yield pointer, self._content(pointer, download)

    def _ask(self, pointers: Sequence[Pointer]) -> Mapping[str, Download | Refused]:
        where = self._remote.address
        headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
        body = request_body(pointers, self._ref)
        http = self._server(where)
        try:
            with http.post(
                "objects/batch", body, login=self._remote.login(), headers=headers, checkpoint=self._checkpoint
            ) as answer:
                if len(data := answer.read(_LONGEST_ANSWER + 1)) > _LONGEST_ANSWER:
                    raise ValueError(f"it is longer than {_LONGEST_ANSWER >> 20} MiB")
                return parse_answer(data)
        except SourceMissing as error:
            raise SourceMissing(f"there is no server of Git LFS at {where}, or not for these credentials.") from error
        except NotGit as error:
            raise NotGit(f"{where} does not answer as a server of Git LFS.") from error
        except ValueError as error:
            raise NotGit(f"{where} does not answer as a server of Git LFS ({error}).") from error

    def _download_of(self, pointer: Pointer, found: Mapping[str, Download | Refused]) -> Download:
        answer = found.get(pointer.oid, Refused(404, "it says nothing of it"))
        if isinstance(answer, Download):
            return answer
        raise NotThere(
            pointer,
            f"{self._remote.address} does not have it, or does not give it out ({answer.why or answer.code}); "
            "upload it with `git lfs push --all`.",
        )

    def _content(self, pointer: Pointer, download: Download) -> Iterator[bytes]:
        with self._get(pointer, download) as answer:
            answer.waiting.objects_are_to_come()
            while chunk := answer.read(_CHUNK):
                answer.waiting.count_objects(len(chunk))
                yield chunk

    def _get(self, pointer: Pointer, download: Download) -> Answer:
        """The answer of wherever the server sends us, without anything of ours, or of its own, for somebody else."""
        href, headers, is_first = download.href, download.headers, True
        for _ in range(_MOST_MOVES):
            address, path = place_of(href, self._remote.address)
            has_own = any(name.lower() == "authorization" for name in headers)
            is_ours = is_first and not has_own and self._remote.is_beside(address)
            login = self._remote.login() if is_ours else None
            try:
                return self._server(address).get(path, login=login, headers=headers, checkpoint=self._checkpoint)
            except Moved as moved:
                href, headers, is_first = moved.location, {}, False
            except (SourceMissing, AuthenticationFailed, NotGit) as error:
                raise NotThere(
                    pointer, f"{address} does not give it out, though {self._remote.address} says so."
                ) from error
        raise NotThere(pointer, f"{self._remote.address} sends us on and on for it.")

    def _server(self, address: Address) -> GitHttp:
        if address.url not in self._servers:
            self._servers[address.url] = GitHttp(address, settings=self._remote.at(address).settings)
        return self._servers[address.url]


def place_of(href: str, where: Address) -> tuple[Address, str]:
    """The server that `href` is on, and the rest of it, which may hold a secret; `where` is who names it.

    Raises SourceInvalid.
    """
    try:
        parts = urlsplit(href)
        if not _WRITTEN.fullmatch(href) or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise ValueError
        address = parse_url(f"{parts.scheme}://{parts.netloc}/x")[0]
    except ValueError:
        raise SourceInvalid(f"{where} names no http address for it.") from None
    if where.scheme == "https" and address.scheme == "http":
        raise SourceInvalid(f"{where} sends us to {address.host} for it, without https.")
    rest = f"{parts.path.removeprefix('/')}{'?' if parts.query else ''}{parts.query}"
    return replace(address, url=address.url.removesuffix("/x")), rest
