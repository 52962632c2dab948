"""A repository together with what it is asked with, and how one leads to another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from flowsource.errors import SourceInvalid
from flowsource.sources.git.credentials import Credentials, Login
from flowsource.sources.git.local import LocalRepository
from flowsource.sources.git.remote import RemoteRepository
from flowsource.sources.git.urls import Address
from flowsource.sources.git.wire.http_settings import HttpSettings


@dataclass(frozen=True, slots=True)
class Remote:
    """The repository at `address`, the credentials that are for it, and how it is reached over HTTP."""

    address: Address
    credentials: Credentials | None = None
    settings: HttpSettings = field(default_factory=HttpSettings)

    @property
    def identity(self) -> str:
        """Which repository it is, and as whom it is asked; no secret."""
        return f"{self.address.url}\n{self.credentials.identity if self.credentials is not None else ''}"

    def open(self) -> LocalRepository | RemoteRepository:
        """The repository itself; nobody is asked yet."""
        if self.address.path is not None:
            return LocalRepository(self.address.path)
        return RemoteRepository(self.address, self.credentials, settings=self.settings)

    def at(self, address: Address) -> Remote:
        """Another place that this repository names. If it is on the same server, all of this goes with it.

        No other server is shown credentials or a certificate of ours; it is reached through the same proxy, and
        trusted by the same authorities. Raises SourceInvalid for a place on this machine that a repository elsewhere
        names.
        """
        if address.is_local and not self.address.is_local:
            raise SourceInvalid(f"{self.address} leads to {address}, which is on this machine; correct it there.")
        if self.is_beside(address):
            return replace(self, address=address)
        return Remote(address, settings=replace(self.settings, client_certificate=None))

    def is_beside(self, address: Address) -> bool:
        """Whether `address` is on the same server: of one scheme, host and port."""
        if self.address.path is not None or address.path is not None:
            return False
        return (self.address.scheme, self.address.authority) == (address.scheme, address.authority)

    def login(self) -> Login | None:
        """What to authenticate with now, over HTTP."""
        return self.credentials.login(self.address.host) if self.credentials is not None else None
