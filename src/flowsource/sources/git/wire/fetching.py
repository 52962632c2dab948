"""Asking for objects in version 2 of the protocol: one request, and a pack in the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dulwich.errors import GitProtocolError

from flowsource.sources.git.wire.packets import Body, read_line, request


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is wanted of a server: objects by id, with what they lead to.

    `haves` are commits that are here, without their history where they are `shallow`. `depth` is how much history is
    wanted, None for all of it. `filter` leaves out what Git's filters leave out, such as `blob:none`. A thin pack may
    build upon what is here.
    """

    wants: Sequence[str]
    haves: Sequence[str] = ()
    shallow: Sequence[str] = ()
    depth: int | None = 1
    filter: str | None = None
    is_thin: bool = True

    def body(self, object_format: str) -> bytes:
        """The request as it is sent.

        For a commit without history a server leaves out what is here in a thin pack only.
        """
        arguments = [
            *(["thin-pack"] if self.is_thin else []),
            "ofs-delta",
            *(f"want {one}" for one in self.wants),
            *(f"shallow {one}" for one in self.shallow),
        ]
        arguments += [f"deepen {self.depth}"] if self.depth is not None else []
        arguments += [f"filter {self.filter}"] if self.filter is not None else []
        arguments += [*(f"have {one}" for one in self.haves), "done"]
        return request("fetch", arguments, object_format=object_format)


def read_pack(answer: Body, *, receive: Callable[[bytes], int], progress: Callable[[bytes], None]) -> None:
    """Hand the pack in an answer to `receive`, piece by piece, and what the server says beside it to `progress`.

    Raises GitProtocolError with what the server says instead, or for an answer that makes no sense.
    """
    section = b""
    while (line := read_line(answer)) is not None:
        if section != b"packfile":
            if line.startswith(b"ERR "):
                raise GitProtocolError(line[4:].decode(errors="replace"))
            if not section or line.strip() == b"packfile":
                section = line.strip()
        elif line[:1] == b"\1":
            receive(line[1:])
        elif line[:1] == b"\2":
            progress(line[1:])
        elif line[:1] == b"\3":
            raise GitProtocolError(line[1:].decode(errors="replace"))
        else:
            raise GitProtocolError("the answer has a band that there is not")
    if section != b"packfile":
        raise GitProtocolError("the answer holds no objects")
