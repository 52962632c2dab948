"""Where a signature stands in a commit or a tag, and what exactly was signed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HEADERS: Final = (b"gpgsig", b"gpgsig-sha256")
_LONGEST: Final = 256 << 10
_BEGIN: Final = re.compile(rb"^-----BEGIN (PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----", re.MULTILINE)


class BadSignature(Exception):
    """A signature that does not count; the text says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as text, and the bytes that it was made for."""

    text: bytes
    payload: bytes

    @property
    def is_ssh(self) -> bool:
        """Whether a key of SSH made it."""
        return self.text.startswith(b"-----BEGIN SSH SIGNATURE-----")

    @property
    def is_gpg(self) -> bool:
        """Whether a key of GPG made it."""
        return self.text.startswith(b"-----BEGIN PGP SIGNATURE-----")


def signature_of_commit(data: bytes, *, id_size: int) -> Signature | None:
    """The signature of a raw commit, or None for one without.

    Raises BadSignature for one with several: it could be verified by one, and shown by another. What was signed is the
    commit without any such header, byte by byte: nothing is written anew that could come out otherwise.
    """
    own = _HEADERS[id_size == 32]
    signatures: list[bytes] = []
    payload: list[bytes] = []
    head, rest = _split_head(data)
    inside: bytes | None = None
    for line in head:
        name, _, value = line.partition(b" ")
        if inside is not None and line.startswith(b" "):
            if inside == own:
                signatures[-1] += line[1:]
            continue
        inside = name if name in _HEADERS else None
        if inside is None:
            payload.append(line)
        elif inside == own:
            signatures.append(value)
    if len(signatures) > 1:
        raise BadSignature("it carries several signatures")
    return _signature(signatures[0], b"".join(payload) + rest) if signatures else None


def signature_of_tag(data: bytes) -> Signature | None:
    """The signature of a raw tag, which stands at its end, or None for one without."""
    begins = [found.start() for found in _BEGIN.finditer(data)]
    return _signature(data[begins[-1] :], data[: begins[-1]]) if begins else None


def name_of_tag(data: bytes) -> bytes | None:
    """What a raw tag calls itself; None where it does not say so exactly once."""
    names = [line[4:].rstrip(b"\n") for line in _split_head(data)[0] if line.startswith(b"tag ")]
    return names[0] if len(names) == 1 else None


def _signature(text: bytes, payload: bytes) -> Signature:
    if len(text) > _LONGEST:
        raise BadSignature(f"its signature is longer than {_LONGEST >> 10} KiB")
    return Signature(text, payload)


def _split_head(data: bytes) -> tuple[list[bytes], bytes]:
    """The lines before the first empty one, each with its end, and all that follows."""
    end = data.find(b"\n\n") + 1
    return (data[:end].splitlines(keepends=True), data[end:]) if end else (data.splitlines(keepends=True), b"")
