"""An HTTP API that speaks JSON, asked over one connection that is kept."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_BUSY = (429, 502, 503)
_PATIENCE = 30.0
_AGAIN_AFTER = 0.1


class HttpDoor:
    """The API below `url`. Asked again, as the clients of both products do, where the server says that it is busy."""

    def __init__(self, url: str, headers: Mapping[str, str] = {}) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._below = parts.path
        self._headers = {"Content-Type": "application/json", **headers}

    def get(self, path: str) -> Any:
        """What is at the path; raises RuntimeError with the answer for one that is no good."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: object) -> Any:
        """What the server answers to `body`; raises RuntimeError with the answer for one that is no good."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: object) -> Any:
        data = None if body is None else json.dumps(body)
        until = time.monotonic() + _PATIENCE
        while True:
            status, answer = self._once(method, path, data)
            if status < 300:
                return json.loads(answer) if answer else None
            if status not in _BUSY or time.monotonic() > until:
                raise RuntimeError(f"{method} {path} was answered {status}: {answer.decode(errors='replace')[:500]}")
            time.sleep(_AGAIN_AFTER)

    def _once(self, method: str, path: str, data: str | None) -> tuple[int, bytes]:
        try:
            self._connection.request(method, self._below + path, data, self._headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A server may close a connection that nobody used for a while, and that is seen only now.
            self._connection.close()
            self._connection.request(method, self._below + path, data, self._headers)
            response = self._connection.getresponse()
        return response.status, response.read()
