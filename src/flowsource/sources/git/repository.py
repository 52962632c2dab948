"""A Git repository as a source of flow code."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Protocol, get_args

import anyio

from flowsource.errors import InvalidInput, SourceError
from flowsource.revisions import Revision
from flowsource.sources.base import Report, Source, resolve_alone, say_nothing
from flowsource.sources.git.checkpoint import Checkpoint, in_thread
from flowsource.sources.git.choices import Choice, tag_in
from flowsource.sources.git.credentials import (
    Credentials,
    CredentialsLike,
    GitCredentials,
    credentials_from,
    shows_user,
)
from flowsource.sources.git.filling import Filling, Part, Repository
from flowsource.sources.git.pages import repository_of
from flowsource.sources.git.refs import EVERY_NAME, TAGS, Advertised, Kind, Selector, select
from flowsource.sources.git.remotes import Remote
from flowsource.sources.git.scope import Scope, checked_directories
from flowsource.sources.git.signing.signed import SignedBy
from flowsource.sources.git.signing.verifying import verify
from flowsource.sources.git.store.objects import Objects, described
from flowsource.sources.git.urls import Address, UserInfo, parse_url
from flowsource.sources.git.wire.http_settings import HttpSettings, http_settings
from flowsource.sources.history import Policy
from flowsource.sources.intervals import checked_interval
from flowsource.sources.paths import PathLike
from flowsource.sources.writing import TreeWriter

logger = logging.getLogger(__name__)


class _Repository(Repository, Protocol):
    """A place that has refs and objects: on a server, or in a directory."""

    def refs(self, prefixes: Sequence[str], *, checkpoint: Checkpoint) -> Advertised: ...

    def descends(self, new: str, old: str, *, checkpoint: Checkpoint) -> bool | None: ...


class GitRepository:
    """Flow code in a Git repository, at the newest commit of what it follows.

    `url` is an http, https or ssh URL, `user@host:path` as ssh has it, a `file://` URL or a path; also the page of a
    repository, or of one of its branches, on github.com and gitlab.com. One of `branch`, `tag`, `commit_sha` (all
    digits, or the first of a commit that a branch or tag is at) and `ref` (a full name such as `refs/pull/7/head`) says
    what is followed; without them it is the branch that the repository's HEAD stands for, also after that was renamed.

    With `directories` only those are taken, with the files beside them and beside what they are in: nothing else is
    downloaded where the server can leave it out.

    With `include_submodules` submodules are taken too, and theirs, at the commits that are named; else they are empty
    directories. Those on the server of `url` are asked for with its credentials, all others without. Files that Git
    LFS keeps are taken in place of their pointers unless `include_lfs` is False. `verify` is a SignedBy: only a
    revision that carries such a signature is taken.

    `credentials` are GitCredentials, a mapping of its fields, or a callable that returns either. They are looked up at
    every attempt, sent to the host of `url` only, and refused over plain http to another machine unless
    `allow_http_credentials`. Sources of one `url` whose callables have one name share what they fetch. A server on
    another machine is asked through the proxy that the environment names for it, as Git does, or through `proxy` (a
    URL). `ca_bundle` is a file of the only authorities to trust for https; `client_certificate` is one that holds a
    certificate and its key, or a pair of files. Over SSH none of the three counts: the system's ssh is asked, with a
    configuration of its own, and believes only servers whose host key is known.

    `policy="ff_only"` holds the revision that was taken last when what is followed leads to one that does not come
    after it: somebody rewrote history, or moved a tag. By default (`"follow"`) it is followed, and told.

    `name` replaces the address in messages. `pull_interval` is the time between two polls, in seconds or as a
    timedelta; None reads the source once. Servers other than this machine are asked no more often than every 5 seconds,
    whatever it says.

    Raises InvalidInput naming the argument that cannot be used.
    """

    def __init__(
        self,
        url: PathLike,
        *,
        credentials: CredentialsLike | None = None,
        name: str | None = None,
        branch: str | None = None,
        tag: str | None = None,
        commit_sha: str | None = None,
        ref: str | None = None,
        directories: Sequence[str] | None = None,
        include_submodules: bool = False,
        include_lfs: bool = True,
        verify: SignedBy | None = None,
        pull_interval: float | timedelta | None = 60,
        allow_http_credentials: bool = False,
        proxy: str | None = None,
        ca_bundle: PathLike | None = None,
        client_certificate: PathLike | tuple[PathLike, PathLike] | None = None,
        policy: Policy = "follow",
    ) -> None:
        address, userinfo = parse_url(os.fspath(url) if isinstance(url, os.PathLike) else url)
        given = {"branch": branch, "tag": tag, "commit_sha": commit_sha, "ref": ref}
        self._address, selected = repository_of(address, given)
        self._selector = select(**selected)
        self._credentials = _chosen_credentials(credentials, userinfo, self._address)
        _check_exposure(self._address, self._credentials, allow_http_credentials)
        self._settings = http_settings(proxy=proxy, ca_bundle=ca_bundle, client_certificate=client_certificate)
        _check_settings(self._address, self._settings)
        scope = Scope(checked_directories(directories), in_submodules=include_submodules)
        self._choice = Choice(scope, submodules=include_submodules, lfs=include_lfs)
        self._verify = _checked_verify(verify, self._selector)
        self._name, self._policy = name, _checked_policy(policy)
        self._pull_interval = checked_interval(pull_interval, asks_others=not self._address.is_local)
        self._remote = Remote(self._address, self._credentials, self._settings)
        self._repository: _Repository = self._remote.open()
        # The answer, once it can never change.
        pinned = self._selector.pinned
        self._settled = Revision(id=pinned, content=self._choice.content()) if pinned is not None else None

    @property
    def url(self) -> str:
        """The address in its canonical form, without credentials."""
        return self._address.url

    @property
    def host(self) -> str:
        """The server that is asked, with its port; "" for a repository in a directory."""
        return "" if self._address.path is not None else self._address.authority

    @property
    def key(self) -> str:
        identity = self._credentials.identity if self._credentials is not None else ""
        way = f"\n{self._settings.identity}" if self._settings.identity else ""
        # What was fetched without a signature, or with another one, must not be found by who asks for one.
        signed = f"\n{self._verify.identity}" if self._verify is not None else ""
        digest = hashlib.sha256(f"{self._address.url}\n{identity}{way}{signed}".encode(errors="surrogateescape"))
        return f"git-{digest.hexdigest()[:32]}"

    @property
    def label(self) -> str:
        where = self._name or str(self._address)
        return f"{where} ({self._selector})" if self._selector.name else where

    @property
    def selector(self) -> str:
        # Who holds history off and who follows it are at different revisions of one branch.
        how = f", {self._policy}" if self._policy != "follow" else ""
        return f"{self._selector}{self._choice}{how}"

    @property
    def policy(self) -> Policy:
        """What is done about a revision that does not come after the one before it."""
        return self._policy

    @property
    def pull_interval(self) -> timedelta | None:
        return self._pull_interval

    @property
    def mount(self) -> Path | None:
        return None

    def notices(self, stop: anyio.Event) -> None:
        """None: a repository says nothing by itself."""

    @property
    def secret_variables(self) -> frozenset[str]:
        given = self._credentials
        variable = given.access_token_env if isinstance(given, GitCredentials) else None
        return frozenset({variable} if variable else ())

    def __repr__(self) -> str:
        return f"GitRepository({self._address.url!r}, {self._selector})"

    async def resolve(self) -> Revision:
        """The newest commit of what is followed. One given with all its digits is itself, and nobody is asked."""
        return await resolve_alone(self)

    async def resolve_together(self, sources: Sequence[Source]) -> list[Revision | SourceError]:
        """The same for all of `sources` in one request, and a second one to name what is near a missing ref."""
        repositories = [source for source in sources if isinstance(source, GitRepository)]
        assert len(repositories) == len(sources), "sources of one key are of one kind"
        # The thread holds nothing that others need, so nobody has to wait for a server that hangs.
        return await in_thread(partial(self._resolve, repositories), leave=True)

    async def descends(self, new: Revision, old: Revision) -> bool | None:
        """Whether `new` comes after `old`, or is the same; None when the repository does not let that be told.

        Asks the remote, for commits alone where it can leave out the rest. Raises SourceError when it is away.
        """
        if new.id == old.id:
            return True
        return await in_thread(partial(self._descends, new.id, old.id), leave=True)

    async def fetch(
        self, revision: Revision, into: TreeWriter, *, workspace: Path, report: Report = say_nothing
    ) -> Revision:
        """Export the commit into `into`; without a network when it was fetched before."""
        return await in_thread(partial(self._fetch, revision, into, workspace, report), leave=False)

    def _descends(self, new: str, old: str, checkpoint: Checkpoint) -> bool | None:
        return self._repository.descends(new, old, checkpoint=checkpoint)

    def _resolve(self, sources: Sequence[GitRepository], checkpoint: Checkpoint) -> list[Revision | SourceError]:
        advertised = Advertised({})
        asking = [source for source in sources if source._settled is None]
        if asking:
            prefixes = tuple(dict.fromkeys(prefix for source in asking for prefix in source._selector.prefixes))
            advertised = self._repository.refs(prefixes, checkpoint=checkpoint)
            if not all(source._selector.fits(advertised) for source in asking):
                # Asked again for all names, so that the error can say which are near.
                advertised = self._repository.refs(("HEAD", *EVERY_NAME, *prefixes), checkpoint=checkpoint)
        return [source._settled or source._answer(advertised) for source in sources]

    def _answer(self, advertised: Advertised) -> Revision | SourceError:
        try:
            picked = self._selector.pick(advertised)
        except SourceError as error:
            return error
        if picked is None:
            return self._selector.missing(advertised, str(self._address))
        revision = Revision(
            id=picked[0], content=self._choice.content(tag=self._vouching(picked, advertised)), ref=picked[1]
        )
        if self._selector.kind is Kind.COMMIT:
            # An abbreviation stays what it was, also when the branch that told its other digits moves on.
            self._settled = revision
        return revision

    def _vouching(self, picked: tuple[str, str | None], advertised: Advertised) -> str | None:
        """The tag object whose signature may count for the commit."""
        commit, ref = picked
        if self._verify is None or ref is None or not ref.startswith(TAGS):
            return None
        tag = advertised.objects.get(ref)
        return tag if tag != commit else None

    def _fetch(
        self, revision: Revision, into: TreeWriter, workspace: Path, report: Report, checkpoint: Checkpoint
    ) -> Revision:
        tag = tag_in(revision.content) if self._verify is not None else None

        def check(objects: Objects) -> None:
            if self._verify is not None:
                signer = verify(objects, revision.id, tag=tag, ref=revision.ref, wanted=self._verify)
                logger.debug("%s of %s is signed by %s", revision.short, self.label, signer)

        filling = Filling(into, self._choice, checkpoint=checkpoint, report=report, check=check)
        top = Part(
            repository=self._repository,
            remote=self._remote,
            commit=revision.id,
            scope=self._choice.scope,
            workspace=workspace,
            ref=revision.ref,
            tag=tag,
        )
        return described(revision, filling.fill(top))


def _chosen_credentials(
    given: CredentialsLike | None, userinfo: UserInfo | None, address: Address
) -> Credentials | None:
    chosen = credentials_from(given) if given is not None else _credentials_in_url(userinfo, address)
    if isinstance(chosen, GitCredentials) and chosen.is_for_ssh != (address.scheme == "ssh"):
        kind = "an SSH key" if chosen.is_for_ssh else "an access token"
        raise InvalidInput(f"credentials: {kind} is of no use for {address.url}; change the one or the other.")
    return chosen


def _credentials_in_url(userinfo: UserInfo | None, address: Address) -> GitCredentials | None:
    if userinfo is None or (userinfo.password is None and shows_user(address.host)):
        return None
    # Not a warning of Python's: that prints the line which has the URL in it.
    logger.warning(
        "the URL of the Git source %s carries credentials, which show wherever the URL does; they were taken out of "
        "it. Give credentials=GitCredentials(access_token_env=...) instead.",
        address.url,
    )
    if userinfo.password is None:
        return GitCredentials(access_token=userinfo.user)
    return GitCredentials(username=userinfo.user or None, access_token=userinfo.password)


def _check_exposure(address: Address, credentials: Credentials | None, allowed: bool) -> None:
    if credentials is not None and address.scheme == "http" and not address.is_local and not allowed:
        raise InvalidInput(
            f"credentials: they would go to {address.host} unprotected; use https, or say allow_http_credentials=True."
        )


def _checked_verify(given: SignedBy | None, selector: Selector) -> SignedBy | None:
    if given is not None and not isinstance(given, SignedBy):
        raise InvalidInput(f"verify: {type(given).__name__} says nothing of signatures; give SignedBy(...).")
    if given is not None and given.require == "tag" and not any(one.startswith(TAGS) for one in selector.prefixes[:1]):
        raise InvalidInput("verify: a signed tag is required, and none is followed; give tag=, or require='commit'.")
    return given


def _check_settings(address: Address, settings: HttpSettings) -> None:
    if settings.identity and address.scheme not in ("http", "https"):
        raise InvalidInput(
            f"proxy, ca_bundle and client_certificate are for https, and {address} is reached otherwise; leave them "
            "out. What ssh is to do, its own configuration says."
        )


def _checked_policy(given: Policy) -> Policy:
    if given not in get_args(Policy):
        raise InvalidInput(f"policy: {given!r} is unknown; give 'follow' or 'ff_only'.")
    return given
