"""What the Git server of these tests serves, and the token that opens it where it is private."""

from __future__ import annotations

import random
from typing import Final

SECRET: Final = "ghp_Zz9SecretOfThisTest"
FILES: Final[dict[str, str | bytes]] = {
    "flows.py": "ANSWER = 41\n",
    "data.bin": random.Random(7).randbytes(50_000),
}
