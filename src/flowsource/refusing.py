"""`serve` in a process that loads a flow: refused, and nothing of what serves is imported for it.

A file that serves imports the name at its top, and its runs would each pay for all that is behind it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from flowsource.errors import InvalidDeployment


def serve(*_deployments: Any, **_options: Any) -> NoReturn:
    """Raises InvalidDeployment: a flow is only loaded here."""
    raise InvalidDeployment(
        "serve() was called while this file was imported to load a flow from it; "
        'put the call under `if __name__ == "__main__":`.'
    )


async def aserve(*_deployments: Any, **_options: Any) -> NoReturn:
    """As `serve`."""
    serve()
