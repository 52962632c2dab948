"""The proxy that a server is asked through: one that was given, or as Git and curl take it from the environment."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from flowsource.errors import InvalidInput
from flowsource.sources.git.urls import Address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy at `url`, which holds no credentials, and the header that has them."""

    url: str
    headers: dict[str, str] = field(repr=False)


def proxy_for(address: Address) -> Proxy | None:
    """The proxy that `https_proxy`, `http_proxy` or `all_proxy` names for `address`, unless `no_proxy` does.

    Upper case is as good, and a server on this machine is asked directly. Raises InvalidInput for what is no proxy.
    """
    named = getproxies()
    given = named.get(address.scheme) or named.get("all")
    if not given or address.is_local or proxy_bypass(address.authority):
        return None
    return _parsed(given) or _refuse(
        f"the environment variable {address.scheme}_proxy, or all_proxy,", "or put the server into no_proxy"
    )


def proxy_from(given: str, name: str) -> Proxy:
    """The proxy at the URL `given`, which may hold credentials; raises InvalidInput naming the argument `name`."""
    if not isinstance(given, str):
        raise InvalidInput(f"{name}: {type(given).__name__} is no URL; give text.")
    return _parsed(given) or _refuse(f"{name}: what was given", "or leave it out")


def _parsed(given: str) -> Proxy | None:
    try:
        url = parse_url(given if "://" in given else f"http://{given}")
    except LocationParseError:
        return None  # Its text quotes the URL, which may hold a password.
    if url.scheme not in ("http", "https") or not url.host:
        return None
    authority = url.host if url.port is None else f"{url.host}:{url.port}"
    return Proxy(f"{url.scheme}://{authority}", _authorization(url.auth))


def _refuse(what: str, otherwise: str) -> NoReturn:
    raise InvalidInput(f"{what} is not the URL of an HTTP proxy; write it as http://host:port, {otherwise}.")


def pool_manager(proxy: Proxy | None, **settings: Any) -> urllib3.PoolManager:
    """Connections with these `settings`, through `proxy` if there is one."""
    if proxy is None:
        return urllib3.PoolManager(**settings)
    return urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **settings)


def _authorization(userinfo: str | None) -> dict[str, str]:
    if not userinfo:
        return {}
    return {"Proxy-Authorization": "Basic " + base64.b64encode(unquote(userinfo).encode()).decode("ascii")}
