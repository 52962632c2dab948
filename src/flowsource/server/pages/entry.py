"""Who looks at a page: whoever a browser came in as, with a page for those who did not."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from flowsource.server.access import Shown
from flowsource.tokens import Token

Visitor = Annotated[Token, Depends(Shown("viewer"))]
