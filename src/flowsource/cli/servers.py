"""`flowsource server`: letting others use a store, and saying who may."""

from __future__ import annotations

from flowsource.cli.groups import group

# What this one says of itself is here: its module needs much that the list of commands does not.
_START = """Let runners and people on other machines use the store of this one.

Each needs a token. The first, of an administrator, is made when the server starts for the first time and is left in a
file; `flowsource server token create` makes more. Beyond this machine it listens with TLS alone, or behind a proxy that
speaks it. Ctrl-C stops it: runs go on, and their runners tell of them when it is back."""

server = group("server", "Let runners and people on other machines use this store.")
server.command("flowsource.cli.server_start:start", name="start", help=_START)
server.command("flowsource.cli.server_tokens:token", name="token")
