"""Credentials are looked up at every attempt, and show nowhere."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from flowsource.errors import AuthenticationFailed, InvalidInput
from flowsource.sources.git.credentials import GitCredentials, credentials_from
from flowsource.sources.git.repository import GitRepository

SECRET = "ghp_Zz9SecretOfThisTest"


def vault(name: str = "token") -> Mapping[str, str]:
    return {"token": name}


class Vault:
    def __init__(self, name: str) -> None:
        self.name = name

    def secret(self) -> Mapping[str, str]:
        return {"token": self.name}

    def __call__(self) -> Mapping[str, str]:
        return self.secret()

    @classmethod
    def shared(cls) -> Mapping[str, str]:
        return {"token": cls.__name__}


class OtherVault(Vault):
    pass


def key_of(credentials: Callable[[], Mapping[str, str]]) -> str:
    return GitRepository("https://example.org/r.git", credentials=credentials).key


@pytest.mark.parametrize(
    ("host", "username"),
    [
        ("github.com", "x-access-token"),
        ("gitlab.com", "oauth2"),
        ("bitbucket.org", "x-token-auth"),
        ("dev.azure.com", "x-access-token"),
        ("codeberg.org", "x-access-token"),
        ("git.example.org", "x-access-token"),
        ("gitlab.com.example.org", "x-access-token"),
    ],
)
def test_a_token_alone_goes_under_the_name_that_the_host_expects(host: str, username: str) -> None:
    assert GitCredentials(access_token=SECRET).login(host).username == username


def test_a_username_that_was_given_is_kept() -> None:
    assert GitCredentials("ada", SECRET).login("gitlab.com").username == "ada"


def test_the_header_is_basic_authentication() -> None:
    header = GitCredentials("ada", "pässword").login("example.org").authorization
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "ada:pässword"


def test_a_token_in_the_environment_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = GitCredentials(access_token_env="REPO_TOKEN")
    monkeypatch.setenv("REPO_TOKEN", "first")
    assert credentials.login("h").password == "first"
    monkeypatch.setenv("REPO_TOKEN", "second")
    assert credentials.login("h").password == "second"


def test_a_token_in_a_file_is_read_each_time_without_its_line_end(tmp_path: Path) -> None:
    credentials = GitCredentials(access_token_file=tmp_path / "token")
    (tmp_path / "token").write_text("first\n")
    assert credentials.login("h").password == "first"
    (tmp_path / "token").write_text("second\n")
    assert credentials.login("h").password == "second"


def test_a_callable_is_asked_each_time() -> None:
    tokens = iter(["first", "second"])
    credentials = credentials_from(lambda: {"token": next(tokens)})
    assert [credentials.login("h").password for _ in range(2)] == ["first", "second"]


@pytest.mark.parametrize("key", ["access_token", "token", "password"])
def test_a_mapping_names_the_token_as_people_do(key: str) -> None:
    assert credentials_from({"username": "ada", key: SECRET}).login("h").password == SECRET


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPO_TOKEN", raising=False)
    with pytest.raises(AuthenticationFailed, match="environment variable REPO_TOKEN is not set or empty"):
        GitCredentials(access_token_env="REPO_TOKEN").login("h")


@pytest.mark.parametrize("name", ["access_token_file", "ssh_key_file"])
def test_a_file_in_the_home_of_nobody_is_missing_like_any_other(name: str) -> None:
    credentials = GitCredentials(**{name: "~no-such-user/secret"})
    with pytest.raises(AuthenticationFailed, match=r"~no-such-user/secret cannot be read \(No such file"):
        (credentials.ssh_login if name == "ssh_key_file" else credentials.login)("example.org")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationFailed, match=f"file {tmp_path}/token cannot be read"):
        GitCredentials(access_token_file=tmp_path / "token").login("h")


def test_a_callable_that_fails_is_named_and_its_words_are_not_repeated() -> None:
    def vault() -> Mapping[str, str]:
        raise RuntimeError(SECRET)

    with pytest.raises(AuthenticationFailed, match=r"vault failed with RuntimeError") as caught:
        credentials_from(vault).login("h")
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "give one of"),
        ({"username": "ada"}, "give one of .* none was given"),
        ({"token": SECRET, "access_token_env": "X"}, "access_token and access_token_env were given"),
        ({"token": SECRET, "password": SECRET}, "given twice"),
        ({"tokn": SECRET}, "'tokn' is not a field"),
        ({"token": ""}, "access_token is empty"),
        ({"token": 17}, "access_token is a int"),
        ({"token": SECRET, "username": "a:b"}, "must not hold ':'"),
        (17, "int are no credentials"),
        ({"token": SECRET, "scheme": "digest"}, "scheme 'digest' is unknown"),
        ({"token": SECRET, "scheme": "bearer", "username": "ada"}, "sent without a username"),
        ({"ssh_key_file": "key", "scheme": "bearer"}, "scheme says how a token is sent"),
        ({"token": SECRET, "ssh_key_file": "key"}, "access_token is for HTTP, and ssh_key_file for SSH"),
        ({"ssh_key_file": ""}, "ssh_key_file is empty"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name_and_without_its_value(given: object, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"^credentials: .*{why}") as caught:
        credentials_from(given)  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


def test_no_repr_and_no_name_of_a_source_shows_a_secret() -> None:
    credentials = GitCredentials("ada", SECRET)
    source = GitRepository("https://example.org/r.git", credentials=credentials)
    shown = [credentials, credentials.login("h"), source, source.key, source.label, source.selector, source.url]
    assert SECRET not in " ".join(map(repr, shown))
    assert SECRET not in credentials.identity


def test_the_key_tells_identities_apart_and_knows_nothing_of_the_secret() -> None:
    def key(**fields: str) -> str:
        return GitRepository("https://example.org/r.git", credentials=fields).key

    assert key(token="one") == key(token="two")
    assert (
        len({key(token="x"), key(token="x", username="ada"), key(access_token_env="A"), key(access_token_env="B")}) == 4
    )


def test_credentials_in_the_url_are_used_removed_and_told(caplog: pytest.LogCaptureFixture) -> None:
    source = GitRepository(f"https://ada:{SECRET}@example.org/r.git")
    [record] = caplog.records
    assert "https://example.org/r.git carries credentials" in record.getMessage()
    assert SECRET not in caplog.text
    assert source.url == "https://example.org/r.git"
    assert source.key == GitRepository("https://example.org/r.git", credentials={"username": "ada", "token": "x"}).key


@pytest.mark.parametrize(
    "url",
    [
        "https://org@dev.azure.com/org/project/_git/repo",
        "https://org@org.visualstudio.com/project/_git/repo",
        "https://ada@bitbucket.org/workspace/repo.git",
    ],
)
def test_a_user_that_a_host_shows_in_its_urls_is_no_secret(url: str, caplog: pytest.LogCaptureFixture) -> None:
    source = GitRepository(url)
    assert caplog.records == []
    assert source.url == f"https://{url.partition('@')[2]}"
    assert source.key == GitRepository(source.url).key
    assert (
        GitRepository(url, credentials={"token": SECRET}).key
        == GitRepository(source.url, credentials={"token": "x"}).key
    )


@pytest.mark.parametrize(
    "host", ["github.com", "dev.azure.com.example.org", "a.b.visualstudio.com", "visualstudio.com"]
)
def test_elsewhere_a_user_without_a_password_is_a_token(host: str, caplog: pytest.LogCaptureFixture) -> None:
    source = GitRepository(f"https://{SECRET}@{host}/org/repo.git")
    assert len(caplog.records) == 1
    assert source.key == GitRepository(f"https://{host}/org/repo.git", credentials={"token": "x"}).key
    assert SECRET not in caplog.text + repr(source) + source.label + source.url


def test_a_bearer_token_that_no_header_can_hold_is_refused_and_not_repeated() -> None:
    for token in (f"{SECRET}ä", f"{SECRET}\r\nX-Evil: 1", f"two {SECRET}"):
        with pytest.raises(AuthenticationFailed, match="holds letters that no bearer token has") as caught:
            GitCredentials(access_token=token, scheme="bearer").login("h")
        assert SECRET not in str(caught.value)


def test_being_told_does_not_print_the_line_that_has_them(tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    script.write_text(
        "from flowsource.sources.git.repository import GitRepository\n"
        f'GitRepository("https://ada:{SECRET}@example.org/r.git")\n'
    )
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert "carries credentials" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_callable_is_the_same_in_every_process() -> None:
    code = (
        "from tests.sources.test_git_credentials import Vault, key_of, vault\n"
        "print(key_of(vault), key_of(Vault('a').secret), key_of(Vault('b').secret))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    function, one, another = runs[0].split()
    assert function == key_of(vault)
    assert one == another == key_of(Vault("c").secret)


def test_callables_of_different_names_are_told_apart() -> None:
    methods = [Vault("a").secret, OtherVault("a").secret, Vault.shared, OtherVault.shared]
    different: list[Callable[[], Mapping[str, str]]] = [vault, Vault("a"), OtherVault("a"), *methods]
    assert len({key_of(ask) for ask in different}) == len(different)


def test_a_callable_with_arguments_is_the_callable_it_calls() -> None:
    assert key_of(partial(vault, "x")) == key_of(vault)


def test_credentials_over_plain_http_are_refused_unless_allowed() -> None:
    with pytest.raises(InvalidInput, match=r"^credentials: .* git\.example\.org unprotected; use https"):
        GitRepository("http://git.example.org/r.git", credentials={"token": SECRET})
    GitRepository("http://git.example.org/r.git", credentials={"token": SECRET}, allow_http_credentials=True)
    GitRepository("http://127.0.0.1:8000/r.git", credentials={"token": SECRET})


def test_the_variable_of_a_secret_is_known_so_that_runs_are_not_given_it() -> None:
    source = GitRepository("https://example.org/r.git", credentials=GitCredentials(access_token_env="REPO_TOKEN"))
    assert source.secret_variables == {"REPO_TOKEN"}
    assert GitRepository("https://example.org/r.git").secret_variables == frozenset()
