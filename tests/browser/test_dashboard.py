"""The dashboard as a person uses it, in a real browser, over a script that serves and runs."""

from __future__ import annotations

import json
import re
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import BrowserContext, Page, expect

from flowsource.cli import exits
from tests.browser.conftest import NARROW, Dashboard

PAGES = (
    "/",
    "/runs",
    "/deployments/etl/nightly",
    "/deployments/bounded/now",
    "/sources",
    "/runners",
    "/events",
    "/tokens",
)


def test_a_schedule_is_paused_and_goes_on_again(page: Page, dashboard: Dashboard) -> None:
    page.goto("/")
    row = page.get_by_role("row", name="etl/nightly")
    row.get_by_role("button", name="Pause", exact=True).click()
    expect(row).to_contain_text("paused")
    shown = dashboard.say("deployments", "show", "etl/nightly", "--json")
    assert shown.json["paused"] is True

    row.get_by_role("button", name="Resume", exact=True).click()
    expect(row.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(row).to_contain_text("ready")


def test_a_run_is_asked_for_with_other_parameters_and_its_log_comes_by_itself(page: Page) -> None:
    page.goto("/deployments/etl/nightly")
    page.get_by_label("day", exact=True).fill("monday")
    page.get_by_label("rows").fill("5")
    page.get_by_role("button", name="▷ Run").click()

    page.wait_for_url(re.compile("/runs/[0-9a-f-]+$"))
    lines = page.get_by_role("log", name="Lines")
    expect(lines).to_contain_text("processing monday")
    expect(lines).to_contain_text("row 4")
    expect(page.locator("main")).to_contain_text("completed")
    expect(page.locator("main")).to_contain_text('"rows": 5')


def test_what_cannot_be_a_parameter_is_told_at_its_field_and_nothing_is_asked_for(
    page: Page, dashboard: Dashboard
) -> None:
    before = dashboard.say("runs", "ls", "--json").json
    page.goto("/deployments/etl/nightly")
    page.get_by_label("rows").fill("many")
    page.get_by_role("button", name="▷ Run").click()
    expect(page.locator("form.run")).to_contain_text("give a number")

    page.get_by_label("rows").fill("1.5")
    page.get_by_role("button", name="▷ Run").click()
    expect(page.locator(".field", has=page.get_by_label("rows")).get_by_role("alert")).not_to_be_empty()
    assert dashboard.say("runs", "ls", "--json").json == before


def test_the_form_and_its_json_say_the_same(page: Page) -> None:
    page.goto("/deployments/etl/nightly")
    page.get_by_label("day", exact=True).fill("sunday")
    page.get_by_role("button", name="JSON").click()
    area = page.get_by_label("Parameters as JSON")
    assert json.loads(area.input_value()) == {"day": "sunday"}

    area.fill('{"day": "two\\nlines", "rows": 7}')
    page.get_by_role("button", name="JSON").click()
    expect(page.get_by_label("rows")).to_have_value("7")
    page.get_by_role("button", name="JSON").click()
    assert json.loads(area.input_value()) == {"day": "two\nlines", "rows": 7}


def test_a_run_that_goes_on_is_cancelled_and_its_phases_are_told(page: Page, dashboard: Dashboard) -> None:
    asked = dashboard.say("run", "long/wait", "--json").json
    page.goto(f"/runs/{asked['id']}")
    expect(page.get_by_role("log", name="Lines")).to_contain_text("waiting")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("main")).to_contain_text("Asked to end by local")
    expect(page.locator(".head")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)


def test_the_log_of_a_run_is_searched_and_leads_to_its_first_error(page: Page, dashboard: Dashboard) -> None:
    done = dashboard.say("run", "etl/nightly", "-p", "day=never", "-p", "rows=40", "--watch", "--json")
    assert done.code == exits.RUN_FAILED
    [run] = dashboard.say("runs", "ls", "state:failed", "--limit", "1", "--json").json
    page.goto(f"/runs/{run['id']}")
    lines = page.get_by_role("log", name="Lines")
    expect(lines).to_contain_text("there is no such day")
    expect(page.locator("main")).to_contain_text("ValueError: no totals of never")

    page.get_by_label("Search all lines").fill("ROW 3")
    page.get_by_label("Search all lines").press("Enter")
    expect(lines.locator(".line")).to_have_count(11)
    expect(lines.locator("mark").first).to_have_text("row 3")

    page.get_by_role("button", name="First error").click()
    expect(lines.locator(".is-marked")).to_contain_text("there is no such day")
    assert page.url.endswith(lines.locator(".is-marked a.at").get_attribute("href") or "?")


