"""Whether anybody is there: requests that are being answered, and since when there is none."""

from __future__ import annotations

from datetime import timedelta

import anyio

from flowsource.server.guard import Application, Receive, Scope, Send


class Attendance:
    """Stands before `app`, and sees who comes."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._going_on = 0
        self._alone_since = anyio.current_time()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self._going_on += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._going_on -= 1
            self._alone_since = anyio.current_time()

    async def until_alone(self, length: timedelta) -> None:
        """Wait until nobody has come for so long, and nobody is there."""
        while True:
            left = self._alone_since + length.total_seconds() - anyio.current_time()
            if left <= 0 and not self._going_on:
                return
            await anyio.sleep(max(left, 1))
