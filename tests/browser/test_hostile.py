"""What others wrote is text on every page, whatever it is: subjects, branches, names, parameters, errors, lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from flowsource.demo.repository import FixtureRepository
from flowsource.demo.server import serve_repository
from tests.browser.conftest import Dashboard, came_in
from tests.support.serving import serving
from tests.support.waiting import until_so

SUBJECT = "<img src=x onerror=alert(1)></script><script>alert(2)</script> {{ 7 * 191 }} \"'"
# No branch may have a space in its name.
BRANCH = "<img/src=x/onerror=alert(3)>"
NAME = "<svg onload=alert(4)> javascript:alert(5)"
FLOWS = """
from flowsource import flow

@flow(log_prints=True, flow_run_name="{name}", description="<b onmouseover=alert(6)>bold</b>")
def hostile(text: str = "</textarea><script>alert(7)</script>"):
    print("<img src=x onerror=alert(8)>", text)
    raise ValueError(text)
"""
SCRIPT = """
from flowsource import GitRepository, flow, serve

if __name__ == "__main__":
    source = GitRepository({url!r}, branch={branch!r}, pull_interval=1)
    serve(flow.from_source(source, "flows.py:hostile").to_deployment("name", tags=["<script>alert(9)</script>"]))
"""


@pytest.fixture(scope="module")
def dashboard(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    place: Path = tmp_path_factory.mktemp("hostile")
    bare = FixtureRepository.create(place / "hostile.git", branch=BRANCH)
    good = FLOWS.format(name=NAME)
    bare.commit_files({"flows.py": good}, message=SUBJECT)
    script = place / "code" / "serve_it.py"
    script.parent.mkdir()
    with serve_repository(bare.path) as remote:
        script.write_text(SCRIPT.format(url=remote.url, branch=BRANCH))
        with serving(script, place / "home") as served:
            dashboard = came_in(browser, served)
            dashboard.say("run", "hostile/name", "--watch")
            bare.commit_files({"flows.py": f"raise ValueError({SUBJECT!r})"}, message=f"again {SUBJECT}")
            until_so(lambda: json.loads(dashboard.say("deployments", "ls", "--json").out)[0]["rejected"] is not None)
            yield dashboard


def test_nothing_that_others_wrote_becomes_an_element_or_runs(page: Page, dashboard: Dashboard) -> None:
    [run] = dashboard.say("runs", "ls", "--json").json
    assert run["name"] == NAME
    for path in ("/", "/runs", f"/runs/{run['id']}", "/deployments/hostile/name", "/sources", "/events"):
        page.goto(path)
        page.wait_for_load_state("load")
        main = page.locator("main")
        expect(main).to_contain_text(SUBJECT if path not in ("/events", "/runs") else NAME)
        assert main.locator("img, script, b, i, svg[onload], [onerror]").count() == 0, path

    page.goto(f"/runs/{run['id']}")
    expect(page.get_by_role("log", name="Lines")).to_contain_text("<img src=x onerror=alert(8)>")
    page.goto("/deployments/hostile/name")
    expect(page.get_by_label("text")).to_have_attribute(
        "placeholder", json.dumps("</textarea><script>alert(7)</script>")
    )
    page.get_by_role("button", name="As last time").click()
    page.get_by_role("combobox", name="Find runs").fill("tag:")
    expect(page.locator("#terms [role=option]")).to_have_text(["tag:<script>alert(9)</script>"])
