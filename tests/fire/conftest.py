"""Tells at the end how much of the fire there was."""

from __future__ import annotations

import pytest

from tests.fire import length


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if length.ran and not length.FULL:
        told = ", ".join(f"{what} {count}" for what, count in sorted(length.ran.items()))
        terminalreporter.write_line(f"under fire in short form ({told}); `make fire` runs all")
