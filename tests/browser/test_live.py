"""Whether a page is live is told as it is: also when its server does nothing any more, or is gone."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.end_to_end.test_dashboard import web_processes
from tests.support.waiting import PATIENCE


def test_a_server_that_does_nothing_is_found_out_and_waited_for(page: Page, dashboard: Dashboard) -> None:
    page.goto("/")
    live = page.locator("#live")
    expect(live).to_have_text("● live")
    [server] = web_processes(dashboard.served.home)
    os.kill(server, signal.SIGSTOP)
    try:
        expect(live).to_have_text("○ not live")
    finally:
        os.kill(server, signal.SIGCONT)
    expect(live).to_have_text("● live")


def test_a_server_that_is_there_and_has_nothing_to_tell_goes_on_being_live(page: Page) -> None:
    page.goto("/")
    live = page.locator("#live")
    expect(live).to_have_text("● live")
    said = page.evaluate(
        """() => new Promise((resolve) => {
            const said = new Set();
            new MutationObserver(() => said.add(document.getElementById("live").textContent))
                .observe(document.getElementById("live"), { childList: true, characterData: true, subtree: true });
            // More than the page waits for.
            setTimeout(() => resolve([...said]), 2.5 * 1000 * document.getElementById("main").dataset.aliveEvery);
        })"""
    )
    assert said == []


# The last one here: nobody serves after it.
def test_a_server_that_is_gone_is_found_out(page: Page, dashboard: Dashboard) -> None:
    page.goto("/")
    live = page.locator("#live")
    expect(live).to_have_text("● live")
    dashboard.served.process.kill()
    dashboard.served.process.wait(PATIENCE)
    expect(live).to_have_text("○ not live")
