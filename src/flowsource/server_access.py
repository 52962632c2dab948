"""How this process gets into a server: with which token, and whom it trusts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowsource.errors import InvalidSettings
from flowsource.tokens import is_secret

TOKEN = "FLOWSOURCE_TOKEN"
TOKEN_FILE = "FLOWSOURCE_TOKEN_FILE"
CA_FILE = "FLOWSOURCE_CA_FILE"
ALLOW_HTTP = "FLOWSOURCE_ALLOW_HTTP"
# What a run must not have: its code is whoever's who pushes.
SECRET_VARIABLES = frozenset({TOKEN})


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """Reads what the environment says at each use, so that a token can be replaced without a restart."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def token(self) -> str | None:
        """The token of FLOWSOURCE_TOKEN, else what the file FLOWSOURCE_TOKEN_FILE holds, else None.

        Raises InvalidSettings for what cannot be read, or is no token.
        """
        if given := self.environ.get(TOKEN):
            return _checked(given, TOKEN)
        if not (path := self.environ.get(TOKEN_FILE)):
            return None
        try:
            return _checked(Path(path).expanduser().read_text(encoding="utf-8", errors="replace"), path)
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InvalidSettings(f"{TOKEN_FILE}: {path} cannot be read ({why}). Give a file with a token.") from None

    @property
    def ca_file(self) -> Path | None:
        """The certificates of those who are trusted to say who a server is; None for those of the system."""
        given = self.environ.get(CA_FILE)
        if not given:
            return None
        path = Path(given).expanduser()
        if not path.is_file():
            raise InvalidSettings(f"{CA_FILE}: {given} is not a file. Give one with certificates, in PEM.")
        return path

    @property
    def allows_http(self) -> bool:
        """Whether plain HTTP may be spoken with other machines."""
        return self.environ.get(ALLOW_HTTP, "") not in ("", "0")


def _checked(text: str, where: str) -> str:
    if not is_secret(token := text.strip()):
        # Not what it is: it may be a secret of something else.
        raise InvalidSettings(f"{where}: what it holds is no token of a flowsource server, which begins with fs_.")
    return token
