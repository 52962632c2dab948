"""Which modules a piece of code loads, asked of a Python of its own."""

from __future__ import annotations

import json
import subprocess
import sys

_ASK = """
import sys
before = set(sys.modules)
exec(sys.argv[1])
loaded = sorted(set(sys.modules) - before)
import json
print(json.dumps(loaded))
"""


def modules_loaded_by(code: str) -> frozenset[str]:
    """The full names of the modules that `code` adds to those of a fresh interpreter."""
    told = subprocess.run([sys.executable, "-c", _ASK, code], check=True, stdout=subprocess.PIPE, text=True).stdout
    return frozenset(json.loads(told.splitlines()[-1]))
