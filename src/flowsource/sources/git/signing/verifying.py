"""Whether a revision carries a signature that counts."""

from __future__ import annotations

import os

from flowsource.errors import UnverifiedRevision
from flowsource.sources.git.refs import TAGS
from flowsource.sources.git.signing.gpg import check_gpg
from flowsource.sources.git.signing.signatures import (
    BadSignature,
    Signature,
    name_of_tag,
    signature_of_commit,
    signature_of_tag,
)
from flowsource.sources.git.signing.signed import SignedBy
from flowsource.sources.git.signing.ssh import check_ssh
from flowsource.sources.git.store.objects import Objects
from flowsource.sources.git.text import harmless


def verify(objects: Objects, commit: str, *, tag: str | None, ref: str | None, wanted: SignedBy) -> str:
    """Who signed `commit`, or the object `tag` that the ref leads to the commit by.

    Raises UnverifiedRevision saying what was found and what is required; DamagedObjects; SourceInvalid where a program
    is missing that it takes.
    """
    tried: list[str] = []
    if tag is not None and wanted.require != "commit":
        try:
            return _signer(_of_tag(objects, tag, commit, ref), wanted)
        except BadSignature as error:
            tried.append(f"the tag: {error}")
    elif wanted.require == "tag":
        tried.append("the tag: it is none that could be signed, made without -s or -a")
    if wanted.require != "tag":
        try:
            return _signer(signature_of_commit(objects.read(commit, "commit"), id_size=len(commit) // 2), wanted)
        except BadSignature as error:
            tried.append(f"the commit: {error}")
    what = {"commit": "a signed commit", "tag": "a signed tag", "either": "a signed commit or tag"}[wanted.require]
    raise UnverifiedRevision(commit, required=what, found="; ".join(tried))


def _of_tag(objects: Objects, tag: str, commit: str, ref: str | None) -> Signature | None:
    data = objects.read(tag, "tag")
    if objects.commit(tag).id.decode("ascii") != commit:
        raise BadSignature("it leads to another commit")
    # Or whoever may move refs could give out an old release as a new one.
    name = name_of_tag(data)
    if ref is None or name is None or os.fsencode(ref) != TAGS.encode() + name:
        called = harmless(os.fsdecode(name)) if name is not None else ""
        raise BadSignature(f"it calls itself {called!r}")
    return signature_of_tag(data)


def _signer(signature: Signature | None, wanted: SignedBy) -> str:
    if signature is None:
        raise BadSignature("it is not signed")
    if signature.is_ssh:
        if not wanted.signers:
            raise BadSignature("it is signed with a key of SSH, and no ssh_allowed_signers were given")
        return check_ssh(signature, wanted.signers[0])
    if signature.is_gpg:
        if not wanted.keys:
            raise BadSignature("it is signed with a key of GPG, and no gpg_keys were given")
        return check_gpg(signature, wanted.keys)
    raise BadSignature("its signature is neither one of SSH nor one of GPG")
