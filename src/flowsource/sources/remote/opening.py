"""Making the file system that an address asks for, no sooner than it is used."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
from anyio import to_thread

from flowsource.sources.remote.address import Address
from flowsource.sources.remote.failures import cannot_open
from flowsource.sources.remote.file_systems import FsspecStore
from flowsource.sources.remote.s3 import AT_ONCE, S3Store
from flowsource.sources.remote.stores import REQUEST, Store


async def open_store(address: Address, settings: Mapping[str, Any]) -> Store:
    """The store at `address`; raises SourceError, naming the package that is missing if one is."""
    try:
        with anyio.fail_after(REQUEST):
            # Some of these libraries take a second to import, and some connect at once.
            work = partial(_file_system, address, settings)
            file_system = await to_thread.run_sync(work, abandon_on_cancel=True)
    except Exception as error:
        # Each of these libraries has exceptions of its own.
        raise cannot_open(error, where=address.url, protocol=address.protocol) from None
    if hasattr(file_system, "_call_s3"):
        return S3Store(file_system, address)
    return FsspecStore(file_system, address)


def _file_system(address: Address, settings: Mapping[str, Any]) -> Any:
    kind = _kind_for(address.protocol)
    # Of some places the host, the user or the account stands in the address alone.
    settings = {**kind._get_kwargs_from_urls(address.url), **settings, "skip_instance_cache": True}
    if address.protocol == "s3":
        # Who polls has a backoff of its own. The library would hide for half a minute that it is asked to wait, and one
        # above it would ask it five times.
        settings["config_kwargs"] = {
            "retries": {"mode": "standard", "total_max_attempts": 2},
            "max_pool_connections": AT_ONCE,
            **settings.get("config_kwargs", {}),
        }
    if address.protocol != "sftp":
        # That one keeps no listings, and would take this for an option of its connections.
        settings["use_listings_cache"] = False
    file_system = kind(**settings)
    if address.protocol == "s3":
        file_system.retries = 1
    return file_system


def _kind_for(protocol: str) -> Any:
    import fsspec

    if protocol == "sftp":
        from flowsource.sources.remote.sftp import KnownServerSftp

        return KnownServerSftp
    return fsspec.get_filesystem_class(protocol)
