"""`flowsource source listen`: the door for webhooks."""

from __future__ import annotations

from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import say
from flowsource.server.webhooks_door import PATH
from flowsource.server.webhooks_secret import secret_in
from flowsource.server.webhooks_serving import serve_webhooks
from flowsource.store.protocol import Store


def listen(
    *,
    port: int = 8790,
    host: str = "127.0.0.1",
    secret_env: str | None = None,
    secret_file: str | None = None,
) -> int:
    """Take webhooks.

    Parameters
    ----------
    port
        The port to listen at (8790); 0 for any that is free.
    host
        The address to listen at (127.0.0.1).
    secret_env
        The environment variable that holds the secret (FLOWSOURCE_WEBHOOK_SECRET).
    secret_file
        A file that holds the secret; it may be changed at any time.
    """
    secret = secret_in(variable=secret_env, file=secret_file)

    async def serve(store: Store) -> int:
        await serve_webhooks(store, secret, host=host, port=port, on_ready=_say_ready)
        say("Stopped.")
        return exits.OK

    return with_store(serve)


def _say_ready(address: str) -> None:
    say(f"Taking webhooks at {address}{PATH}; Ctrl-C stops it.")
