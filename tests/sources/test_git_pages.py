"""Pages of GitHub and GitLab are understood where they say clearly what they are."""

from __future__ import annotations

from typing import Any

import pytest

from flowsource.errors import InvalidInput
from flowsource.sources.git.repository import GitRepository

COMMIT = "0123456789" * 4


@pytest.mark.parametrize(
    ("page", "repository", "selector"),
    [
        ("https://github.com/org/repo", "https://github.com/org/repo", "default branch"),
        ("https://github.com/org/repo.git", "https://github.com/org/repo.git", "default branch"),
        ("https://GitHub.com/org/repo/", "https://github.com/org/repo", "default branch"),
        ("https://github.com/org/repo/tree/main", "https://github.com/org/repo", "branch main"),
        ("https://github.com/org/repo/tree/v1%231/", "https://github.com/org/repo", "branch v1#1"),
        (f"https://github.com/org/repo/tree/{COMMIT}", "https://github.com/org/repo", f"commit {COMMIT[:12]}"),
        ("https://gitlab.com/group/repo", "https://gitlab.com/group/repo", "default branch"),
        ("https://gitlab.com/group/sub/sub/repo", "https://gitlab.com/group/sub/sub/repo", "default branch"),
        ("https://gitlab.com/group/sub/repo/-/tree/main", "https://gitlab.com/group/sub/repo", "branch main"),
    ],
)
def test_the_page_of_a_branch_is_the_repository_at_that_branch(page: str, repository: str, selector: str) -> None:
    source = GitRepository(page)
    assert (source.url, source.selector) == (repository, selector)
    assert source.key == GitRepository(repository).key


@pytest.mark.parametrize(
    ("page", "given"),
    [
        ("https://github.com/org/repo/tree/main", {"branch": "main"}),
        ("https://github.com/org/repo/tree/v1.0", {"tag": "v1.0"}),
        ("https://github.com/org/repo/tree/feature/one/two", {"branch": "feature/one/two"}),
        ("https://gitlab.com/group/repo/-/tree/feature/one", {"branch": "feature/one"}),
        ("https://github.com/org/repo", {"ref": "refs/pull/7/head"}),
    ],
)
def test_a_page_may_repeat_what_is_given(page: str, given: dict[str, Any]) -> None:
    [(kind, name)] = given.items()
    assert GitRepository(page, **given).selector == f"{kind} {name}"


@pytest.mark.parametrize(
    ("page", "given", "why"),
    [
        ("https://github.com/org/repo/tree/main", {"branch": "dev"}, r"is the page of 'main', but 'dev' is to be"),
        ("https://github.com/org/repo/tree/a/b", {}, r"may be .* a branch 'a/b' or .* directory in 'a'.*branch="),
        ("https://github.com/org/repo/tree/a/b", {"branch": "a"}, r"is the page of 'a/b', but 'a' is to be"),
        ("https://github.com/org/repo/tree", {}, r"is a page \(tree\)"),
        ("https://github.com/org/repo/blob/main/flows.py", {}, r"page \(blob\).* and branch=\.\.\., and the file in"),
        (
            "https://github.com/org/repo/pull/7",
            {},
            r"write url='https://github\.com/org/repo' and ref='refs/pull/7/",
        ),
        ("https://github.com/org/repo/pull/7/files", {}, r"ref='refs/pull/7/head'"),
        (f"https://github.com/org/repo/commit/{COMMIT}", {}, f"commit_sha='{COMMIT}'"),
        ("https://github.com/org/repo/releases/tag/v1.0", {}, r"tag='v1\.0'"),
        ("https://github.com/org/repo/issues", {}, r"page \(issues\) of the repository; write url='[^']*'\.$"),
        ("https://github.com/org", {}, r"names no repository of github\.com"),
        ("https://github.com//repo", {}, r"names no repository of github\.com"),
        ("https://gitlab.com/repo", {}, r"names no repository of gitlab\.com"),
        ("https://gitlab.com/g/r/-/merge_requests/7", {}, r"ref='refs/merge-requests/7/head'"),
        ("https://gitlab.com/g/r/-/blob/main/flows.py", {}, r"page \(blob\)"),
        ("https://gitlab.com/g/r/-/tags/v1.0", {}, r"tag='v1\.0'"),
        ("https://github.com/org/repo/tree/-x", {}, "branch: '-x' cannot be"),
    ],
)
def test_any_other_page_is_answered_with_what_to_write(page: str, given: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        GitRepository(page, **given)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/org/repo/tree/main",
        "https://github.com.example.org/org/repo/tree/main",
        "https://notgithub.com/org/repo/tree/main",
        "https://gitlab.example.org/group/repo/-/tree/main",
        "https://www.gitlab.com/org",
        "http://github.com/org/repo/tree/main",
    ],
)
def test_on_any_other_host_a_path_is_that_of_a_repository(url: str) -> None:
    source = GitRepository(url)
    assert (source.url, source.selector) == (url, "default branch")
