"""Whether a webhook comes from who has the secret: judged over the raw body, by the rules of each kind of sender."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

# A signed instant must be this near, in either direction, to our clock.
TOLERANCE = timedelta(minutes=5)

_STANDARD_SECRET = b"whsec_"
# A secret is changed by signing with the old one and the new one for a while; nobody needs more than a few.
_MOST_SIGNATURES = 8


def remembered_as(headers: Mapping[str, str], body: bytes, secret: bytes, *, now: datetime) -> str | None:
    """What to remember a delivery by, so that it counts once; None when it is not from who has `secret`.

    `headers` are those of the request, by lower-case name. What kind of sender it is, its headers say; a secret that
    begins with `whsec_` is of the kind that signs an id and an instant too, and then nothing else is taken.
    """
    if secret.startswith(_STANDARD_SECRET):
        return _standard(headers, body, secret, now)
    # The first that is there counts: one that is wrong is not made good by another.
    for header, judge in _BY_HEADER.items():
        if header in headers:
            return judge(headers[header], body, secret)
    return None


def is_usable(secret: bytes) -> bool:
    """Whether `secret` is long enough not to be guessed, and of the form that it claims."""
    if secret.startswith(_STANDARD_SECRET):
        key = _standard_key(secret)
        return key is not None and len(key) >= 16
    return len(secret) >= 16


def _standard(headers: Mapping[str, str], body: bytes, secret: bytes, now: datetime) -> str | None:
    """As standardwebhooks.com says, and GitLab's signing tokens do: an HMAC over id, instant and body."""
    try:
        identity, instant, given = (headers[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    except KeyError:
        return None
    key = _standard_key(secret)
    if key is None or not identity or not _is_near(instant, now):
        return None
    wanted = hmac.digest(key, f"{identity}.{instant}.".encode("latin-1") + body, "sha256")
    text = b"v1," + base64.b64encode(wanted)
    matches = [hmac.compare_digest(text, one.encode("latin-1")) for one in given.split(" ")[:_MOST_SIGNATURES]]
    return f"id {identity}" if any(matches) else None


def _standard_key(secret: bytes) -> bytes | None:
    try:
        return base64.b64decode(secret.removeprefix(_STANDARD_SECRET), validate=True)
    except binascii.Error:
        return None


def _is_near(instant: str, now: datetime) -> bool:
    if not (instant.isascii() and instant.isdigit() and len(instant) <= 12):
        return False
    return abs(int(instant) - now.timestamp()) <= TOLERANCE.total_seconds()


def _prefixed(given: str, body: bytes, secret: bytes) -> str | None:
    """GitHub's form, and that of Bitbucket under another name: `sha256=` and the hexadecimal HMAC of the body."""
    return _bare(given.removeprefix("sha256="), body, secret) if given.startswith("sha256=") else None


def _bare(given: str, body: bytes, secret: bytes) -> str | None:
    """The form of Gitea and Forgejo: the hexadecimal HMAC of the body."""
    wanted = hmac.new(secret, body, hashlib.sha256).hexdigest()
    # By the signature, not by the id that a sender gives each delivery: that is not signed, and could be changed.
    return f"signature {wanted}" if hmac.compare_digest(wanted.encode(), given.encode("latin-1")) else None


def _token(given: str, body: bytes, secret: bytes) -> str | None:
    """GitLab's older form: the secret itself, which says nothing about the body."""
    # Digests are compared, so that not even the length of the secret can be learned.
    one, other = (hashlib.sha256(text).digest() for text in (given.encode("latin-1"), secret))
    return f"body {hashlib.sha256(body).hexdigest()}" if hmac.compare_digest(one, other) else None


_BY_HEADER: Mapping[str, Callable[[str, bytes, bytes], str | None]] = {
    "x-hub-signature-256": _prefixed,
    "x-forgejo-signature": _bare,
    "x-gitea-signature": _bare,
    # Bitbucket's; of others this is a SHA-1, which has another prefix and is not taken.
    "x-hub-signature": _prefixed,
    "x-gitlab-token": _token,
}
