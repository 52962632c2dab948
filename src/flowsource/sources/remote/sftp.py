"""SFTP, asked only of servers whose host key is known: the file system of fsspec believes whoever answers."""

from __future__ import annotations

from typing import Any, NoReturn

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from flowsource.errors import AuthenticationFailed

_KNOWN = "~/.ssh/known_hosts"


class KnownServerSftp(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Who is known, `~/.ssh/known_hosts` says."""

    def __init__(self, host: str, **settings: Any) -> None:
        super().__init__(host, **{"host_key_policy": _OnlyKnown(), **settings})

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        # Loaded first: of the keys that a server has, it is asked for one of the kind that is known.
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(self.host_key_policy)
        try:
            self.client.connect(self.host, **self.ssh_kwargs)
        except paramiko.BadHostKeyException:
            raise AuthenticationFailed(
                f"{self.host} identifies itself with another host key than the one that is known. Somebody may be "
                f"listening; or its key was changed: then ask its owner for the new one, and replace it in {_KNOWN}."
            ) from None
        self.ftp = self.client.open_sftp()


class _OnlyKnown(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko has no types
    def missing_host_key(self, client: object, hostname: str, key: object) -> NoReturn:
        """Refuse it. `hostname` is as `known_hosts` has it, with the port if that is not the usual one."""
        raise AuthenticationFailed(
            f"the host key of {hostname} is not known, so nobody can tell whether it is the right server. Put it into "
            f"{_KNOWN}: ssh-keyscan prints it; compare it with what its owner publishes."
        )
