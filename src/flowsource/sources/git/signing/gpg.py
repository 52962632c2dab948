"""Signatures made with keys of GPG, checked by `gpg` with no keys but those that count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flowsource.errors import SourceInvalid
from flowsource.sources.git.signing.programs import ask, private_directory
from flowsource.sources.git.signing.signatures import BadSignature, Signature
from flowsource.sources.git.text import harmless

# Alone with its files: no settings of anybody's, no keys from elsewhere, no agent left behind.
_GPG: Final = ("gpg", "--no-options", "--batch", "--no-tty", "--quiet", "--no-autostart", "--trust-model", "always")
_ALONE: Final = ("--no-auto-key-retrieve", "--no-auto-key-locate", "--no-auto-check-trustdb")
_STATUS: Final = re.compile(r"\[GNUPG:\] (\S+) ?(.*)")
_WHY: Final = {
    "BADSIG": "its signature does not fit it: it was altered",
    "EXPSIG": "its signature has expired",
    "EXPKEYSIG": "it is signed with a key that has expired",
    "REVKEYSIG": "it is signed with a key that was revoked",
    "NO_PUBKEY": "it is signed with a key that is not one of those given",
}


def check_gpg(signature: Signature, keys: Sequence[Path]) -> str:
    """Whose key in the files `keys` made the signature; raises BadSignature, and SourceInvalid for files of no use."""
    with private_directory() as home:
        alone = [*_GPG, *_ALONE, "--homedir", str(home)]
        for path in keys:
            # Read here and handed over: a path that begins with a dash would be an option.
            done = ask([*alone, "--import"], home=home, package="gnupg", given=_content(path))
            if done.returncode:
                raise SourceInvalid(f"verify: gpg_keys {path} holds no public keys that can be read; correct it.")
        file = home / "signature"
        file.touch(0o600)
        file.write_bytes(signature.text)
        asked = [*alone, "--status-fd", "1", "--verify", str(file), "-"]
        done = ask(asked, home=home, package="gnupg", given=signature.payload)
    return judge(done.stdout.decode(errors="replace"), done.returncode)


def judge(status: str, code: int) -> str:
    """Who made a signature, by what gpg says of it and its exit code; raises BadSignature unless all of it is good.

    A bad signature beside a good one shows as two verdicts, and does not count.
    """
    # Not by every letter that ends a line somewhere: a user's name may hold one.
    said = [(found[1], found[2]) for found in map(_STATUS.match, status.split("\n")) if found]
    for word, facts in said:
        if word in _WHY:
            raise BadSignature(harmless(f"{_WHY[word]} ({facts})"))
    good = [facts for word, facts in said if word == "GOODSIG"]
    valid = [facts for word, facts in said if word == "VALIDSIG"]
    if code or len(good) != 1 or len(valid) != 1:
        raise BadSignature("gpg does not find it good")
    _, _, user = good[0].partition(" ")
    return harmless(f"{user} with the key {valid[0].partition(' ')[0]}")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceInvalid(f"verify: gpg_keys {path} cannot be read ({error.strerror}); bring it back.") from error
