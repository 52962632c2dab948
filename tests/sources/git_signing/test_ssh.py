"""Only what is signed with the SSH keys of those that count."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from flowsource import SignedBy
from flowsource.errors import SourceInvalid, UnverifiedRevision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.repository import GitRepository
from tests.sources.git_signing.signed import Signed, SshKey, source_of, written
from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio


class TestSsh:
    async def test_a_commit_of_one_who_counts_is_taken(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", key)
        assert await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path) == b"A = 1\n"

    async def test_a_commit_without_a_signature_is_refused(
        self, server: GitServer, repository: Signed, signers: Path, tmp_path: Path
    ) -> None:
        commit = repository.commit("A = 1\n")
        with pytest.raises(UnverifiedRevision, match=rf"{commit[:12]} .*the commit: it is not signed") as caught:
            await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path)
        assert caught.value.required == "a signed commit or tag"

    async def test_a_commit_of_a_stranger_is_refused_and_tells_the_key(
        self, server: GitServer, repository: Signed, stranger: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", stranger)
        fingerprint = subprocess.check_output(["ssh-keygen", "-l", "-f", stranger.file], text=True).split()[1]
        with pytest.raises(UnverifiedRevision, match="is not one of") as caught:
            await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path)
        assert fingerprint in str(caught.value)

    async def test_a_commit_that_was_altered_is_refused(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", key)
        raw = repository.git("cat-file", "commit", "HEAD").replace("Change", "Charge") + "\n"
        forged = repository.git("hash-object", "-t", "commit", "-w", "--stdin", given=raw.encode())
        repository.git("update-ref", "refs/heads/main", forged)
        with pytest.raises(UnverifiedRevision, match="altered"):
            await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path)

    @pytest.mark.parametrize(
        "options",
        ['valid-before="20200101"', 'valid-after="29990101"', 'namespaces="file"'],
        ids=["expired", "not valid yet", "for something else"],
    )
    async def test_a_key_that_does_not_count_now_is_refused(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path, options: str
    ) -> None:
        signers.write_text(key.allowed(options=options))
        repository.commit("A = 1\n", key)
        with pytest.raises(UnverifiedRevision):
            await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path)

    async def test_a_line_may_allow_several_names_and_except_others(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        signers.write_text(key.allowed().replace("ada@example.org", "bob@example.org,!eve@example.org,*@example.net"))
        repository.commit("A = 1\n", key)
        assert await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path) == b"A = 1\n"

    async def test_what_the_key_signed_for_something_else_does_not_count(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n")
        raw = repository.git("cat-file", "commit", "HEAD") + "\n"
        signed = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key.file],
            input=raw,
            capture_output=True,
            check=True,
            text=True,
        )
        header = "gpgsig " + signed.stdout.strip().replace("\n", "\n ")
        forged = raw.replace("\n\n", f"\n{header}\n\n", 1)
        commit = repository.git("hash-object", "-t", "commit", "-w", "--stdin", given=forged.encode())
        repository.git("update-ref", "refs/heads/main", commit)
        with pytest.raises(UnverifiedRevision, match="not signed for Git"):
            await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path)

    async def test_a_signer_who_is_added_counts_from_then_on(
        self, server: GitServer, repository: Signed, stranger: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", stranger)
        source = source_of(server, SignedBy(ssh_allowed_signers=signers))
        cache, revision = SnapshotCache(tmp_path / "cache"), await source.resolve()
        with pytest.raises(UnverifiedRevision):
            await cache.ensure(source, revision)
        assert cache.find(source.key, revision) is None
        signers.write_text(signers.read_text() + stranger.allowed())
        await cache.ensure(source, revision)

    async def test_from_a_directory_it_is_required_too(
        self, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        verify = SignedBy(ssh_allowed_signers=signers)
        repository.commit("A = 1\n", key)
        assert await written(GitRepository(repository.path, verify=verify), tmp_path) == b"A = 1\n"
        repository.commit("A = 2\n")
        with pytest.raises(UnverifiedRevision):
            await written(GitRepository(repository.path, verify=verify), tmp_path, name="second")

    async def test_what_was_fetched_without_a_signature_is_not_served_to_who_requires_one(
        self, server: GitServer, repository: Signed, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n")
        cache, easy = SnapshotCache(tmp_path / "cache"), GitRepository(server.url("flows/.git"))
        revision = await easy.resolve()
        await cache.ensure(easy, revision)
        strict = source_of(server, SignedBy(ssh_allowed_signers=signers))
        with pytest.raises(UnverifiedRevision):
            await cache.ensure(strict, revision)

    async def test_no_file_of_it_stays(
        self,
        server: GitServer,
        repository: Signed,
        key: SshKey,
        signers: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        repository.commit("A = 1\n", key)
        await written(source_of(server, SignedBy(ssh_allowed_signers=signers)), tmp_path)
        assert list(temporary.iterdir()) == []

    async def test_without_the_program_the_package_is_named(
        self,
        repository: Signed,
        key: SshKey,
        signers: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        repository.commit("A = 1\n", key)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SourceInvalid, match="ssh-keygen is not installed; install the package openssh-client"):
            await written(GitRepository(repository.path, verify=SignedBy(ssh_allowed_signers=signers)), tmp_path)
