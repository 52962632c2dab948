"""A repository together with what it is asked with, and how one leads to another."""

from __future__ import annotations

from dataclasses import dataclass

from flowsource.errors import SourceInvalid
from flowsource.sources.git.credentials import Credentials, Login
from flowsource.sources.git.local import LocalRepository
from flowsource.sources.git.remote import RemoteRepository
from flowsource.sources.git.urls import Address


@dataclass(frozen=True, slots=True)
class Remote:
    """The repository at `address`, and the credentials that are for it."""

    address: Address
    credentials: Credentials | None = None

    @property
    def identity(self) -> str:
        """Which repository it is, and as whom it is asked; no secret."""
        return f"{self.address.url}\n{self.credentials.identity if self.credentials is not None else ''}"

    def open(self) -> LocalRepository | RemoteRepository:
        """The repository itself; nobody is asked yet."""
        if self.address.path is not None:
            return LocalRepository(self.address.path)
        return RemoteRepository(self.address, self.credentials)

    def at(self, address: Address) -> Remote:
        """Another place that this repository names. The credentials go with it if it is on the same server.

        Raises SourceInvalid for a place on this machine that a repository elsewhere names.
        """
        if address.is_local and not self.address.is_local:
            raise SourceInvalid(f"{self.address} leads to {address}, which is on this machine; correct it there.")
        return Remote(address, self.credentials if self.is_beside(address) else None)

    def is_beside(self, address: Address) -> bool:
        """Whether `address` is on the same server: of one scheme, host and port."""
        if self.address.path is not None or address.path is not None:
            return False
        return (self.address.scheme, self.address.authority) == (address.scheme, address.authority)

    def login(self) -> Login | None:
        """What to authenticate with now, over HTTP."""
        return self.credentials.login(self.address.host) if self.credentials is not None else None
