"""How one server is reached over HTTP, where that is not as for all others: a proxy, whom to trust, who we are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowsource.errors import InvalidInput
from flowsource.sources.git.wire.proxies import Proxy, proxy_from
from flowsource.sources.paths import PathLike, check_readable, checked_path


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """A proxy in place of the environment's, the only authorities to trust, and a certificate with its key."""

    proxy: Proxy | None = None
    ca_bundle: Path | None = None
    client_certificate: tuple[Path, Path] | None = None

    @property
    def identity(self) -> str:
        """What tells two ways to one server apart, without secrets; empty for the usual one."""
        certificate, key = self.client_certificate or ("", "")
        parts = (self.proxy.url if self.proxy else "", self.ca_bundle or "", certificate, key)
        return "\n".join(map(str, parts)) if any(parts) else ""

    @property
    def for_pools(self) -> dict[str, Any]:
        """The settings of connections. The files are read for each new one, so they may be renewed meanwhile."""
        certificate, key = self.client_certificate or (None, None)
        settings = {
            "ca_certs": self.ca_bundle,
            "cert_file": certificate,
            # Named also where both are in one file: with that it is looked at for a passphrase, and nobody is asked.
            "key_file": key,
        }
        return {name: str(value) for name, value in settings.items() if value is not None}


def http_settings(
    *, proxy: str | None, ca_bundle: PathLike | None, client_certificate: PathLike | tuple[PathLike, PathLike] | None
) -> HttpSettings:
    """The settings that the arguments of a source describe; raises InvalidInput naming the one that cannot be used."""
    return HttpSettings(
        None if proxy is None else proxy_from(proxy, "proxy"),
        None if ca_bundle is None else _checked_bundle(ca_bundle),
        None if client_certificate is None else _checked_certificate(client_certificate),
    )


def _checked_bundle(given: PathLike) -> Path:
    path = _file("ca_bundle", given)
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise InvalidInput(f"ca_bundle: {path} holds no certificate; give a file in PEM format.") from None
    return path


def _checked_certificate(given: PathLike | tuple[PathLike, PathLike]) -> tuple[Path, Path]:
    both = given if isinstance(given, (tuple, list)) else (given, given)
    if len(both) != 2:
        raise InvalidInput("client_certificate: give a path, or two: that of the certificate and that of its key.")
    certificate, key = (_file("client_certificate", path) for path in both)

    def ask_nobody() -> str:
        raise InvalidInput(
            f"client_certificate: the key {key} is protected with a passphrase, which nobody is there to type; "
            "give one without."
        )

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=ask_nobody)
    except ssl.SSLError:
        which = str(certificate) if certificate == key else f"{certificate} and {key}"
        raise InvalidInput(
            f"client_certificate: {which} hold no certificate with its key; give files in PEM format."
        ) from None
    return certificate, key


def _file(name: str, given: PathLike) -> Path:
    path = checked_path(given, f"{name}:")
    check_readable(path, f"{name}:")
    return path
