"""`flowsource server start`: a server in front of the store."""

from __future__ import annotations

import logging
import sys
from functools import partial
from pathlib import Path

from flowsource.addresses import kind_of
from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import say
from flowsource.errors import InvalidInput
from flowsource.server.doormat import PATH
from flowsource.server.first_token import ensure_first_token
from flowsource.server.options import checked_options
from flowsource.server.serving import serve_store
from flowsource.server.sessions import Sessions
from flowsource.settings import Settings
from flowsource.store.protocol import Store
from flowsource.tokens import digest_of


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
        await serve_store(store, options, on_ready=partial(_say_ready, token_file))
        say("Stopped.")
        return exits.OK

    return with_store(serve)


def _say_ready(token_file: Path, address: str, sessions: Sessions) -> None:
    say(f"Serving the store at {address}; Ctrl-C stops it.")
    say(f"Elsewhere, use it with FLOWSOURCE_STORE={address} and a token in FLOWSOURCE_TOKEN_FILE.")
    if token_file.is_file():
        code = sessions.link(digest_of(token_file.read_text(encoding="utf-8").strip()))
        say(f"A browser on this machine comes in by {address}{PATH}?code={code}, once, within ten minutes.")
