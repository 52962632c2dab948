"""`flowsource dashboard`: a way into the dashboard for a browser."""

from __future__ import annotations

import json as json_text
import webbrowser
from datetime import timedelta
from typing import Annotated
from urllib.parse import urljoin

import anyio
from cyclopts import Parameter

from flowsource.addresses import kind_of, server_url
from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.errors import NotFound, StoreError
from flowsource.logins import PATH, local_link
from flowsource.runner.announcing import dashboards
from flowsource.server_access import ServerAccess
from flowsource.settings import Settings
from flowsource.store.http.failures import error_from
from flowsource.store.http.wire import Wire

_PATIENCE = timedelta(seconds=30)


def dashboard(*, follow: Annotated[bool, Parameter(name="--open")] = False, json: bool = False) -> int:
    """Print a link by which a browser comes into the dashboard: once, within ten minutes.

    Parameters
    ----------
    follow
        Have the browser of this machine follow it.
    json
        Print an object with the link as `url`.
    """
    settings = Settings.load()
    if kind_of(settings.store) == "server":
        url = anyio.run(_link_of_server, server_url(settings.store, allow_http=True))
    elif there := dashboards(settings.signs):
        url = there[0] + with_store(local_link)
    else:
        raise NotFound(
            "there is no dashboard on this machine now. A script that serves has one, and so has `flowsource server "
            "start`; is one of them running, with this FLOWSOURCE_HOME or FLOWSOURCE_STORE?"
        )
    if json:
        print_json({"url": url})
    else:
        print(url)
    if follow and not webbrowser.open(url):
        say("No browser could be opened here; follow the link in one.")
    return exits.OK


async def _link_of_server(address: str) -> str:
    async with Wire(address, ServerAccess()) as wire:
        answer = await wire.post(f"{PATH}/links", b"", patience=_PATIENCE, headers={})
    try:
        said = json_text.loads(answer.body)
        if answer.status == 201:
            return urljoin(address, str(said["path"]))
        error = error_from(said.get("error"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        error = None
    raise error or StoreError(
        f"{address} did not make a link (status {answer.status}). Look whether it is a flowsource server of this "
        "version."
    )
