"""Going back in the history of a deployment, to what did not serve just before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from flowsource.demo.repository import FixtureRepository
from flowsource.demo.server import serve_repository
from tests.browser.conftest import Dashboard, came_in
from tests.support.serving import serving
from tests.support.waiting import until_so

FLOWS = """
from flowsource import flow

@flow
def count():
    return {number}
"""
SCRIPT = """
from flowsource import GitRepository, flow, serve

if __name__ == "__main__":
    source = GitRepository({url!r}, branch="main", pull_interval=1)
    serve(flow.from_source(source, "flows.py:count").to_deployment("by-one"))
"""


@pytest.fixture(scope="module")
def dashboard(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """One of a deployment that served three revisions, one after the other."""
    place: Path = tmp_path_factory.mktemp("history")
    bare = FixtureRepository.create(place / "count.git")
    bare.commit_files({"flows.py": FLOWS.format(number=1)}, message="Count to one")
    script = place / "code" / "serve_it.py"
    script.parent.mkdir()
    with serve_repository(bare.path) as remote:
        script.write_text(SCRIPT.format(url=remote.url))
        with serving(script, place / "home") as served:
            dashboard = came_in(browser, served)
            for number, word in ((2, "two"), (3, "three")):
                bare.commit_files({"flows.py": FLOWS.format(number=number)}, message=f"Count to {word}")
                wait_until_serves(dashboard, f"Count to {word}")
            yield dashboard


def wait_until_serves(dashboard: Dashboard, subject: str) -> None:
    """Return once the commit of that subject serves."""
    until_so(
        lambda: dashboard.say("deployments", "show", "count/by-one", "--json").json["active"]["subject"] == subject
    )


def test_a_revision_of_the_history_is_gone_back_to_with_a_reason(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/count/by-one")
    rows = page.locator("tr[id^=entry-]")
    served = rows.filter(has_text="promoted")
    expect(served.filter(has_text="Count to three").get_by_role("button")).to_have_count(0)
    served.filter(has_text="Count to one").get_by_role("button", name="Roll back").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("until something newer is pushed?")
    dialog.get_by_label("Why").fill("two was wrong as well")
    dialog.get_by_role("button", name="Yes").click()
    expect(rows.filter(has_text="rolled back").first).to_contain_text("two was wrong as well")
    wait_until_serves(dashboard, "Count to one")
    expect(page.locator("dl.fields").first).to_contain_text("Count to one")
