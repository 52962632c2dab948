"""What every test of a source may rely on."""

from __future__ import annotations

import pytest

from flowsource.sources.git import wire


@pytest.fixture(autouse=True)
def _strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is known from another test, which may have had its address."""
    monkeypatch.setattr(wire, "_known_habits", {})
