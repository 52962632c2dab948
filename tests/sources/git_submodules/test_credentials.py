"""Submodules elsewhere are asked for without our credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import AuthenticationFailed
from flowsource.sources.git.credentials import GitCredentials
from flowsource.sources.git.repository import GitRepository
from tests.sources.git_submodules.laid import LIBRARY, commit_with, flows, library, section, written
from tests.sources.served import SECRET
from tests.support.git_server import GitServer, Refuse

pytestmark = pytest.mark.anyio


class TestCredentials:
    def source(self, server: GitServer) -> GitRepository:
        return GitRepository(
            server.url("flows.git"), include_submodules=True, credentials=GitCredentials(access_token=SECRET)
        )

    async def test_a_submodule_on_the_same_server_is_asked_for_with_them(
        self, private: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", private.url("library.git")), {"lib": library(served).tip()})
        assert await written(self.source(private), tmp_path) == LIBRARY

    async def test_one_on_another_port_is_asked_for_without(
        self, private: GitServer, elsewhere: GitServer, served: Path, tmp_path: Path
    ) -> None:
        tip = library(elsewhere.root).tip()
        flows(served, section("lib", elsewhere.url("library.git")), {"lib": tip})
        assert await written(self.source(private), tmp_path) == LIBRARY
        assert elsewhere.log and not elsewhere.authorizations

    async def test_one_that_leads_back_from_elsewhere_is_asked_for_without(
        self, private: GitServer, elsewhere: GitServer, served: Path, tmp_path: Path
    ) -> None:
        secret = library(served)
        between = FixtureRepository.create(elsewhere.root / "between.git")
        commit_with(between, section("back", private.url("library.git")), {"back": secret.tip()})
        flows(served, section("lib", elsewhere.url("between.git")), {"lib": between.tip()})
        with pytest.raises(AuthenticationFailed, match="submodule 'lib/back'"):
            await written(self.source(private), tmp_path)

    async def test_a_server_that_wants_some_is_named_with_the_submodule(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        server.misbehave(Refuse(status=401), on="library.git")
        with pytest.raises(AuthenticationFailed, match=r"submodule 'lib': .*library\.git asks for credentials"):
            await written(GitRepository(server.url("flows.git"), include_submodules=True), tmp_path)
