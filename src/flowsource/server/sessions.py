"""Sessions of browsers: begun by a link that works once, and over with their token."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from flowsource.errors import NotAuthenticated

COOKIE = "flowsource-session"
LINK_FOR = timedelta(minutes=10)
SESSION_FOR = timedelta(hours=12)
_MOST = 200


@dataclass(slots=True)
class Session:
    """A browser that came by a link: `digest` is that of its token."""

    digest: str
    csrf: str
    until: float

    def is_csrf(self, given: str) -> bool:
        """Whether `given` is what the pages of this session send along."""
        return hmac.compare_digest(self.csrf.encode(), given.encode("utf-8", "surrogateescape"))


class Sessions:
    """The sessions, and the links that nobody has followed yet; in memory alone, so that a restart ends them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def link(self, digest: str) -> str:
        """A new code that begins a session of the token of that digest, once."""
        code = secrets.token_urlsafe(32)
        self._links[_hashed(code)] = digest, self._clock() + LINK_FOR.total_seconds()
        while len(self._links) > _MOST:
            self._links.popitem(last=False)
        return code

    def begin(self, code: str) -> str:
        """The value of the cookie of a new session; raises NotAuthenticated for a code that is used or too old."""
        digest, until = self._links.pop(_hashed(code), ("", 0.0))
        if self._clock() >= until:
            raise NotAuthenticated("this link was used before, or is too old. Ask for another.")
        cookie = secrets.token_urlsafe(32)
        self._sessions[_hashed(cookie)] = Session(digest, secrets.token_urlsafe(32), self._end())
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)
        return cookie

    def of(self, cookie: str) -> Session:
        """The session of that cookie, which goes on from now; raises NotAuthenticated where there is none."""
        session = self._sessions.get(_hashed(cookie))
        if session is None or self._clock() >= session.until:
            raise NotAuthenticated("the session is over. Ask for another link.")
        session.until = self._end()
        return session

    def end(self, cookie: str) -> None:
        """End the session of that cookie."""
        self._sessions.pop(_hashed(cookie), None)

    def _end(self) -> float:
        return self._clock() + SESSION_FOR.total_seconds()


def _hashed(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
