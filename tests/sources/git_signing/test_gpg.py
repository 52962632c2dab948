"""Only what is signed with the GPG keys of those that count."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flowsource import SignedBy
from flowsource.errors import SourceInvalid, UnverifiedRevision
from flowsource.sources.git.signing.gpg import judge
from flowsource.sources.git.signing.signatures import BadSignature
from tests.sources.git_signing.signed import GpgKey, Signed, SshKey, source_of, written
from tests.support.git_server import GitServer
from tests.support.parts import requires

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def gpg_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short path: the socket of an agent lies in it."""
    requires("gpg")
    home = tmp_path_factory.mktemp("gpg")
    yield home
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


@pytest.fixture(scope="module")
def gpg_key(gpg_home: Path) -> GpgKey:
    return GpgKey.make(gpg_home, "ada")


class TestGpg:
    async def test_a_commit_of_one_who_counts_is_taken(
        self, server: GitServer, repository: Signed, gpg_key: GpgKey, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", gpg_key)
        verify = SignedBy(gpg_keys=gpg_key.export(tmp_path / "ada.asc"))
        assert await written(source_of(server, verify), tmp_path) == b"A = 1\n"

    async def test_several_files_of_keys_count_together(
        self, server: GitServer, repository: Signed, gpg_home: Path, gpg_key: GpgKey, tmp_path: Path
    ) -> None:
        other = GpgKey.make(gpg_home, "bob")
        repository.commit("A = 1\n", other)
        files = [gpg_key.export(tmp_path / "ada.asc"), other.export(tmp_path / "bob.asc")]
        assert await written(source_of(server, SignedBy(gpg_keys=files)), tmp_path) == b"A = 1\n"
        with pytest.raises(UnverifiedRevision, match="not one of those given"):
            await written(source_of(server, SignedBy(gpg_keys=files[:1])), tmp_path, name="second")

    async def test_a_commit_that_was_altered_is_refused(
        self, server: GitServer, repository: Signed, gpg_key: GpgKey, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", gpg_key)
        raw = repository.git("cat-file", "commit", "HEAD").replace("Change", "Charge") + "\n"
        forged = repository.git("hash-object", "-t", "commit", "-w", "--stdin", given=raw.encode())
        repository.git("update-ref", "refs/heads/main", forged)
        with pytest.raises(UnverifiedRevision, match="altered"):
            await written(source_of(server, SignedBy(gpg_keys=gpg_key.export(tmp_path / "ada.asc"))), tmp_path)

    async def test_a_key_that_was_revoked_is_refused(
        self, server: GitServer, repository: Signed, gpg_home: Path, tmp_path: Path
    ) -> None:
        key = GpgKey.make(gpg_home, "carol")
        repository.commit("A = 1\n", key)
        revocation = gpg_home / "openpgp-revocs.d" / f"{key.fingerprint}.rev"
        # What gpg keeps for that day is made unusable by a colon, so that nobody imports it by mistake.
        key.gpg("--import", given=revocation.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
        with pytest.raises(UnverifiedRevision, match="revoked"):
            await written(source_of(server, SignedBy(gpg_keys=key.export(tmp_path / "carol.asc"))), tmp_path)

    async def test_a_key_that_has_expired_is_refused(
        self, server: GitServer, repository: Signed, gpg_home: Path, tmp_path: Path
    ) -> None:
        key = GpgKey.make(gpg_home, "dan", at="20200101T000000", expires="1y")
        # A day later: for each process time begins at what it is told, and making a key may take more than a second.
        key = replace(key, at="20200102T000000")
        repository.commit("A = 1\n", key)
        exported = key.export(tmp_path / "dan.asc")
        with pytest.raises(UnverifiedRevision, match="expired"):
            await written(source_of(server, SignedBy(gpg_keys=exported)), tmp_path)

    async def test_a_signed_tag_counts(
        self, server: GitServer, repository: Signed, gpg_key: GpgKey, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n")
        repository.tag("v1", gpg_key)
        verify = SignedBy(gpg_keys=gpg_key.export(tmp_path / "ada.asc"), require="tag")
        assert await written(source_of(server, verify, tag="v1"), tmp_path) == b"A = 1\n"

    async def test_a_file_that_holds_no_keys_is_named(
        self, server: GitServer, repository: Signed, gpg_key: GpgKey, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", gpg_key)
        (tmp_path / "none.asc").write_text("none\n")
        with pytest.raises(SourceInvalid, match=r"gpg_keys .*none\.asc holds no public keys"):
            await written(source_of(server, SignedBy(gpg_keys=tmp_path / "none.asc")), tmp_path)

    async def test_a_kind_of_key_that_was_not_given_does_not_count(
        self, server: GitServer, repository: Signed, gpg_key: GpgKey, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", gpg_key)
        with pytest.raises(UnverifiedRevision, match="no gpg_keys were given"):
            await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path)
        repository.commit("A = 2\n", key)
        verify = SignedBy(gpg_keys=gpg_key.export(tmp_path / "ada.asc"))
        with pytest.raises(UnverifiedRevision, match="no ssh_allowed_signers were given"):
            await written(source_of(server, verify), tmp_path, name="second")


class TestVerdicts:
    GOOD = "[GNUPG:] GOODSIG AB Ada <ada@example.org>\n[GNUPG:] VALIDSIG ABCDEF 2025\n"

    def test_a_good_one_tells_whose_it_is(self) -> None:
        assert judge(self.GOOD, 0) == "Ada <ada@example.org> with the key ABCDEF"

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("", 0),
            (GOOD, 1),
            (GOOD + GOOD, 0),
            (GOOD + "[GNUPG:] BADSIG CD Eve\n", 0),
            ("[GNUPG:] GOODSIG AB Ada\n", 0),
            ("[GNUPG:] EXPKEYSIG AB Ada\n[GNUPG:] VALIDSIG AB\n", 0),
            ("[GNUPG:] REVKEYSIG AB Ada\n[GNUPG:] VALIDSIG AB\n", 0),
            ("[GNUPG:] GOODSIG AB Ada\u2028[GNUPG:] VALIDSIG AB 2025\n", 0),
            ("gpg: [GNUPG:] GOODSIG AB Ada\ngpg: [GNUPG:] VALIDSIG AB\n", 0),
        ],
    )
    def test_anything_else_does_not_count(self, status: str, code: int) -> None:
        with pytest.raises(BadSignature):
            judge(status, code)
