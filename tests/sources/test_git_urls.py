"""Addresses of Git repositories are parsed, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import InvalidInput, SourceInvalid
from flowsource.sources.git.urls import Address, UserInfo, is_git_url, parse_url


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
        ("file://[x/repo.git", "not a file URL"),
        ("https://example.org/@ada/repo.git", "'@' after a '/'"),
        ("https://ada:12/34@example.org/repo.git", "'@' after a '/'"),
        ("https://example.org:0/repo.git", "host or port"),
        ("ssh://-oProxyCommand=touch%20x/r.git", "no valid host"),
        ("ssh://-u@example.org/r.git", "user .* begins with a dash"),
        ("ssh://%2du@example.org/r.git", "user .* none that ssh can be told"),
        ("ssh://a%25h@example.org/r.git", "user .* none that ssh can be told"),
        ("ssh://a;b@example.org/r.git", "user .* none that ssh can be told"),
        ("ssh://example.org:-oX/r.git", "host or port"),
        ("ssh://example.org/-r.git", "path .* begins with a dash"),
        ("ssh://example.org/%2dr.git", "path .* begins with a dash"),
        ("ssh://example.org/a%0ab.git", "control characters"),
        ("ssh://example.org", "no repository"),
        ("ssh://example.org/~", "no repository"),
        ("ssh://git@example.org/r.git?x", "after the path"),
        ("ssh:///r.git", "names no host"),
        ("git@example.org:-oProxyCommand=x", "path .* begins with a dash"),
        ("git@example.org:", "no repository"),
        ("git@-oProxyCommand=x:r.git", "no valid user and host"),
        ("-oProxyCommand=x:r.git", "begins with a dash"),
        ("git@ada@example.org:r.git", "no valid user and host"),
        ("ada:s3cret@example.org:r.git", "not an address"),
        ("ada:s3cret@example.org/r.git", "not an address"),
        ("git@exämple.org:r.git", "no valid host"),
        ("git@[::1::1]:r.git", "no valid host"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(given: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"^url: .*{why}"):
        parse_url(given)


@pytest.mark.parametrize(
    ("given", "canonical", "asked_for"),
    [
        ("ssh://git@example.org/org/repo.git", "ssh://git@example.org/org/repo.git", "/org/repo.git"),
        ("SSH://git@Example.org:22/org/repo.git/", "ssh://git@example.org/org/repo.git", "/org/repo.git"),
        ("git+ssh://git@example.org:2222/r.git", "ssh://git@example.org:2222/r.git", "/r.git"),
        ("ssh+git://example.org/r.git", "ssh://example.org/r.git", "/r.git"),
        ("ssh://git@[2001:DB8::1]:2222/r.git", "ssh://git@[2001:db8::1]:2222/r.git", "/r.git"),
        (
            "ssh://example.org/with%20space/%7Eada.git",
            "ssh://example.org/with%20space/~ada.git",
            "/with space/~ada.git",
        ),
        ("ssh://example.org/~ada/r.git", "ssh://example.org/~ada/r.git", "~ada/r.git"),
        ("ssh://example.org/~/r.git", "ssh://example.org/~/r.git", "~/r.git"),
        ("ssh://ada%40example.org@example.org/r.git", "ssh://ada%40example.org@example.org/r.git", "/r.git"),
        ("git@example.org:/org/repo.git", "ssh://git@example.org/org/repo.git", "/org/repo.git"),
        ("git@example.org:~ada/r.git", "ssh://git@example.org/~ada/r.git", "~ada/r.git"),
        ("git@Example.org:org/repo.git", "git@example.org:org/repo.git", "org/repo.git"),
        ("example.org:org/repo.git/", "example.org:org/repo.git", "org/repo.git"),
        ("git@[::1]:org/repo.git", "git@[::1]:org/repo.git", "org/repo.git"),
        ("git@github.com:org/repo.git", "ssh://git@github.com/org/repo.git", "/org/repo.git"),
    ],
)
def test_the_ways_to_write_an_ssh_address_are_told_apart_only_where_they_differ(
    given: str, canonical: str, asked_for: str
) -> None:
    address, userinfo = parse_url(given)
    assert (address.url, address.scheme, address.remote_path) == (canonical, "ssh", asked_for)
    assert userinfo is None
    assert parse_url(canonical)[0] == address


@pytest.mark.parametrize(
    ("given", "authority"),
    [
        ("https://example.org/r.git", "example.org:443"),
        ("http://example.org:8080/r.git", "example.org:8080"),
        ("https://[::1]/r.git", "[::1]:443"),
        ("ssh://git@example.org/r.git", "example.org:22"),
        ("git@example.org:r.git", "example.org:22"),
        ("ssh://git@[::1]:2222/r.git", "[::1]:2222"),
    ],
)
def test_a_server_is_named_by_its_host_and_port(given: str, authority: str) -> None:
    assert parse_url(given)[0].authority == authority


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
        "ada:s3cret@example.org/repo.git",
        "ada:x/s3cret@example.org/repo.git",
        "https://ada:p@s3cret@example.org/-repo.git",
        "https://ada:p%40s3cret@example.org:0/repo.git",
        "https://ada:[s3cret@example.org/repo.git",
        "https://[s3cret@example.org/repo.git",
        "file://[s3cret@x/repo.git",
        "https://ada:p/s3cret@example.org/repo.git",
        "ssh://ada:s3cret@example.org:2222/repo.git",
        "git+ssh://s3cret:@example.org/repo.git?x",
        "ext::s3cret@x",
        "--upload-pack=s3cret@x",
        "https://ada:s3cret@example.org/a%0ab.git",
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
        "~\0",
        "s3://b/p",
        "a/b:c",
        "file://[a/b.git",
    ]
    assert [text for text in directories if is_git_url(text)] == []


_PIECES = (
    "https ssh git+ssh http file :// : :: @ / // ? # %40 %0a %2d % - --upload-pack=x -oProxyCommand=x ext:: [ ] [::1] "
    "~ .git example.org org/repo 22 \n \x00 \u202e ä ' $(x) `x` ; \\ *"
)
_SOME_TEXT = st.lists(st.sampled_from(_PIECES.split(" ")) | st.text(max_size=3), max_size=12).map("".join)


def parsed(text: str) -> tuple[Address, UserInfo | None] | InvalidInput:
    try:
        return parse_url(text)
    except InvalidInput as error:
        return error


@drawn(text=_SOME_TEXT)
def test_whatever_is_given_is_an_address_or_refused_with_a_reason(text: str) -> None:
    is_git_url(text)
    match parsed(text):
        case InvalidInput() as error:
            assert str(error).startswith("url: ")
        case address, _:
            assert not address.host.startswith("-")
            assert not address.remote_path.removeprefix("/").startswith("-")
            assert not (address.user or "").startswith("-")


@drawn(
    scheme=st.sampled_from(["https", "http", "ssh", "git+ssh", "gopher", "file"]),
    user=st.sampled_from(["", "ada", "a%40b", "-x"]),
    before=st.text("p@:/?#%[]4 ", max_size=4),
    after=st.text("p@:/?#%[]4 ", max_size=4),
    rest=st.sampled_from(["h.org/r.git", "h.org:x/r.git", "[::zz]/r.git", "/r", "-h/r", "h/-r", "h/r?a@b#c"]),
)
def test_no_password_is_ever_repeated(scheme: str, user: str, before: str, after: str, rest: str) -> None:
    """Wherever a password of whatever letters ends up, it is in no message, and in no address."""
    match parsed(f"{scheme}://{user}:{before}s3cret{after}@{rest}"):
        case InvalidInput() as error:
            assert "s3cret" not in str(error)
            assert error.__context__ is None or error.__suppress_context__
        case address, userinfo:
            assert "s3cret" not in address.url
            assert "s3cret" not in repr(userinfo)
