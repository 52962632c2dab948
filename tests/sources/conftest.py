"""What every test of a source may rely on."""

from __future__ import annotations

import pytest

from flowsource.sources.git.wire import exchange


@pytest.fixture(autouse=True)
def _strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is known from another test, which may have had its address."""
    monkeypatch.setattr(exchange, "_known_habits", {})
