"""Writes the document of the API anew: `python -m tests.server.document`."""

from __future__ import annotations

import json

from flowsource.server.app import document_of
from tests.server.routes import app
from tests.server.test_api import DOCUMENT

if __name__ == "__main__":
    DOCUMENT.write_text(json.dumps(document_of(app()), indent=2, sort_keys=True) + "\n", encoding="utf-8")