def test_a_schedule_is_seen_before_it_is_kept_and_taken_away_again(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/long/wait")
    page.get_by_text("Add a schedule").click()
    form = page.locator("form.schedule")
    add = form.get_by_role("button", name="Add")
    form.get_by_label("When").fill("0 2 * * nobody")
    expect(form.get_by_role("status")).to_contain_text("nobody")
    expect(add).to_be_disabled()

    form.get_by_label("When").fill("30 4 * * *")
    form.get_by_label("Time zone").fill("Asia/Tokyo")
    expect(form.get_by_role("listitem")).to_have_count(5)
    expect(form.get_by_role("listitem").first).to_contain_text("04:30:00")

    form.get_by_label("Kind").select_option("interval")
    form.get_by_label("When").fill("15 min")
    form.get_by_label("Parameters").fill('{"seconds": "many"}')
    expect(form.get_by_role("status")).to_contain_text("every 15 min")
    add.click()
    expect(form.get_by_role("status")).to_contain_text("seconds")

    form.get_by_label("Parameters").fill('{"seconds": 1}')
    expect(add).to_be_enabled()
    add.click()
    row = page.locator("tr[id^=schedule-]", has_text="every 15 min")
    expect(row).to_contain_text("local")
    [kept] = dashboard.say("schedules", "ls", "long/wait", "--json").json
    assert kept["parameters"] == {"seconds": 1}

    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="No").click()
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(row).to_have_count(0)


