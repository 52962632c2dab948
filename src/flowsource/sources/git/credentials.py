"""Credentials for a Git server over HTTP, looked up anew for every attempt."""

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

# GitHub, GitHub Enterprise, Gitea, Forgejo and a GitLab of one's own take a token under this name: the first two
# insist on it for the tokens of an app, the others take any name. A host is matched whole, or github.com.example.org
# would be taken for GitHub.
_DEFAULT_USERNAME = "x-access-token"
_USERNAMES = {"gitlab.com": "oauth2", "bitbucket.org": "x-token-auth"}
_ALIASES = {"token": "access_token", "password": "access_token"}
_FIELDS = ("username", "access_token", "access_token_env", "access_token_file")


@dataclass(frozen=True, slots=True)
class Login:
    """What one attempt authenticates with. `origin` says where the secret came from, fit for a message."""

    username: str
    password: str = field(repr=False)
    origin: str

    @property
    def authorization(self) -> str:
        """The value of the HTTP header: Basic, in UTF-8."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """A user name and an access token (or password), the token given in one of three ways.

    `access_token` is the token itself; `access_token_env` names an environment variable that holds it;
    `access_token_file` names a file that does. The last two are read at every attempt, so that a token may be changed
    while the server runs. Without a `username` the one that the host expects for tokens is used.
    """

    username: str | None = None
    access_token: str | None = field(default=None, repr=False)
    access_token_env: str | None = None
    access_token_file: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        given = [name for name in _FIELDS[1:] if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"{' and '.join(given)} were given" if given else "none was given"
            raise InvalidInput(f"credentials: give exactly one of {', '.join(_FIELDS[1:])}; {found}.")
        for name in _FIELDS:
            value = getattr(self, name)
            if value is not None and not isinstance(value, (str, os.PathLike)):
                raise InvalidInput(f"credentials: {name} is a {type(value).__name__}; give text.")
            if value == "":
                raise InvalidInput(f"credentials: {name} is empty; give it, or leave it out.")
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise InvalidInput("credentials: username must not hold ':' or control characters; correct it.")

    @property
    def identity(self) -> str:
        """Whose credentials these are, without the secret: the same for the same user and the same place."""
        return f"{self.username or ''}@{self._origin}"

    def login(self, host: str) -> Login:
        """What to authenticate with at `host` now; raises AuthenticationFailed naming a missing variable or file."""
        username = self.username or _USERNAMES.get(host, _DEFAULT_USERNAME)
        return Login(username, self._secret(), self._origin)

    @property
    def _origin(self) -> str:
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
                secret = Path(self.access_token_file).expanduser().read_text(encoding="utf-8")
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
        """What the callable gives now; raises AuthenticationFailed when it fails."""
        try:
            given = _from_value(self.ask())
        except Exception as error:
            # Neither its text nor its traceback is passed on: only their author knows whether a secret is in them.
            raise AuthenticationFailed(
                f"credentials: {self._name} failed with {type(error).__name__}; call it by itself to see why."
            ) from None
        return given.login(host)

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
