"""Credentials for a Git server, looked up anew for every attempt."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from flowsource.errors import AuthenticationFailed, InvalidInput
from flowsource.sources.paths import PathLike, check_readable, expanded

# GitHub, GitHub Enterprise, Gitea, Forgejo, Azure DevOps and a GitLab of one's own take a token under this name: the
# first two insist on it for the tokens of an app, the others take any name. A host is matched whole, or
# github.com.example.org would be taken for GitHub.
_DEFAULT_USERNAME = "x-access-token"
_USERNAMES = {"gitlab.com": "oauth2", "bitbucket.org": "x-token-auth"}
# They put a user name, which is no secret and opens nothing, into every URL that they show.
_SHOW_USER = frozenset({"dev.azure.com", "bitbucket.org"})
_AZURE_BEFORE = ".visualstudio.com"
_ALIASES = {"token": "access_token", "password": "access_token"}
_TOKENS = ("access_token", "access_token_env", "access_token_file")
_FOR_SSH = ("ssh_key_file", "known_hosts_file")
_FIELDS = ("username", *_TOKENS, "scheme", *_FOR_SSH)


def shows_user(host: str) -> bool:
    """Whether the user in the URLs of `host` is a name; elsewhere a user without a password is taken for a token."""
    return host in _SHOW_USER or (host.endswith(_AZURE_BEFORE) and "." not in host.removesuffix(_AZURE_BEFORE))


@dataclass(frozen=True, slots=True)
class Login:
    """What one attempt over HTTP authenticates with. `origin` says where the secret came from, fit for a message.

    Without a `username` the secret is a bearer token.
    """

    username: str | None
    password: str = field(repr=False)
    origin: str

    @property
    def authorization(self) -> str:
        """The value of the HTTP header: Bearer, or Basic in UTF-8."""
        if self.username is None:
            return f"Bearer {self.password}"
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    def __str__(self) -> str:
        whose = "bearer token" if self.username is None else f"credentials of user {self.username!r}"
        return f"{whose} from {self.origin}"


@dataclass(frozen=True, slots=True)
class SshLogin:
    """What one attempt over SSH authenticates with. Without a `key` ssh takes those of its agent and its own."""

    user: str | None = None
    key: Path | None = None
    known_hosts: Path | None = None


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """An access token (or password) with a user name over HTTP, or a key over SSH.

    `access_token` is the token itself; `access_token_env` names an environment variable that holds it;
    `access_token_file` names a file that does. The last two are read at every attempt, so that a token may be changed
    while the server runs. Without a `username` the one that the host expects for tokens is used. With
    `scheme="bearer"` there is none: the token is sent as it is, which is what the HTTP access tokens of a Bitbucket
    Server are for.

    `ssh_key_file` names a private key, the only one that is tried; `known_hosts_file` names a file with the keys of
    servers, the only one that is believed. Without them ssh finds both where it always does.
    """

    username: str | None = None
    access_token: str | None = field(default=None, repr=False)
    access_token_env: str | None = None
    access_token_file: PathLike | None = None
    scheme: str | None = None
    ssh_key_file: PathLike | None = None
    known_hosts_file: PathLike | None = None

    def __post_init__(self) -> None:
        for name in _FIELDS:
            value = getattr(self, name)
            if value is not None and not isinstance(value, (str, os.PathLike)):
                raise InvalidInput(f"credentials: {name} is a {type(value).__name__}; give text.")
            if value == "":
                raise InvalidInput(f"credentials: {name} is empty; give it, or leave it out.")
        tokens = [name for name in _TOKENS if getattr(self, name) is not None]
        files = [name for name in _FOR_SSH if getattr(self, name) is not None]
        if tokens and files:
            raise InvalidInput(f"credentials: {tokens[0]} is for HTTP, and {files[0]} for SSH; leave one out.")
        if len(tokens) != 1 and not files:
            found = f"{' and '.join(tokens)} were given" if tokens else "none was given"
            raise InvalidInput(
                f"credentials: give one of {', '.join(_TOKENS)}, or for SSH {' and '.join(_FOR_SSH)}; {found}."
            )
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise InvalidInput("credentials: username must not hold ':' or control characters; correct it.")
        self._check_scheme(tokens)

    def _check_scheme(self, tokens: list[str]) -> None:
        if self.scheme not in (None, "basic", "bearer"):
            raise InvalidInput(f"credentials: scheme {self.scheme!r} is unknown; give 'basic' or 'bearer'.")
        if self.scheme is not None and not tokens:
            raise InvalidInput("credentials: scheme says how a token is sent, and none was given; leave it out.")
        if self.scheme == "bearer" and self.username is not None:
            raise InvalidInput("credentials: a bearer token is sent without a username; leave one of them out.")

    @property
    def is_for_ssh(self) -> bool:
        """Whether these are of use over SSH, and else over HTTP."""
        return self.ssh_key_file is not None or self.known_hosts_file is not None

    @property
    def identity(self) -> str:
        """Whose credentials these are, without the secret: the same for the same user and the same place."""
        return f"{self.username or ''}@{self._origin}{' as bearer' if self.scheme == 'bearer' else ''}"

    def login(self, host: str) -> Login:
        """What to authenticate with at `host` now, over HTTP.

        Raises AuthenticationFailed naming a missing variable or file, or what is of use over SSH only.
        """
        if self.is_for_ssh:
            raise AuthenticationFailed(f"credentials: {host} is asked over HTTP, not SSH; give an access token.")
        secret = self._secret()
        if self.scheme != "bearer":
            return Login(self.username or _USERNAMES.get(host, _DEFAULT_USERNAME), secret, self._origin)
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise AuthenticationFailed(
                f"credentials: the {self._origin} holds letters that no bearer token has; correct it."
            )
        return Login(None, secret, self._origin)

    def ssh_login(self, host: str) -> SshLogin:
        """What to authenticate with at `host` now, over SSH; raises AuthenticationFailed for what is no file now."""
        if not self.is_for_ssh:
            raise AuthenticationFailed(
                f"credentials: {host} is asked over SSH, where no token is of use; give ssh_key_file."
            )
        return SshLogin(self.username, self._file("ssh_key_file"), self._file("known_hosts_file"))

    def _file(self, name: str) -> Path | None:
        if (given := getattr(self, name)) is None:
            return None
        # ssh says of a key that it cannot read no more than that permission was denied.
        path = expanded(given).absolute()
        check_readable(path, f"credentials: {name}", error=AuthenticationFailed)
        return path

    @property
    def _origin(self) -> str:
        if self.is_for_ssh:
            return " ".join(f"{name} {os.fspath(path)}" for name in _FOR_SSH if (path := getattr(self, name)))
        if self.access_token_env is not None:
            return f"environment variable {self.access_token_env}"
        if self.access_token_file is not None:
            return f"file {os.fspath(self.access_token_file)}"
        return "access_token"

    def _secret(self) -> str:
        if self.access_token is not None:
            return self.access_token
        if self.access_token_env is not None:
            secret = os.environ.get(self.access_token_env, "")
        else:
            assert self.access_token_file is not None
            try:
                secret = expanded(self.access_token_file).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                # The exception quotes the bytes.
                raise AuthenticationFailed(f"credentials: the {self._origin} is not text; correct it.") from None
            except OSError as error:
                raise AuthenticationFailed(
                    f"credentials: the {self._origin} cannot be read ({error.strerror}); correct it."
                ) from error
        if not (secret := secret.strip()):
            raise AuthenticationFailed(f"credentials: the {self._origin} is not set or empty; put the token there.")
        return secret


Given: TypeAlias = GitCredentials | Mapping[str, str]
CredentialsLike: TypeAlias = Given | Callable[[], Given]


@dataclass(frozen=True, slots=True)
class CredentialsProvider:
    """A callable that gives credentials, asked anew for every attempt.

    Its identity is its module and qualified name, and for a method the class of the object it is bound to, so that it
    is the same in every process. Two callables of one name, such as two lambdas of a module or a method of two objects,
    are taken for one identity: name them apart when they give access to different things.
    """

    ask: Callable[[], Given] = field(repr=False)

    @property
    def identity(self) -> str:
        """Which callable it is."""
        return f"@{self._name}()"

    def login(self, host: str) -> Login:
        """What the callable gives now, over HTTP; raises AuthenticationFailed when it fails."""
        return self._given().login(host)

    def ssh_login(self, host: str) -> SshLogin:
        """What the callable gives now, over SSH; raises AuthenticationFailed when it fails."""
        return self._given().ssh_login(host)

    def _given(self) -> GitCredentials:
        try:
            return _from_value(self.ask())
        except Exception as error:
            # Neither its text nor its traceback is passed on: only their author knows whether a secret is in them.
            raise AuthenticationFailed(
                f"credentials: {self._name} failed with {type(error).__name__}; call it by itself to see why."
            ) from None

    @property
    def _name(self) -> str:
        ask: object = self.ask
        while isinstance(ask, partial):
            ask = ask.func
        owner = getattr(ask, "__self__", None)
        if owner is not None and not isinstance(owner, ModuleType):
            # A method that a class inherits has the qualified name of its parent's.
            owner = owner if isinstance(owner, type) else type(owner)
            return f"{_full_name(owner)}.{getattr(ask, '__name__', '')}"
        return _full_name(ask if hasattr(ask, "__qualname__") else type(ask))


def _full_name(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


Credentials: TypeAlias = GitCredentials | CredentialsProvider


def credentials_from(value: CredentialsLike) -> Credentials:
    """`value` as credentials: GitCredentials, a mapping of its fields (`token` or `password` for `access_token`), or a
    callable that returns one of these. Raises InvalidInput for anything else."""
    if not isinstance(value, (GitCredentials, Mapping)) and callable(value):
        return CredentialsProvider(value)
    return _from_value(value)


def _from_value(value: Given) -> GitCredentials:
    if isinstance(value, GitCredentials):
        return value
    if not isinstance(value, Mapping):
        raise InvalidInput(f"credentials: {type(value).__name__} are no credentials; give GitCredentials(...).")
    fields: dict[str, str] = {}
    for key, secret in value.items():
        name = _ALIASES.get(key, key)
        if name not in _FIELDS:
            raise InvalidInput(f"credentials: {key!r} is not a field; there are {', '.join((*_FIELDS, *_ALIASES))}.")
        if name in fields:
            raise InvalidInput(f"credentials: {name} is given twice, under two names; leave one out.")
        fields[name] = secret
    return GitCredentials(**fields)
