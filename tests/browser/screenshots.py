"""Makes the pictures of `docs/dashboard.md`: `python -m tests.browser.screenshots`."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.browser.shop import Shop, shop

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE: ViewportSize = {"width": 1280, "height": 800}


def main() -> None:
    """Make them all anew."""
    IMAGES.mkdir(exist_ok=True)
    # What is published is read-only, and may stay behind in a temporary directory.
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place,
        shop(Path(place)) as open_shop,
        _page(open_shop) as page,
    ):
        _take(page, open_shop)


@contextmanager
def _page(of: Shop) -> Iterator[Page]:
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        link = of.say.run("dashboard").out.strip()
        page = browser.new_page(viewport=SIZE, color_scheme="light", base_url=link.partition("/session")[0])
        page.goto(link)
        yield page
        browser.close()


def _take(page: Page, of: Shop) -> None:
    _shoot(page, "/", "overview")
    _shoot(page, "/runs", "runs")
    [failed] = json.loads(of.say.run("runs", "ls", "state:failed", "--limit", "1", "--json").out)
    page.goto(f"/runs/{failed['id']}")
    expect(page.locator(".line").first).to_be_visible()
    _keep(page, "run")
    page.goto("/deployments/etl/nightly")
    page.get_by_label("limits").check()
    page.get_by_text("Add a schedule").click()
    page.get_by_label("When", exact=True).fill("30 6 * * 1-5")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    expect(page.locator("form.schedule li")).to_have_count(5)
    page.evaluate("document.activeElement.blur()")
    _keep(page, "deployment")
    _shoot(page, "/sources", "sources")
    _shoot(page, "/runners", "runners")
    _shoot(page, "/events?names=deployment.*", "events")
    for words in (
        ("ci", "--scope", "operator"),
        ("shop-1", "--scope", "runner", "--expires-in", "90d"),
        ("old", "--scope", "viewer"),
    ):
        of.say.run("tokens", "create", *words)
    of.say.run("tokens", "revoke", "old")
    page.goto("/tokens")
    page.get_by_text("Make a token").click()
    _keep(page, "tokens")


def _shoot(page: Page, path: str, name: str) -> None:
    page.goto(path)
    expect(page.locator("#live")).to_have_text(re.compile("live"))
    _keep(page, name)


def _keep(page: Page, name: str) -> None:
    # As high as the page is, but for what is empty below it.
    page.evaluate("document.body.style.minHeight = 0")
    page.locator("body").screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
