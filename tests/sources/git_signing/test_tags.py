"""A tag vouches for its commit where it may, and a commit for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource import SignedBy
from flowsource.errors import UnverifiedRevision
from flowsource.snapshots.cache import SnapshotCache
from tests.sources.git_signing.signed import Signed, SshKey, source_of, written
from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio


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
