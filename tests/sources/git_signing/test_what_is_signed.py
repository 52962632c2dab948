"""Which bytes of a commit or a tag are its signature, and which it signs."""

from __future__ import annotations

import pytest

from flowsource.sources.git.signing.signatures import (
    BadSignature,
    Signature,
    name_of_tag,
    signature_of_commit,
    signature_of_tag,
)

pytestmark = pytest.mark.anyio

SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"


class TestWhatIsSigned:
    COMMIT = (
        b"tree 1\nauthor a\ncommitter c\ngpgsig " + SIGNATURE.rstrip().replace(b"\n", b"\n ") + b"\ngpgsig x\n y\n\nm\n"
    )

    def test_a_commit_is_signed_without_what_signs_it(self) -> None:
        one = b"tree 1\nauthor a\ngpgsig " + SIGNATURE.rstrip().replace(b"\n", b"\n ") + b"\nencoding x\n\ngpgsig no\n"
        found = signature_of_commit(one, id_size=20)
        assert found == Signature(SIGNATURE, b"tree 1\nauthor a\nencoding x\n\ngpgsig no\n")

    def test_a_signature_by_the_other_hash_is_left_out_too(self) -> None:
        one = b"tree 1\ngpgsig-sha256 a\n b\ngpgsig c\n d\n\nm\n"
        assert signature_of_commit(one, id_size=20) == Signature(b"c\nd\n", b"tree 1\n\nm\n")
        assert signature_of_commit(one, id_size=32) == Signature(b"a\nb\n", b"tree 1\n\nm\n")

    def test_a_tag_that_was_merged_is_no_signature_of_the_commit(self) -> None:
        one = b"tree 1\nmergetag object 2\n gpgsig x\n -----BEGIN PGP SIGNATURE-----\n\nm\n"
        assert signature_of_commit(one, id_size=20) is None

    def test_a_commit_with_two_signatures_is_refused(self) -> None:
        with pytest.raises(BadSignature, match="several"):
            signature_of_commit(self.COMMIT, id_size=20)

    def test_a_signature_without_end_is_refused(self) -> None:
        with pytest.raises(BadSignature, match="longer"):
            signature_of_commit(b"tree 1\ngpgsig " + b"x" * (1 << 20) + b"\n\nm\n", id_size=20)

    def test_a_tag_is_signed_up_to_its_signature(self) -> None:
        head = b"object 1\ntag v1\n\nmessage\n"
        assert signature_of_tag(head + SIGNATURE) == Signature(SIGNATURE, head)
        assert signature_of_tag(head) is None

    def test_a_tag_has_one_name(self) -> None:
        assert name_of_tag(b"object 1\ntag v1\n\ntag v2\n") == b"v1"
        assert name_of_tag(b"object 1\ntag v1\ntag v2\n\n") is None
