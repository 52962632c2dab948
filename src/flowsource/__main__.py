"""`python -m flowsource` is the command `flowsource`."""

from __future__ import annotations

import sys

from flowsource.cli import main

if __name__ == "__main__":
    sys.exit(main())
