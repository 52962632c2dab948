"""A real browser, and a script that serves with its dashboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Dialog,
    Page,
    Request,
    StorageState,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.cli.calling import CommandLine, Done
from tests.support.parts import lacks
from tests.support.serving import ServingScript, serving
from tests.support.waiting import PATIENCE

SCRIPT = '''
import time
from pydantic import BaseModel, Field, SecretStr
from flowsource import flow, get_run_logger, serve


class Window(BaseModel):
    days: int = Field(1, ge=0)


class Limits(BaseModel):
    """How far to go."""

    rows: int = 1000
    key: SecretStr = SecretStr("")
    window: Window = Window()


@flow(log_prints=True)
def etl(day: str = "today", rows: int = 3):
    """Load the totals of a day."""
    print("processing", day)
    for number in range(rows):
        print("row", number)
    if day == "never":
        get_run_logger().error("there is no such day")
        raise ValueError("no totals of never")
    return {"rows": rows}


@flow(log_prints=True)
def long(seconds: float = 600):
    print("waiting")
    time.sleep(seconds)


@flow
def bounded(limits: Limits, day: str = "today", key: SecretStr = SecretStr("")):
    return {"result of": limits.rows * limits.window.days}


if __name__ == "__main__":
    serve(
        etl.to_deployment(name="nightly", cron="0 2 * * *", tags=["etl"]),
        long.to_deployment(name="wait"),
        bounded.to_deployment(name="now", parameters={"limits": {"rows": 7, "window": {"days": 2}}}),
        limit=8,
    )
'''
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 360, "height": 740}


@dataclass
class Dashboard:
    """The dashboard of a script that serves: its address, and the cookies of a browser that came in."""

    address: str
    served: ServingScript
    cookies: StorageState

    def say(self, *words: str) -> Done:
        """`flowsource` with the same memory."""
        return CommandLine(self.served.home).run(*words)


def came_in(browser: Browser, served: ServingScript) -> Dashboard:
    """The dashboard of what is served, with the cookies of a browser that followed its link."""
    link = CommandLine(served.home).run("dashboard").out.strip()
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(50_000)
    page.goto(link)
    cookies = context.storage_state()
    context.close()
    return Dashboard(link.partition("/session")[0], served, cookies)


# Of a module, not of the session: while it is there, Playwright has a loop running in this thread, and no test with a
# loop of its own could come after it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        lacks("Chromium is not installed: the dashboard cannot be looked at")
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        # Root has no sandbox of Chromium's.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def dashboard(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    place = tmp_path_factory.mktemp("dashboard")
    script = place / "code" / "flows.py"
    script.parent.mkdir()
    script.write_text(dedent(SCRIPT))
    with serving(script, place / "home") as served:
        yield came_in(browser, served)


@pytest.fixture
def context(browser: Browser, dashboard: Dashboard) -> Iterator[BrowserContext]:
    context = browser.new_context(storage_state=dashboard.cookies, viewport=WIDE, base_url=dashboard.address)
    context.set_default_timeout(1000 * PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, dashboard: Dashboard) -> Iterator[Page]:
    """A tab. Nothing may go wrong in it, and it may ask nobody but our server."""
    page = context.new_page()
    wrong: list[str] = []

    def refuse(dialog: Dialog) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def look_at(asked: Request) -> None:
        if not asked.url.startswith(dashboard.address):
            wrong.append(asked.url)

    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", refuse)
    page.on("request", look_at)
    yield page
    assert not wrong
