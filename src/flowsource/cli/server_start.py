"""`flowsource server start`: a server in front of the store."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from pathlib import Path

from flowsource.addresses import kind_of
from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import say
from flowsource.errors import InvalidInput
from flowsource.logins import local_link
from flowsource.runner.announcing import announced
from flowsource.server.first_token import ensure_first_token
from flowsource.server.options import checked_options
from flowsource.server.serving import serve_store
from flowsource.settings import Settings
from flowsource.store.protocol import Store


def start(
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    name: list[str] | None = None,
    prefix: str = "",
    certificate: Path | None = None,
    key: Path | None = None,
    behind_proxy: bool = False,
    proxy: list[str] | None = None,
) -> int:
    """Start a server.

    Parameters
    ----------
    host
        The address to listen at (127.0.0.1).
    port
        The port to listen at (8787); 0 for any that is free.
    name
        A name by which clients call the server, beside those of this machine; may be given more than once.
    prefix
        The path below which it is, where a proxy has others beside it.
    certificate
        A file with its certificate, and those it rests on, in PEM.
    key
        A file with the key of the certificate, in PEM.
    behind_proxy
        A proxy before it speaks HTTPS with clients.
    proxy
        The address of a proxy that is believed about who asks (this machine); may be given more than once.
    """
    options = checked_options(
        host=host,
        port=port,
        names=name or (),
        prefix=prefix,
        certificate=certificate,
        key=key,
        is_behind_proxy=behind_proxy,
        proxies=proxy or (),
    )
    settings = Settings.load()
    if kind_of(settings.store) == "server":
        raise InvalidInput("FLOWSOURCE_STORE: it names a server. Give the database that this server is to keep.")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("uvicorn", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    token_file = settings.state / "server-token"

    async def serve(store: Store) -> int:
        if await ensure_first_token(store, token_file):
            say(f"A token of an administrator is in {token_file}; keep it, and make others with it.")
        # For a screen alone: what is kept, as a log is, is not to be a way in.
        link = await local_link(store) if sys.stderr.isatty() else None
        with ExitStack() as told:

            def on_ready(address: str) -> None:
                told.enter_context(announced(settings.signs, address))
                _say_ready(address, link)

            await serve_store(store, options, on_ready=on_ready)
        say("Stopped.")
        return exits.OK

    return with_store(serve)


def _say_ready(address: str, link: str | None) -> None:
    say(f"Serving the store at {address}; Ctrl-C stops it.")
    say(f"Elsewhere, use it with FLOWSOURCE_STORE={address} and a token in FLOWSOURCE_TOKEN_FILE.")
    if link is not None:
        say(f"A browser comes in by {address}{link}, once, within ten minutes.")
