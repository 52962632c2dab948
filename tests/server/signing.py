"""Webhooks as each kind of sender signs them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

SECRET = b"a secret of nobody"
STANDARD = b"whsec_" + base64.b64encode(bytes(range(32)))

Signer = Callable[[bytes], Mapping[str, str]]


def _digest(body: bytes) -> str:
    return hmac.new(SECRET, body, hashlib.sha256).hexdigest()


def github(body: bytes) -> Mapping[str, str]:
    """As GitHub does, which still sends the older form beside."""
    return {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature": "sha1=" + hmac.new(SECRET, body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": f"sha256={_digest(body)}",
    }


def gitea(body: bytes) -> Mapping[str, str]:
    """As Gitea does."""
    return {"X-Gitea-Event": "push", "X-Gitea-Signature": _digest(body)}


def forgejo(body: bytes) -> Mapping[str, str]:
    """As Forgejo does."""
    return {"X-Forgejo-Signature": _digest(body), "X-Gitea-Signature": _digest(body)}


def bitbucket(body: bytes) -> Mapping[str, str]:
    """As Bitbucket does, in the cloud or not."""
    return {"X-Event-Key": "repo:push", "X-Hub-Signature": f"sha256={_digest(body)}"}


def gitlab(body: bytes) -> Mapping[str, str]:
    """As GitLab does with a secret token."""
    return {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET.decode()}


def standard(body: bytes, *, at: int, identity: str = "msg_1", secret: bytes = STANDARD) -> Mapping[str, str]:
    """As GitLab does with a signing token, and whoever keeps to standardwebhooks.com."""
    key = base64.b64decode(secret.removeprefix(b"whsec_"))
    digest = hmac.digest(key, f"{identity}.{at}.".encode() + body, "sha256")
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


SIGNERS: Mapping[str, Signer] = {signer.__name__: signer for signer in (github, gitea, forgejo, bitbucket, gitlab)}
