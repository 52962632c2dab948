"""Answers made smaller for who takes them so."""

from __future__ import annotations

import gzip

from fastapi import Request
from starlette.responses import Response

# What fits into a packet or so is not worth the work.
_LEAST = 1000
# Higher ones cost more time than a local network takes for the bytes that they save.
_LEVEL = 5


def pack(request: Request, response: Response) -> Response:
    """`response` with a smaller body, if whoever asks can unpack it."""
    body = bytes(response.body)
    if len(body) < _LEAST:
        return response
    response.headers["vary"] = "accept-encoding"
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        response.body = gzip.compress(body, _LEVEL, mtime=0)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
    return response


def _takes_gzip(accepted: str) -> bool:
    """Whether the header `accept-encoding` names gzip, and does not refuse it.

    >>> _takes_gzip("br, gzip;q=0.5"), _takes_gzip("gzip;q=0"), _takes_gzip("")
    (True, False, False)
    """
    for one in accepted.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "").rstrip("0") not in ("q=", "q=0.")
    return False
