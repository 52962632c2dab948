"""Only what is signed by those that count, with real keys and real signatures of Git."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowsource import SignedBy
from flowsource.errors import InvalidInput, SourceInvalid, UnverifiedRevision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.signing.gpg import judge
from flowsource.sources.git.signing.signatures import (
    BadSignature,
    Signature,
    name_of_tag,
    signature_of_commit,
    signature_of_tag,
)
from tests.sources.contract import fetched, files_in
from tests.support.git_server import GitServer, git_server
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"


@dataclass(frozen=True, slots=True)
class SshKey:
    """A key of SSH, and the line that allows it to `ada@example.org`."""

    file: Path

    @classmethod
    def make(cls, at: Path) -> SshKey:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", at], check=True)
        return cls(at)

    def allowed(self, *, options: str = "") -> str:
        public = self.file.with_suffix(".pub").read_text().strip()
        return f"ada@example.org {options} {public}\n"

    @property
    def settings(self) -> list[str]:
        return ["gpg.format=ssh", f"user.signingkey={self.file}"]


@dataclass(frozen=True, slots=True)
class GpgKey:
    """A key of GPG in a home of its own, by its fingerprint."""

    home: Path
    name: str
    # The time that it lives in, as gpg is told it; empty for now.
    at: str = ""

    @classmethod
    def make(cls, home: Path, name: str, *, at: str = "", expires: str = "never") -> GpgKey:
        key = cls(home, f"{name} <{name}@example.org>", at)
        key.gpg("--passphrase", "", "--quick-generate-key", key.name, "ed25519", "sign", expires)
        return key

    def gpg(self, *arguments: str, given: bytes = b"") -> bytes:
        command = ["gpg", *self._options, "--quiet", "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(command, check=True, input=given, capture_output=True).stdout

    def export(self, to: Path) -> Path:
        to.write_bytes(self.gpg("--armor", "--export", self.name))
        return to

    @property
    def fingerprint(self) -> str:
        listed = self.gpg("--with-colons", "--list-keys", self.name).decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    @property
    def settings(self) -> list[str]:
        program = self.home / "program"
        program.write_text(f'#!/bin/sh\nexec gpg {" ".join(self._options)} "$@"\n')
        program.chmod(0o700)
        return [f"user.signingkey={self.name}", f"gpg.program={program}"]

    @property
    def _options(self) -> list[str]:
        return ["--homedir", str(self.home), "--batch", *(["--faked-system-time", self.at] if self.at else [])]


@dataclass(frozen=True, slots=True)
class Signed:
    """A repository that real Git commits to."""

    path: Path

    def git(self, *arguments: str, settings: Sequence[str] = (), given: bytes | None = None) -> str:
        chosen = [part for one in ["user.name=Ada", "user.email=ada@example.org", *settings] for part in ("-c", one)]
        environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "-C", str(self.path), *chosen, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, env=environment, input=given)
        return done.stdout.decode().strip()

    def commit(self, text: str, key: SshKey | GpgKey | None = None) -> str:
        (self.path / "flows.py").write_text(text)
        self.git("add", ".")
        signing = ["-S"] if key is not None else []
        self.git("commit", "-q", "-m", "Change", *signing, settings=key.settings if key is not None else ())
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, key: SshKey | GpgKey | None = None) -> str:
        signing = ["-s"] if key is not None else ["-a"]
        self.git("tag", "-f", *signing, "-m", "Release", name, settings=key.settings if key is not None else ())
        return self.git("rev-parse", f"refs/tags/{name}")


@pytest.fixture
def repository(tmp_path: Path) -> Signed:
    requires("git")
    requires("ssh-keygen")
    path = tmp_path / "served" / "flows"
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    return Signed(path)


@pytest.fixture
def server(repository: Signed) -> Iterator[GitServer]:
    with git_server(repository.path.parent) as server:
        yield server


@pytest.fixture
def key(tmp_path: Path) -> SshKey:
    return SshKey.make(tmp_path / "key")


@pytest.fixture
def stranger(tmp_path: Path) -> SshKey:
    return SshKey.make(tmp_path / "stranger")


@pytest.fixture
def signers(tmp_path: Path, key: SshKey) -> Path:
    path = tmp_path / "allowed_signers"
    path.write_text(key.allowed())
    return path


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


async def written(source: GitRepository, at: Path, *, name: str = "fetched") -> bytes:
    return files_in(await fetched(source, await source.resolve(), at, name=name))["flows.py"]


def source_of(server: GitServer, verify: SignedBy, *, tag: str | None = None) -> GitRepository:
    return GitRepository(server.url("flows/.git"), verify=verify, tag=tag)


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


class TestTags:
    @pytest.fixture(params=["version 2", "version 0"])
    def server(self, request: pytest.FixtureRequest, server: GitServer) -> GitServer:
        server.protocol_2 = request.param == "version 2"
        return server

    async def test_a_signed_tag_vouches_for_a_commit_that_is_not_signed(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n")
        repository.tag("v1", key)
        verify = SignedBy(ssh_allowed_signers=signers, require="tag")
        assert await written(source_of(server, verify, tag="v1"), tmp_path) == b"A = 1\n"

    async def test_a_commit_that_must_be_signed_is_not_helped_by_its_tag(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n")
        repository.tag("v1", key)
        verify = SignedBy(ssh_allowed_signers=signers, require="commit")
        with pytest.raises(UnverifiedRevision, match="the commit: it is not signed"):
            await written(source_of(server, verify, tag="v1"), tmp_path)

    async def test_a_tag_that_must_be_signed_is_not_helped_by_its_commit(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", key)
        repository.tag("v1")
        verify = SignedBy(ssh_allowed_signers=signers, require="tag")
        with pytest.raises(UnverifiedRevision, match="the tag: it is not signed"):
            await written(source_of(server, verify, tag="v1"), tmp_path)

    async def test_a_light_tag_has_no_signature(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n", key)
        repository.git("tag", "v1")
        strict = SignedBy(ssh_allowed_signers=signers, require="tag")
        with pytest.raises(UnverifiedRevision, match="the tag: it is none that could be signed"):
            await written(source_of(server, strict, tag="v1"), tmp_path)
        either = source_of(server, SignedBy(ssh_allowed_signers=signers), tag="v1")
        assert await written(either, tmp_path, name="second") == b"A = 1\n"

    async def test_a_signed_tag_does_not_count_under_another_name(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n")
        old = repository.tag("v1", key)
        repository.git("update-ref", "refs/tags/v2", old)
        verify = SignedBy(ssh_allowed_signers=signers)
        with pytest.raises(UnverifiedRevision, match="the tag: it calls itself 'v1'"):
            await written(source_of(server, verify, tag="v2"), tmp_path)

    async def test_a_tag_that_is_made_anew_is_looked_at_anew(
        self, server: GitServer, repository: Signed, key: SshKey, signers: Path, tmp_path: Path
    ) -> None:
        repository.commit("A = 1\n")
        repository.tag("v1", key)
        source = source_of(server, SignedBy(ssh_allowed_signers=signers), tag="v1")
        cache = SnapshotCache(tmp_path / "cache")
        first = await source.resolve()
        await cache.ensure(source, first)
        repository.tag("v1")
        second = await source.resolve()
        assert first.id == second.id and first != second
        with pytest.raises(UnverifiedRevision):
            await cache.ensure(source, second)


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


class TestArguments:
    def test_somebody_must_count(self) -> None:
        with pytest.raises(InvalidInput, match="verify: nobody's signature counts"):
            SignedBy()

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"verify: gpg_keys .*absent\.asc cannot be read"):
            SignedBy(gpg_keys=tmp_path / "absent.asc")

    def test_what_is_no_path_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="verify: ssh_allowed_signers 7 is not a path"):
            SignedBy(ssh_allowed_signers=7)  # type: ignore[arg-type]

    def test_an_unknown_requirement_is_refused(self, signers: Path) -> None:
        with pytest.raises(InvalidInput, match="require 'both' is unknown"):
            SignedBy(ssh_allowed_signers=signers, require="both")  # type: ignore[arg-type]

    def test_a_tag_can_be_required_only_where_one_is_followed(self, signers: Path) -> None:
        verify = SignedBy(ssh_allowed_signers=signers, require="tag")
        with pytest.raises(InvalidInput, match="give tag="):
            GitRepository("https://example.org/x.git", branch="main", verify=verify)
        GitRepository("https://example.org/x.git", ref="refs/tags/v1", verify=verify)

    def test_anything_else_says_nothing_of_signatures(self) -> None:
        with pytest.raises(InvalidInput, match=r"verify: bool says nothing of signatures; give SignedBy"):
            GitRepository("https://example.org/x.git", verify=True)  # type: ignore[arg-type]
