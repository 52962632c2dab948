"""Submodules are never a way to anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceInvalid, UnsafeTree
from flowsource.sources.git.repository import GitRepository
from tests.sources.git_submodules.laid import LINK, commit_with, flows, library, section, written
from tests.sources.served import SECRET
from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio


class TestHostile:
    """Each of these is refused before anybody is asked for the submodule, and nothing is written outside."""

    async def refusal(self, server: GitServer, served: Path, tmp_path: Path, gitmodules: str | bytes) -> str:
        flows(served, gitmodules, {"lib": library(served).tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        with pytest.raises(SourceInvalid) as caught:
            await written(source, tmp_path)
        assert not any("library" in exchange.path for exchange in server.log)
        assert {path.name for path in tmp_path.iterdir()} <= {"served", "workspace", "fetched"}
        return str(caught.value)

    async def test_a_url_that_asks_for_a_helper_program(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        error = await self.refusal(server, served, tmp_path, section("lib", "ext::sh -c touch% /tmp/owned"))
        assert "submodule 'lib'" in error and "helper program" in error

    async def test_a_url_that_is_an_option(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        error = await self.refusal(server, served, tmp_path, section("lib", "-u./payload"))
        assert "begins with a dash" in error

    async def test_a_url_whose_host_is_an_option(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        error = await self.refusal(server, served, tmp_path, section("lib", "ssh://-oProxyCommand=touch/x"))
        assert "submodule 'lib'" in error

    async def test_a_url_with_a_new_line_in_it(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        url = "http://127.0.0.1/%0ahost=example.org/x.git"
        assert "control characters" in await self.refusal(server, served, tmp_path, section("lib", url))

    async def test_a_url_of_a_file_on_this_machine(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        error = await self.refusal(server, served, tmp_path, section("lib", (served / "library.git").as_uri()))
        assert "is of a directory" in error

    async def test_a_path_on_this_machine_for_a_url(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        error = await self.refusal(server, served, tmp_path, section("lib", str(served / "library.git")))
        assert "is of a directory" in error

    async def test_a_relative_url_that_leads_out_of_the_host(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        error = await self.refusal(server, served, tmp_path, section("lib", "../../../example.org/x.git"))
        assert "leads out of the host" in error

    async def test_a_url_with_a_password(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        error = await self.refusal(server, served, tmp_path, section("lib", f"http://u:{SECRET}@127.0.0.1/library"))
        assert "password" in error and SECRET not in error

    async def test_a_name_that_leads_out_of_the_place_for_modules(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        text = section("lib", "../library.git", name="../../hooks")
        assert "is not the name of a submodule" in await self.refusal(server, served, tmp_path, text)

    async def test_a_name_that_does_so_with_backslashes(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        text = section("lib", "../library.git", name="x\\\\..\\\\y")
        assert "is not the name of a submodule" in await self.refusal(server, served, tmp_path, text)

    async def test_a_program_to_update_it_with(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        text = section("lib", "../library.git", 'update = "!touch /tmp/owned"')
        assert "asks for a program to be run" in await self.refusal(server, served, tmp_path, text)

    async def test_a_path_that_leads_out(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        text = section("lib", "../library.git") + section("../outside", "../library.git", name="two")
        assert "'../outside'" in await self.refusal(server, served, tmp_path, text)

    async def test_a_path_that_is_absolute(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        text = section("lib", "../library.git") + section("/etc/x", "../library.git", name="two")
        assert "absolute" in await self.refusal(server, served, tmp_path, text)

    async def test_a_path_in_the_directory_of_git(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        text = section("lib", "../library.git") + section("a/.GIT/hooks", "../library.git", name="two")
        assert "into Git's own" in await self.refusal(server, served, tmp_path, text)

    async def test_a_path_with_a_return_at_its_end(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        # CVE-2025-48384: read with the return and written without, or the other way round.
        text = section('"lib\r"', "../library.git", name="two")
        assert "submodule 'lib': .gitmodules does not say" in await self.refusal(server, served, tmp_path, text)

    async def test_a_path_that_is_an_option(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        text = section("lib", "../library.git") + section("-x", "../library.git", name="two")
        assert "begins with a dash" in await self.refusal(server, served, tmp_path, text)

    async def test_two_that_claim_one_path(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        text = section("lib", "../library.git") + section("lib", "../other.git", name="two")
        assert "two submodules have the path 'lib'" in await self.refusal(server, served, tmp_path, text)

    async def test_a_file_without_end(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        assert "larger than 1 MiB" in await self.refusal(server, served, tmp_path, b"# " + b"x" * (1 << 20))

    async def test_a_file_that_cannot_be_read(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        assert "cannot be read" in await self.refusal(server, served, tmp_path, "[submodule\npath")

    async def test_a_file_of_this_machine_that_is_included(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        included = served / "included"
        included.write_text(section("lib", "../library.git"))
        error = await self.refusal(server, served, tmp_path, f"[include]\n\tpath = {included}\n")
        assert "does not say where it is" in error

    async def test_a_link_in_its_place(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        library(served)
        repository = FixtureRepository.create(served / "flows.git")
        commit_with(repository, "/etc/passwd", {"lib": "ab" * 20}, kind=LINK)
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        with pytest.raises(UnsafeTree, match="gitmodules"):
            await written(source, tmp_path)
