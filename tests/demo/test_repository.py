"""Repositories made from readable trees, and the server that the demo pushes to."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from dulwich.client import HttpGitClient
from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository, steps, subject
from flowsource.demo.server import push, serve_repository
from flowsource.errors import SourceUnavailable
from tests.support.parts import requires
from tests.support.repositories import FIXTURES


def history(repository: FixtureRepository) -> list[Commit]:
    """The commits of the default branch, oldest first."""
    with Repo(str(repository.path)) as repo:
        return [entry.commit for entry in repo.get_walker(reverse=True)]


def test_each_directory_becomes_a_commit_with_its_name_as_subject(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "demo.git", steps(FIXTURES / "demo"))
    assert [commit.message for commit in history(repository)] == [
        b"Say hello\n",
        b"Greet more warmly\n",
        b"Greet by the hour\n",
        b"Repair the import and say thanks\n",
    ]


def test_the_same_trees_give_the_same_commits(tmp_path: Path) -> None:
    one, two = (FixtureRepository.create(tmp_path / name, steps(FIXTURES / "demo")) for name in ("one", "two"))
    assert one.tip() == two.tip()


def test_a_commit_holds_exactly_its_directory(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "five.git", steps(FIXTURES / "five-pushes"))
    assert len(history(repository)) == 6
    with Repo(str(repository.path)) as repo:
        tree = repo[history(repository)[-1].tree]
        assert isinstance(tree, Tree)
        assert [entry.path for entry in tree.iteritems()] == [b"data.txt", b"flows.py"]
        data = repo[tree[b"data.txt"][1]]
        assert isinstance(data, Blob)
        assert data.data == b"data of six\n"


def test_links_and_what_can_be_executed_are_kept(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "kinds.git", steps(FIXTURES / "kinds-of-files"))
    with Repo(str(repository.path)) as repo:
        tree = repo[history(repository)[-1].tree]
        assert isinstance(tree, Tree)
        assert tree[b"run.sh"][0] == stat.S_IFREG | 0o755
        assert tree[b"dangling"][0] == stat.S_IFLNK


def test_a_subject_is_written_as_a_sentence() -> None:
    assert subject(Path("02-change-the-greeting")) == "Change the greeting"


def test_git_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    requires("git")
    repository = FixtureRepository.create(tmp_path / "kinds.git", steps(FIXTURES / "kinds-of-files"))
    repository.annotate("v1", repository.tip())
    subprocess.run(["git", "-C", repository.path, "fsck", "--strict"], check=True, capture_output=True)


def test_a_push_over_http_reaches_the_repository(tmp_path: Path) -> None:
    first, *others = steps(FIXTURES / "demo")
    served = FixtureRepository.create(tmp_path / "served.git", [first])
    local = FixtureRepository.create(tmp_path / "local.git", [first])
    with serve_repository(served.path) as server:
        for step in others:
            commit = local.commit(step)
            assert push(local.path, server.url) == commit == served.tip()
        assert HttpGitClient(server.url).get_refs("").refs[Ref(b"refs/heads/main")] == served.tip().encode()
    assert len(history(served)) == 4


def test_a_branch_that_was_not_there_can_be_pushed(tmp_path: Path) -> None:
    served = FixtureRepository.create(tmp_path / "served.git")
    local = FixtureRepository.create(tmp_path / "local.git", steps(FIXTURES / "demo"))
    with serve_repository(served.path) as server:
        assert push(local.path, server.url) == served.tip()


def test_git_itself_can_clone_from_and_push_to_the_server(tmp_path: Path) -> None:
    requires("git")
    served = FixtureRepository.create(tmp_path / "served.git", steps(FIXTURES / "demo"))
    with serve_repository(served.path) as server:
        subprocess.run(["git", "clone", "-q", server.url, tmp_path / "clone"], check=True, capture_output=True)
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        git = ["git", "-C", str(tmp_path / "clone"), *identity]
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Push"], check=True, capture_output=True)
        subprocess.run([*git, "push", "-q", "origin", "HEAD:main"], check=True, capture_output=True)
    assert history(served)[-1].message == b"Push\n"


def test_the_server_says_nothing_of_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    served = FixtureRepository.create(tmp_path / "served.git", steps(FIXTURES / "demo"))
    with serve_repository(served.path) as server:
        HttpGitClient(server.url).get_refs("")
    assert capfd.readouterr() == ("", "")


def test_a_push_that_the_server_refuses_is_an_error(tmp_path: Path) -> None:
    served = FixtureRepository.create(tmp_path / "served.git")
    served.commit_files({"flows.py": ""}, branch="main/in-the-way")
    local = FixtureRepository.create(tmp_path / "local.git", steps(FIXTURES / "demo"))
    with serve_repository(served.path) as server, pytest.raises(SourceUnavailable, match="refused the push of main"):
        push(local.path, server.url)
