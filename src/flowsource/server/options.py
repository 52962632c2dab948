"""How a server is reached, as it was asked for: checked before anything listens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowsource.addresses import is_loopback
from flowsource.errors import InvalidInput

_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server is reached.

    `names` are the names by which clients call it, beside those of this machine. It is below the path `prefix`. With
    `certificate` and `key`, files in PEM, it speaks TLS. What `proxies` (addresses, or "*") say of who asks is taken.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    names: tuple[str, ...] = ()
    prefix: str = ""
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()


def checked_options(
    *,
    host: str,
    port: int,
    names: Sequence[str],
    prefix: str,
    certificate: Path | None,
    key: Path | None,
    is_behind_proxy: bool,
    proxies: Sequence[str],
) -> ServerOptions:
    """What was asked for, if a server can be reached in that way and only by those who may; raises InvalidInput."""
    if (certificate is None) != (key is None):
        raise InvalidInput("--certificate and --key: give both, or none.")
    for option, file in (("--certificate", certificate), ("--key", key)):
        if file is not None and not file.is_file():
            raise InvalidInput(f"{option} {file}: there is no such file. Give one in PEM.")
    if not _PREFIX.fullmatch(prefix.rstrip("/")):
        raise InvalidInput(f"--prefix {prefix}: give a path that begins with a slash, such as /flowsource.")
    if proxies and not is_behind_proxy:
        raise InvalidInput("--proxy: say --behind-proxy too.")
    if not is_loopback(host):
        if certificate is None and not is_behind_proxy:
            raise InvalidInput(
                f"--host {host}: others could read along. Give --certificate and --key, or put a proxy that speaks "
                "HTTPS before it and say --behind-proxy."
            )
        if not names:
            raise InvalidInput(f"--host {host}: say by which --name clients call it; by others it does not answer.")
    return ServerOptions(
        host=host,
        port=port,
        names=tuple(names),
        prefix=prefix.rstrip("/"),
        certificate=certificate,
        key=key,
        proxies=tuple(proxies) if proxies else (("127.0.0.1", "::1") if is_behind_proxy else ()),
    )