def test_a_trigger_is_added_makes_a_run_and_is_held_and_taken_away(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/etl/nightly")
    page.get_by_text("Add a trigger").click()
    form = page.locator("form.trigger")
    form.get_by_label("Of what").fill("etl/nightly")
    form.get_by_role("button", name="Add").click()
    expect(form.get_by_role("status")).to_contain_text("would run again and again")

    form.get_by_label("Runs when").select_option("expect")
    form.get_by_label("Of what").fill("order.created")
    form.get_by_label("Parameters").fill('{"day": "{{ event.payload.day }}"}')
    form.get_by_role("button", name="Add").click()
    row = page.locator("tr[id^=trigger-]", has_text="order.created")
    expect(row).to_contain_text("local")

    dashboard.say("events", "emit", "order.created", "--payload", '{"day": "of the order"}')
    page.goto("/runs?query=trigger%3Aorder.created")
    expect(page.get_by_text("completed").last).to_be_visible()

    page.goto("/deployments/etl/nightly")
    expect(page.locator("tr[id^=firing-]")).to_contain_text("order.created")
    expect(page.locator("tr[id^=firing-]").get_by_role("link", name="a run")).to_be_visible()
    row.get_by_role("button", name="Pause", exact=True).click()
    expect(row.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(row).to_have_count(0)


def test_runs_are_found_by_a_query_that_is_in_the_address(page: Page, dashboard: Dashboard) -> None:
    dashboard.say("run", "etl/nightly", "--watch")
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("state:completed tag:etl")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/runs\?query=state%3Acompleted"))
    expect(page.locator("table.list tbody tr").first).to_contain_text("completed")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/runs/[0-9a-f-]+$"))
    page.go_back()
    expect(page.get_by_label("Find runs")).to_have_value("state:completed tag:etl")


def test_the_query_box_says_how_a_word_may_go_on_and_takes_it_by_keyboard(page: Page, dashboard: Dashboard) -> None:
    page.goto("/")
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Find runs")
    page.keyboard.type("sta")
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_text(["state:"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box).to_have_value("state:")
    expect(options.first).to_have_text("state:scheduled")
    page.keyboard.type("comp")
    expect(options).to_have_text(["state:completed"])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(box).to_have_value("state:completed")
    page.keyboard.type(" deployment:night")
    expect(options).to_have_text(["deployment:nightly"])
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    page.keyboard.type("ly")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/runs\?query="))


def test_all_runs_of_a_query_are_cancelled_and_asked_for_again_once_a_person_has_seen_how_many(
    page: Page, dashboard: Dashboard
) -> None:
    for _ in range(3):
        dashboard.say("run", "long/wait", "-p", "seconds=601")
    page.goto("/runs?query=deployment:wait+-state:cancelled")
    page.get_by_role("button", name="Cancel all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Have 3 runs end")
    dialog.get_by_role("button", name="No").click()
    page.get_by_role("button", name="Cancel all").click()
    dialog.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"runs? (asked to end|cancelled)"))
    expect(page.get_by_text("No run is like this")).to_be_visible()

    page.goto("/runs?query=deployment:wait+state:cancelled")
    page.get_by_role("button", name="Re-run all").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(page.get_by_role("alert")).to_contain_text("asked for again")
    made = dashboard.say("runs", "ls", "deployment:wait -state:cancelled", "--json").json
    assert made
    assert all(run["rerun_of"] for run in made)
    dashboard.say("runs", "cancel", "deployment:wait", "--yes")


def test_tabs_that_nobody_looks_at_keep_no_connection_from_those_that_are_looked_at(
    context: BrowserContext, dashboard: Dashboard
) -> None:
    # A browser has six connections to one server at most.
    tabs = []
    for _ in range(7):
        tab = context.new_page()
        tab.goto("/runs")
        expect(tab.get_by_text("● live")).to_be_visible()
        _look(tab, away=True)
        tabs.append(tab)
    name = dashboard.say("run", "etl/nightly", "--watch", "--json").json["name"]
    link = tabs[0].get_by_role("link", name=name, exact=True)
    expect(link).to_have_count(0)
    _look(tabs[0], away=False)
    expect(link).to_be_visible()


def test_a_page_that_was_refused_what_is_new_asks_again(page: Page) -> None:
    streams = "**/api/v1/streams/**"
    page.route(streams, lambda route: route.fulfill(status=503, body="the store is away"))
    page.goto("/")
    expect(page.get_by_text("○ not live")).to_be_visible()
    page.unroute(streams)
    expect(page.get_by_text("● live")).to_be_visible()


def _look(tab: Page, *, away: bool) -> None:
    """Tell a page whether somebody looks at it: without a screen nobody ever looks away."""
    tab.evaluate(
        """(away) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => away });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        away,
    )


def test_nothing_is_wider_than_a_phone(context: BrowserContext, page: Page, dashboard: Dashboard) -> None:
    [run] = dashboard.say("runs", "ls", "--limit", "1", "--json").json or [None]
    page.set_viewport_size(NARROW)
    for path in (*PAGES, *([f"/runs/{run['id']}"] if run else [])):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= NARROW["width"], path


def test_without_scripts_a_page_says_what_it_knows(context: BrowserContext, dashboard: Dashboard) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(
        java_script_enabled=False, storage_state=context.storage_state(), base_url=dashboard.address
    )
    page = plain.new_page()
    page.goto("/")
    expect(page.locator("main")).to_contain_text("etl/nightly")
    plain.close()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_everybody_can_use_every_page(page: Page, dashboard: Dashboard, look: Literal["light", "dark"]) -> None:
    asked = dashboard.say("run", "etl/nightly", "-p", "day=never", "--watch", "--json")
    assert asked.code == exits.RUN_FAILED
    [run] = dashboard.say("runs", "ls", "state:failed", "--limit", "1", "--json").json
    page.emulate_media(color_scheme=look)
    for path in (*PAGES, f"/runs/{run['id']}"):
        page.goto(path)
        page.wait_for_load_state("load")
        found = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
        assert not found, (path, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found])


def test_what_a_run_writes_is_text_whatever_it_is(page: Page, dashboard: Dashboard) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>\x1b[31mred\x1b[0m\x1b]0;title\x07"
    name = dashboard.say("run", "etl/nightly", "-p", f"day={hostile}", "--json").json["name"]
    page.goto(f"/runs?query=name:{name}")
    page.get_by_role("link", name=name, exact=True).click()
    lines = page.get_by_role("log", name="Lines")
    expect(lines).to_contain_text("processing <img src=x onerror=alert(1)><script>alert(2)</script>red")
    expect(lines.locator(".a-red")).to_have_text("red")
    assert lines.locator("img, script").count() == 0
