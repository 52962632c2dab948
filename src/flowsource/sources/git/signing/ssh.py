"""Signatures made with keys of SSH, checked as Git does it: by `ssh-keygen`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from flowsource.sources.git.signing.programs import ask, private_directory
from flowsource.sources.git.signing.signatures import BadSignature, Signature
from flowsource.sources.git.text import harmless

# What Git signs for: a signature that the same key made for something else does not count.
_NAMESPACE: Final = "git"
_KEY: Final = re.compile(r"with (\S+) key (SHA256:\S+)")


def check_ssh(signature: Signature, allowed: Path) -> str:
    """Who of those in the file `allowed` made the signature; raises BadSignature."""
    with private_directory() as home:
        file = home / "signature"
        file.touch(0o600)
        file.write_bytes(signature.text)

        def keygen(action: str, *more: str | os.PathLike[str], given: bytes = b"") -> CompletedProcess[bytes]:
            arguments = ["ssh-keygen", "-Y", action, "-s", file, *more]
            return ask(arguments, home=home, package="openssh-client", given=given)

        # First without asking whose it is, so that the error can tell a foreign key from an altered commit.
        told = keygen("check-novalidate", "-n", _NAMESPACE, given=signature.payload)
        if told.returncode:
            raise BadSignature("its signature does not fit it: it was altered, or not signed for Git")
        key = _KEY.search(told.stdout.decode(errors="replace"))
        which = f"the {key[1]} key {key[2]}" if key else "a key"
        for principal in _principals(keygen("find-principals", "-f", allowed)):
            done = keygen("verify", "-f", allowed, "-n", _NAMESPACE, "-I", principal, given=signature.payload)
            if done.returncode == 0:
                return harmless(f"{principal} with {which}")
    raise BadSignature(harmless(f"it is signed with {which}, which is not one of {allowed}, or not valid now"))


def _principals(found: CompletedProcess[bytes]) -> Sequence[str]:
    """The names that the key may go by, from lines of the file; each line may have several, and what is no name."""
    if found.returncode:
        return ()
    names = found.stdout.decode(errors="surrogateescape").replace("\n", ",").split(",")
    return [name for name in names if name and not name.startswith("!")]
