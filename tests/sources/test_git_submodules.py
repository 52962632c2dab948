"""Submodules: taken along when that is asked for, and never a way to anything else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import AuthenticationFailed, SourceInvalid, SourceUnavailable, UnsafeTree
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git import filling
from flowsource.sources.git.credentials import GitCredentials
from flowsource.sources.git.remotes import Remote
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.submodules import parse_gitmodules, resolve_url
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire.http_settings import HttpSettings
from flowsource.sources.git.wire.proxies import Proxy
from tests.sources.contract import fetched, files_in
from tests.support.git_server import GitServer, Refuse, git_server
from tests.support.lfs import LfsObjects
from tests.support.parts import requires
from tests.support.repositories import add_blob, add_tree

pytestmark = pytest.mark.anyio

SECRET = "ghp_Zz9SecretOfThisTest"
FILE, LINK, DIRECTORY, SUBMODULE = 0o100644, 0o120000, 0o40000, 0o160000


@pytest.fixture
def served(tmp_path: Path) -> Path:
    return tmp_path / "served"


@pytest.fixture
def server(served: Path) -> Iterator[GitServer]:
    requires("git")
    served.mkdir()
    with git_server(served) as server:
        yield server


def section(path: str, url: str, *more: str, name: str | None = None) -> str:
    lines = [f'[submodule "{name or path}"]', f"path = {path}", f"url = {url}", *more]
    return "\n\t".join(lines) + "\n"


def library(served: Path, name: str = "library.git", content: str = "VALUE = 1\n") -> FixtureRepository:
    repository = FixtureRepository.create(served / name)
    repository.commit_files({"library.py": content, "deep/inner.py": "\n"})
    return repository


def commit_with(
    repository: FixtureRepository, gitmodules: str | bytes, submodules: dict[str, str], *, kind: int = FILE
) -> str:
    """A commit of a flow, of submodules by path (of one or two names), and what tells of them."""
    content = gitmodules.encode() if isinstance(gitmodules, str) else gitmodules
    top = [(kind, b".gitmodules", add_blob(repository, content)), (FILE, b"flows.py", add_blob(repository, b"\n"))]
    below: dict[str, list[tuple[int, bytes, str]]] = {}
    for path, commit in submodules.items():
        directory, _, name = path.rpartition("/")
        below.setdefault(directory, []).append((SUBMODULE, name.encode(), commit))
    top += below.pop("", [])
    top += [(DIRECTORY, name.encode(), add_tree(repository, *entries)) for name, entries in below.items()]
    return repository.commit_tree(add_tree(repository, *sorted(top, key=lambda entry: entry[1])))


def library_tip(served: Path) -> str:
    return FixtureRepository(served / "library.git").tip()


def flows(served: Path, gitmodules: str | bytes, submodules: dict[str, str]) -> FixtureRepository:
    repository = FixtureRepository.create(served / "flows.git")
    commit_with(repository, gitmodules, submodules)
    return repository


async def written(source: GitRepository, at: Path) -> set[str]:
    files = files_in(await fetched(source, await source.resolve(), at))
    return set(files) - {".gitmodules", "flows.py"}


LIBRARY = {"lib/library.py", "lib/deep/inner.py"}


class TestFetching:
    async def test_a_submodule_comes_at_the_commit_that_is_named(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        old = library(served).tip()
        library_now = FixtureRepository(served / "library.git")
        library_now.commit_files({"library.py": "VALUE = 2\n", "new.py": "\n"})
        flows(served, section("lib", "../library.git"), {"lib": old})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        assert await written(source, tmp_path) == LIBRARY
        assert (tmp_path / "fetched/lib/library.py").read_text() == "VALUE = 1\n"

    async def test_without_asking_it_is_an_empty_directory_and_nobody_is_asked_for_it(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        assert await written(GitRepository(server.url("flows.git")), tmp_path) == set()
        assert list((tmp_path / "fetched/lib").iterdir()) == []
        assert not any("library" in exchange.path for exchange in server.log)

    async def test_both_are_revisions_of_their_own(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        cache = SnapshotCache(tmp_path / "cache")
        found = []
        for include in (False, True):
            source = GitRepository(server.url("flows.git"), include_submodules=include)
            snapshot = await cache.ensure(source, await source.resolve())
            found.append((snapshot.root / "lib/library.py").exists())
            assert await cache.verify(snapshot) == ()
        assert found == [False, True]

    async def test_submodules_of_submodules_come_too(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        middle = FixtureRepository.create(served / "middle.git")
        commit_with(middle, section("inner", "../library.git"), {"inner": library(served).tip()})
        flows(served, section("outer/one", "../middle.git"), {"outer/one": middle.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        assert await written(source, tmp_path) == {
            "outer/one/.gitmodules",
            "outer/one/flows.py",
            "outer/one/inner/library.py",
            "outer/one/inner/deep/inner.py",
        }

    async def test_it_equals_what_git_clones(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        middle = FixtureRepository.create(served / "group/middle.git")
        commit_with(middle, section("inner", "../../library.git"), {"inner": library(served).tip()})
        text = section("a", "./../group/middle.git/") + section("b/c", server.url("library.git"), name="other")
        flows(served, text, {"a": middle.tip(), "b/c": library_tip(served)})
        environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "clone", "-q", "--recurse-submodules", server.url("flows.git"), str(tmp_path / "by-git")]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        by_git = {
            path: content for path, content in files_in(tmp_path / "by-git").items() if ".git" not in Path(path).parts
        }
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        assert files_in(await fetched(source, await source.resolve(), tmp_path)) == by_git
        assert "a/inner/deep/inner.py" in by_git

    async def test_a_submodule_below_the_url_is_found(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        repository = FixtureRepository.create(served / "flows.git")
        inner = library(served, "flows.git/modules/inner.git")
        commit_with(repository, section("lib", "./modules/inner.git"), {"lib": inner.tip()})
        assert await written(GitRepository(server.url("flows.git"), include_submodules=True), tmp_path) == LIBRARY

    async def test_from_a_directory_they_are_read_where_they_are(self, served: Path, tmp_path: Path) -> None:
        repository = flows(
            served,
            section("lib", "../library.git") + section("two", str(served / "library.git"), name="two"),
            {"lib": (tip := library(served).tip()), "two": tip},
        )
        source = GitRepository(repository.path, include_submodules=True)
        assert await written(source, tmp_path) == LIBRARY | {"two/library.py", "two/deep/inner.py"}

    async def test_files_of_git_lfs_in_a_submodule_come_from_its_own_server(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        server.beside = objects = LfsObjects(href=lambda oid: server.url(f"objects/{oid}"))
        repository = FixtureRepository.create(served / "library.git")
        repository.commit_files({"model.bin": objects.add(b"large")})
        flows(served, section("lib", "../library.git"), {"lib": repository.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        await written(source, tmp_path)
        assert (tmp_path / "fetched/lib/model.bin").read_bytes() == b"large"
        assert "/library.git/info/lfs/objects/batch" in [exchange.path for exchange in server.log]

    async def test_what_was_fetched_before_is_not_fetched_again(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        tip = library(served).tip()
        repository = flows(served, section("lib", "../library.git"), {"lib": tip})
        cache, source = (
            SnapshotCache(tmp_path / "cache"),
            GitRepository(server.url("flows.git"), include_submodules=True),
        )
        await cache.ensure(source, await source.resolve())
        server.log.clear()
        commit_with(repository, section("lib", "../library.git") + "# changed\n", {"lib": tip})
        snapshot = await cache.ensure(source, await source.resolve())
        assert (snapshot.root / "lib/library.py").exists()
        assert not any("library" in exchange.path for exchange in server.log)

    async def test_a_store_of_one_that_is_damaged_is_fetched_anew(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        inner = library(served)
        middle = FixtureRepository.create(served / "middle.git")
        commit_with(middle, section("inner", "../library.git"), {"inner": inner.tip()})
        flows(served, section("lib", "../middle.git"), {"lib": middle.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        before = await written(source, tmp_path)
        stores = tmp_path / "workspace" / "submodules"
        packs = list(stores.rglob("*.pack"))
        assert len(packs) == 2
        for pack in packs:
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:40] + b"\0" * 100)
        again = files_in(await fetched(source, await source.resolve(), tmp_path, name="again"))
        assert before and before < set(again)

    async def test_the_store_of_one_that_nobody_asks_for_any_more_is_removed(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        old, new = library(served, "old.git"), library(served, "new.git")
        repository = flows(served, section("lib", "../old.git"), {"lib": old.tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        await written(source, tmp_path)
        [store] = (tmp_path / "workspace" / "submodules").iterdir()
        os.utime(store, (0, 0))
        commit_with(repository, section("lib", "../new.git"), {"lib": new.tip()})
        await fetched(source, await source.resolve(), tmp_path, name="second")
        assert not store.exists()
        assert len(list(store.parent.iterdir())) == 1

    async def test_one_that_is_to_be_left_out_is_an_empty_directory(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git", "update = none"), {"lib": library(served).tip()})
        assert await written(GitRepository(server.url("flows.git"), include_submodules=True), tmp_path) == set()

    @pytest.mark.parametrize(
        ("directories", "expected"),
        [
            (["other"], set()),
            (["vendor"], {"vendor/lib/library.py", "vendor/lib/deep/inner.py"}),
            (["vendor/lib"], {"vendor/lib/library.py", "vendor/lib/deep/inner.py"}),
            (["vendor/lib/deep"], {"vendor/lib/library.py", "vendor/lib/deep/inner.py"}),
        ],
    )
    async def test_only_what_lies_in_the_directories_is_taken(
        self, server: GitServer, served: Path, tmp_path: Path, directories: list[str], expected: set[str]
    ) -> None:
        repository = FixtureRepository.create(served / "flows.git")
        other = add_tree(repository, (FILE, b"x", add_blob(repository, b"x")))
        vendor = add_tree(repository, (SUBMODULE, b"lib", library(served).tip()))
        note = add_blob(repository, section("vendor/lib", "../library.git").encode())
        top = add_tree(
            repository, (FILE, b".gitmodules", note), (DIRECTORY, b"other", other), (DIRECTORY, b"vendor", vendor)
        )
        repository.commit_tree(top)
        source = GitRepository(server.url("flows.git"), include_submodules=True, directories=directories)
        assert await written(source, tmp_path) - {"other/x"} == expected
        assert any("library" in exchange.path for exchange in server.log) == bool(expected)

    async def test_a_directory_that_a_submodule_does_not_have_is_named(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        source = GitRepository(server.url("flows.git"), include_submodules=True, directories=["lib/absent"])
        with pytest.raises(SourceInvalid, match=r"submodule 'lib': .*no directory 'absent'"):
            await written(source, tmp_path)


class TestCredentials:
    @pytest.fixture
    def private(self, served: Path) -> Iterator[GitServer]:
        requires("git")
        served.mkdir(exist_ok=True)
        with git_server(served, login=("x-access-token", SECRET)) as server:
            yield server

    @pytest.fixture
    def elsewhere(self, tmp_path: Path) -> Iterator[GitServer]:
        requires("git")
        (tmp_path / "elsewhere").mkdir()
        with git_server(tmp_path / "elsewhere") as server:
            yield server

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


class TestFailures:
    async def failure(self, server: GitServer, tmp_path: Path) -> Exception:
        source = GitRepository(server.url("flows.git"), include_submodules=True)
        with pytest.raises((SourceInvalid, SourceUnavailable)) as caught:
            await written(source, tmp_path)
        return caught.value

    async def test_a_commit_that_is_gone(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        library(served)
        flows(served, section("lib", "../library.git"), {"lib": "ab" * 20})
        assert str(await self.failure(server, tmp_path)).startswith("submodule 'lib': ")

    async def test_a_repository_that_is_gone(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        flows(served, section("lib", "../absent.git"), {"lib": "ab" * 20})
        assert str(await self.failure(server, tmp_path)).startswith("submodule 'lib': ")

    async def test_a_server_that_is_down_may_be_up_again_later(
        self, server: GitServer, served: Path, tmp_path: Path
    ) -> None:
        flows(served, section("lib", "../library.git"), {"lib": library(served).tip()})
        server.misbehave(Refuse(status=503, headers={"Retry-After": "9"}), on="library.git")
        error = await self.failure(server, tmp_path)
        assert isinstance(error, SourceUnavailable) and error.retry_after == 9

    async def test_one_that_nothing_tells_of(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        flows(served, section("other", "../library.git"), {"lib": library(served).tip()})
        error = await self.failure(server, tmp_path)
        assert "submodule 'lib': .gitmodules does not say where it is" in str(error)

    async def test_one_that_is_nested_without_end(
        self, server: GitServer, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(filling, "_DEEPEST", 3)
        repository = library(served, "flows.git")
        for _ in range(5):
            commit_with(repository, section("me", "../flows.git"), {"me": repository.tip()})
        assert "nested more than 3 deep" in str(await self.failure(server, tmp_path))

    async def test_too_many_of_them(
        self, server: GitServer, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(filling, "_MOST", 3)
        tip = library(served).tip()
        names = [f"lib{number}" for number in range(4)]
        flows(served, "".join(section(name, "../library.git") for name in names), dict.fromkeys(names, tip))
        assert "more than 3 submodules" in str(await self.failure(server, tmp_path))

    async def test_a_tree_of_it_that_must_not_be_written(self, server: GitServer, served: Path, tmp_path: Path) -> None:
        evil = FixtureRepository.create(served / "library.git")
        evil.commit_tree(add_tree(evil, (FILE, b"..", add_blob(evil, b"x"))))
        flows(served, section("lib", "../library.git"), {"lib": evil.tip()})
        error = await self.failure(server, tmp_path)
        assert isinstance(error, UnsafeTree) and "submodule 'lib'" in str(error)


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


class TestUrls:
    @pytest.mark.parametrize(
        ("parent", "url", "expected"),
        [
            ("https://host/org/repo.git", "../lib.git", "https://host/org/lib.git"),
            ("https://host/org/repo.git", "../../other/lib.git/", "https://host/other/lib.git"),
            ("https://host/org/repo.git", "./lib", "https://host/org/repo.git/lib"),
            ("https://host:8443/org/repo", "../lib", "https://host:8443/org/lib"),
            ("https://host/org/repo.git", "git@host:org/lib.git", "git@host:org/lib.git"),
            ("ssh://git@host:2222/org/repo.git", "../lib.git", "ssh://git@host:2222/org/lib.git"),
            ("git@host:org/repo.git", "../lib.git", "git@host:org/lib.git"),
            ("git@host:org/repo.git", "../../lib.git", "git@host:lib.git"),
            ("https://host/org/repo.git", "https://Other/x.git", "https://other/x.git"),
            ("/srv/flows.git", "../lib.git", "file:///srv/lib.git"),
            ("/srv/flows.git", "/else/lib.git", "file:///else/lib.git"),
            ("/srv/flows.git", "https://host/x.git", "https://host/x.git"),
        ],
    )
    def test_a_url_is_resolved_as_git_does(self, parent: str, url: str, expected: str) -> None:
        assert resolve_url(url, parse_url(parent)[0]).url == expected

    @pytest.mark.parametrize("url", ["../../../x", "../..", "lib.git", "~/lib.git", "git://host/x", ""])
    def test_one_that_leads_nowhere_is_refused(self, url: str) -> None:
        with pytest.raises(SourceInvalid):
            resolve_url(url, parse_url("https://host/org/repo.git")[0])

    def test_a_server_elsewhere_cannot_name_one_on_this_machine(self) -> None:
        remote = Remote(parse_url("https://host/org/repo.git")[0])
        with pytest.raises(SourceInvalid, match="on this machine"):
            remote.at(parse_url("http://127.0.0.1:8080/x.git")[0])

    def test_another_server_is_shown_nothing_of_ours(self) -> None:
        settings = HttpSettings(Proxy("http://proxy", {}), Path("/ca"), (Path("/certificate"), Path("/key")))
        remote = Remote(parse_url("https://host/org/x.git")[0], GitCredentials(access_token=SECRET), settings)
        same = remote.at(parse_url("https://host:443/org/y.git")[0])
        assert (same.credentials, same.settings) == (remote.credentials, settings)
        for url in ("https://other/x.git", "https://host:444/x.git", "http://host/x.git", "https://host.other/x.git"):
            other = remote.at(parse_url(url)[0])
            assert other.credentials is None
            assert other.settings == HttpSettings(settings.proxy, settings.ca_bundle)

    def test_a_stale_section_does_no_harm(self) -> None:
        text = section("gone", "git://host/x") + '[submodule "half"]\n\tpath = half\n[other]\n\tx = y\n'
        assert parse_gitmodules(text.encode()) == {b"gone": "git://host/x"}
