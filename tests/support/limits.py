"""Ends what hangs: a test, from within its event loop, and the cleaning up after one. Tells at once what failed.

pytest's own limits hold for a test up to where it fails. What hangs after that, hangs forever; and a test in an event
loop that is cut off from outside is where that begins, since its loop, which it still holds, is what its fixtures are
cleaned up in.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Awaitable, Callable, Generator
from functools import wraps
from inspect import iscoroutinefunction

import anyio
import pytest
import pytest_timeout

# A test in an event loop is cut off from outside only where it does not end when it is cancelled.
_SECONDS_TO_END = 30
_limit = pytest.StashKey[float]()
_stderr = pytest.StashKey[int]()


class _Telling:
    """Says what failed when it fails, so that it is known whatever becomes of those that come after it."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            what = str(crash.message if crash else report.longrepr).partition("\n")[0]
            self.terminal.write_line("")
            self.terminal.write_line(f"{report.nodeid} ({report.when}): {what}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep the way to the terminal, of which nothing is captured as yet, and tell people what fails."""
    config.stash[_stderr] = os.dup(2)
    if terminal := config.pluginmanager.get_plugin("terminalreporter"):
        config.pluginmanager.register(_Telling(terminal))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what was kept."""
    os.close(config.stash[_stderr])


def pytest_timeout_set_timer(item: pytest.Item, settings: pytest_timeout.Settings) -> bool | None:
    """Have what hangs in an event loop cut off later, so that it can end from within."""
    if not _is_async(item):
        return None
    item.stash[_limit] = settings.timeout
    pytest_timeout.pytest_timeout_set_timer(item, settings._replace(timeout=settings.timeout + _SECONDS_TO_END))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Cancel a test in an event loop where it hangs."""
    if _limit in pyfuncitem.stash:
        pyfuncitem.obj = _limited(pyfuncitem.obj, pyfuncitem.stash[_limit])
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Tell where cleaning up hangs, and end this process, or what failed before would never be told."""
    seconds = float(item.config.getini("faulthandler_timeout"))
    faulthandler.dump_traceback_later(seconds, file=item.config.stash[_stderr], exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _is_async(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and iscoroutinefunction(item.obj)


def _limited(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    @wraps(test)
    async def limited(**fixtures: object) -> None:
        with anyio.fail_after(seconds):
            await test(**fixtures)

    return limited
