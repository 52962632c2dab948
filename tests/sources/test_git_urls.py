"""Addresses of Git repositories are parsed, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import InvalidInput, SourceInvalid
from flowsource.sources.git.urls import is_git_url, parse_url


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("https://github.com/org/repo.git", "https://github.com/org/repo.git"),
        ("https://github.com/org/repo", "https://github.com/org/repo"),
        ("HTTPS://GitHub.com:443/org/repo/", "https://github.com/org/repo"),
        ("http://git.example.org:80/a/b.git", "http://git.example.org/a/b.git"),
        ("http://git.example.org:8080/a/b.git", "http://git.example.org:8080/a/b.git"),
        ("https://[2001:DB8::1]:8443/r.git", "https://[2001:db8::1]:8443/r.git"),
        ("https://gitlab.com/group/sub/-/repo", "https://gitlab.com/group/sub/-/repo"),
        ("file:///srv/git/repo.git/", "file:///srv/git/repo.git"),
        ("/srv/git/../repo.git", "file:///srv/repo.git"),
    ],
)
def test_an_address_has_one_canonical_form(given: str, canonical: str) -> None:
    assert parse_url(given)[0].url == canonical


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_url("repo.git")[0].path == tmp_path / "repo.git"


def test_a_path_may_begin_with_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_url("~/repo.git")[0].path == tmp_path / "repo.git"


def test_credentials_are_taken_out_of_the_url() -> None:
    address, userinfo = parse_url("https://ada:p%40ss@example.org/repo.git")
    assert address.url == "https://example.org/repo.git"
    assert userinfo is not None
    assert (userinfo.user, userinfo.password) == ("ada", "p@ss")
    assert "ada" not in repr(userinfo)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "not an address"),
        ("ext::sh -c whoami", "helper program"),
        ("fd::17", "helper program"),
        ("git://example.org/repo.git", "scheme 'git'"),
        ("ftp://example.org/repo.git", "scheme 'ftp'"),
        ("s3://bucket/prefix", "scheme 's3'"),
        ("https:///repo.git", "names no host"),
        ("https://example.org", "no repository"),
        ("https://example.org/", "no repository"),
        ("https://-oProxyCommand=x/repo.git", "no valid host"),
        ("https://-u@example.org/repo.git", "user .* begins with a dash"),
        ("https://example.org/-repo.git", "begins with a dash"),
        ("https://example.org/%2drepo.git", "begins with a dash"),
        ("--upload-pack=touch", "begins with a dash"),
        ("https://example.org/a\nb.git", "control characters"),
        ("https://example.org/a%0ab.git", "control characters"),
        ("https://example.org/a%00.git", "control characters"),
        ("/srv/a\tb.git", "control characters"),
        ("https://example.org:port/repo.git", "host or port"),
        ("https://example.org:99999/repo.git", "host or port"),
        ("https://[::zz]/repo.git", "host"),
        ("https://exämple.org/repo.git", "no valid host"),
        ("https://example.org/repo.git?x=1", "after the path"),
        ("https://example.org/repo.git#main", "after the path"),
        ("file://server/share/repo.git", "names a host"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(given: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"^url: .*{why}"):
        parse_url(given)


@pytest.mark.parametrize("given", ["ssh://git@host/org/repo.git", "git@host:org/repo.git", "host:org/repo.git"])
def test_ssh_is_known_and_said_not_to_be_served(given: str) -> None:
    with pytest.raises(SourceInvalid, match=r"SSH remotes are not served yet.*give an https URL"):
        parse_url(given)


@pytest.mark.parametrize(
    "given",
    [
        "https://ada:s3cret@/repo.git",
        "https://ada:s3cret/s3cret@example.org/repo.git",
        "https://ada:s3cret@example.org:port/repo.git",
        "https://ada:s3cret@example.org/repo.git?x",
        "https://ada:s3cret@exa mple.org/repo.git",
        "gopher://ada:s3cret@example.org/repo.git",
        "ssh://ada:s3cret@example.org/repo.git",
        "https://example.org/repo.git?private_token=s3cret",
        "https://example.org/repo.git?x#s3cret",
        "https://example.org/repo.git#s3cret",
        "https://example.org/repo.git?ada@token=s3cret",
        "https://ada:what?s3cret@example.org/-repo.git",
        "https://ada:p@s3cret?x@example.org:port/repo.git",
        "https://example.org/a%0a.git?s3cret",
        "ftp://example.org/repo.git?s3cret",
        "git@example.org:org/repo.git?s3cret",
        "file://server/repo.git?s3cret",
    ],
)
def test_no_message_repeats_a_password(given: str) -> None:
    with pytest.raises((InvalidInput, SourceInvalid)) as caught:
        parse_url(given)
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in str(error)
        error = None if error.__suppress_context__ else error.__context__


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("[::1]", True), ("localhost", True), ("10.0.0.1", False),
     ("localhost.example.org", False)],
)  # fmt: skip
def test_loopback_is_told_by_the_address_not_by_its_looks(host: str, is_local: bool) -> None:
    assert parse_url(f"http://{host}/repo.git")[0].is_local is is_local


def test_text_that_names_a_repository_is_told_from_a_directory(tmp_path: Path) -> None:
    bare = FixtureRepository.create(tmp_path / "bare").path
    (tmp_path / "plain" / ".git").mkdir(parents=True)
    repositories = ["https://h/o/r", "http://h/o/r.git", "ssh://h/r", "git@h:o/r.git", "h.org:o/r", "git://h/r"]
    repositories += ["./flows.git", "file:///srv/flows.git", str(bare), bare.as_uri()]
    assert [text for text in repositories if not is_git_url(text)] == []
    directories = [
        str(tmp_path),
        str(tmp_path / "plain"),
        tmp_path.as_uri(),
        ".",
        "flows",
        "~/flows",
        "s3://b/p",
        "a/b:c",
    ]
    assert [text for text in directories if is_git_url(text)] == []
