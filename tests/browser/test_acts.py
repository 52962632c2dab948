"""What a person does about deployments, their code and their runs, beside asking for one as it is."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, expect

from flowsource.cli import exits
from tests.browser.conftest import Dashboard
from tests.support.serving import serving


def test_a_run_is_done_again_with_other_parameters(page: Page, dashboard: Dashboard) -> None:
    dashboard.say("run", "etl/nightly", "-p", "day=monday", "-p", "rows=2", "--watch")
    dashboard.say("run", "etl/nightly", "-p", "day=later", "--watch")
    [monday] = [run for run in dashboard.say("runs", "ls", "--json").json if run["parameters"].get("day") == "monday"]
    page.goto(f"/runs/{monday['id']}")
    page.get_by_role("link", name="Re-run with").click()
    expect(page.get_by_label("day", exact=True)).to_have_value("monday")
    expect(page.locator("form.run")).to_contain_text(monday["name"])
    page.get_by_label("rows").fill("4")
    page.get_by_role("button", name="▷ Run").click()
    page.wait_for_url(re.compile("/runs/[0-9a-f-]+$"))
    expect(page.locator("main")).to_contain_text('"day": "monday"')
    expect(page.locator("main")).to_contain_text('"rows": 4')


def test_a_run_is_asked_for_at_a_time_under_a_name_with_tags(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/etl/nightly")
    page.get_by_text("When, and what it is called").click()
    page.get_by_label("Due").fill("2031-05-06T07:08")
    page.locator("form.run").get_by_label("Name", exact=True).fill("much-later")
    page.get_by_label("Tags").fill("first, second one")
    page.get_by_role("button", name="▷ Run").click()
    page.wait_for_url(re.compile("/runs/[0-9a-f-]+$"))
    [run] = dashboard.say("runs", "ls", "name:much-later", "--json").json
    assert {"first", "second one"} <= set(run["tags"])
    there = page.evaluate("new Date(2031, 4, 6, 7, 8).toISOString()")
    assert datetime.fromisoformat(run["scheduled_at"]) == datetime.fromisoformat(there).astimezone(UTC)
    dashboard.say("runs", "cancel", run["id"])


def test_a_revision_is_pinned_with_a_reason_and_unpinned(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/etl/nightly")
    page.locator("#pin summary").click()
    form = page.locator("#pin form")
    form.get_by_label("Revision").fill("0" * 12)
    form.get_by_role("button", name="Pin").click()
    expect(form.get_by_role("status")).not_to_be_empty()

    revision = dashboard.say("deployments", "show", "etl/nightly", "--json").json["active"]["id"]
    form.get_by_label("Revision").fill(revision[:10])
    form.get_by_label("Why").fill("until the books are closed")
    form.get_by_role("button", name="Pin").click()
    expect(page.locator("dl.fields").first).to_contain_text("until the books are closed")
    page.get_by_role("button", name="Unpin", exact=True).click()
    expect(page.get_by_role("button", name="Unpin", exact=True)).to_have_count(0)


def test_all_deployments_of_a_query_are_paused_and_resumed(page: Page, dashboard: Dashboard) -> None:
    page.goto("/?query=tag:etl")
    page.get_by_role("button", name="Pause all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("of 1 deployment that")
    dialog.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("row", name="etl/nightly")).to_contain_text("paused")
    assert dashboard.say("deployments", "show", "long/wait", "--json").json["paused"] is False
    page.get_by_role("button", name="Resume all").click()
    dialog.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("row", name="etl/nightly")).to_contain_text("ready")


def test_an_event_is_told_and_seen(page: Page) -> None:
    page.goto("/events?names=stock.*")
    page.get_by_text("Tell of something that happened").click()
    form = page.locator("#emit form")
    form.get_by_label("Name").fill("stock.counted")
    form.get_by_label("Carries").fill("{articles: 3}")
    form.get_by_role("button", name="Tell").click()
    expect(form.get_by_role("status")).to_contain_text("This is not JSON")
    form.get_by_label("Carries").fill('{"articles": 3}')
    form.get_by_role("button", name="Tell").click()
    expect(page.locator("table.list tbody tr")).to_contain_text("stock.counted")
    expect(page.locator("table.list tbody tr")).to_contain_text('"articles": 3')


def test_why_a_schedule_is_taken_away_is_told(page: Page, dashboard: Dashboard) -> None:
    dashboard.say("schedules", "add", "long/wait", "--cron", "0 5 * * *")
    page.goto("/deployments/long/wait")
    page.locator("tr[id^=schedule-]").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_label("Why").fill("nobody waits for it")
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(page.locator("tr[id^=schedule-]")).to_have_count(0)
    expect(page.locator("tr[id^=entry-]").first).to_contain_text("nobody waits for it")


def test_a_deployment_is_paused_and_resumed_with_a_reason_and_without_one_at_once(
    page: Page, dashboard: Dashboard
) -> None:
    page.goto("/deployments/long/wait")
    newest = page.locator("tr[id^=entry-]").first
    page.get_by_role("button", name="Pause, with a reason").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Hold the schedules and triggers of long/wait?")
    expect(dialog.get_by_label("Why")).to_be_focused()
    page.keyboard.type("the disk is full")
    page.keyboard.press("Enter")
    expect(newest).to_contain_text("paused")
    expect(newest).to_contain_text("the disk is full")
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(newest).to_contain_text("resumed")
    page.get_by_role("button", name="Pause, with a reason").click()
    dialog.get_by_role("button", name="No").click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    assert dashboard.say("deployments", "show", "long/wait", "--json").json["paused"] is False


def test_one_schedule_is_held_with_a_reason(page: Page, dashboard: Dashboard) -> None:
    dashboard.say("schedules", "add", "long/wait", "--cron", "0 6 * * *")
    page.goto("/deployments/long/wait")
    row = page.locator("tr[id^=schedule-]")
    row.get_by_role("button", name="Pause, with a reason").click()
    page.get_by_role("dialog").get_by_label("Why").fill("until the move")
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(row).to_contain_text("held")
    expect(page.locator("tr[id^=entry-]").first).to_contain_text("until the move")
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(row).to_have_count(0)


def test_a_run_is_cancelled_with_a_reason(page: Page, dashboard: Dashboard) -> None:
    run = dashboard.say("run", "long/wait", "--json").json
    page.goto(f"/runs/{run['id']}")
    page.get_by_role("button", name="Cancel, with a reason").click()
    page.get_by_role("dialog").get_by_label("Why").fill("it was for yesterday")
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(page.locator("main")).to_contain_text(re.compile("Asked to end by local .*: it was for yesterday"))


def test_what_few_need_of_a_schedule_is_given_too(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/bounded/now")
    page.get_by_text("Add a schedule").click()
    form = page.locator("form.schedule")
    expect(form.get_by_label("Jitter")).to_be_hidden()
    form.get_by_text("More", exact=True).click()
    expect(form.get_by_label("Counted from")).to_be_hidden()
    form.get_by_label("When").fill("0 3 13 * 5")
    form.get_by_label("Both days").check()
    form.get_by_label("Slug").fill("unlucky")
    form.get_by_label("Jitter").fill("soon")
    expect(form.get_by_role("status")).to_contain_text("Jitter: give a length of time")
    form.get_by_label("Jitter").fill("1h30m")
    form.get_by_label("Catch-up").select_option("all")
    form.get_by_label("At most late").fill("2 h")
    form.get_by_label("Held").check()
    form.get_by_label("Why").fill("to be sure")
    # The 13th, where it is a Friday: not each of both.
    expect(form.get_by_role("listitem")).to_have_count(5)
    expect(form.get_by_role("listitem").first).to_contain_text("-13 03:00:00")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("tr[id^=schedule-]")).to_contain_text("held")
    [kept] = dashboard.say("schedules", "ls", "bounded/now", "--json").json
    told = {name: kept[name] for name in ("slug", "active", "day_or", "jitter", "catchup", "max_lateness")}
    assert told == {
        "slug": "unlucky",
        "active": False,
        "day_or": False,
        "jitter": 5400,
        "catchup": "all",
        "max_lateness": 7200,
    }
    expect(page.locator("tr[id^=entry-]").first).to_contain_text("to be sure")


def test_an_interval_is_counted_from_an_instant(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/bounded/now")
    page.get_by_text("Add a schedule").click()
    form = page.locator("form.schedule")
    form.get_by_text("More", exact=True).click()
    form.get_by_label("Kind").select_option("interval")
    expect(form.get_by_label("Both days")).to_be_hidden()
    form.get_by_label("When").fill("1h")
    form.get_by_label("Counted from").fill("2031-05-06T07:08:09")
    expect(form.get_by_role("listitem").first).to_contain_text(":08:09")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("tr[id^=schedule-]").filter(has_text="every hour")).to_have_count(1)


def test_what_few_need_of_a_trigger_is_given_too(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/bounded/now")
    page.get_by_text("Add a trigger").click()
    form = page.locator("form.trigger")
    form.get_by_text("More", exact=True).click()
    expect(form.get_by_label("How many")).to_be_hidden()
    form.get_by_label("Runs when").select_option("expect")
    form.get_by_label("Of what").fill("door.opened")
    form.get_by_label("Name").fill("busy")
    form.get_by_label("Labels").fill('{"floor": "2"}')
    form.get_by_label("How many").fill("3")
    form.get_by_label("Within").fill("10 min")
    form.get_by_label("For each").fill("door")
    form.get_by_label("Delay").fill("90")
    form.get_by_label("Why").fill("many come")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("tr[id^=trigger-]")).to_contain_text("busy")
    expect(page.locator("tr[id^=entry-]").first).to_contain_text("many come")
    [kept] = dashboard.say("triggers", "ls", "bounded/now", "--json").json
    said = json.dumps(kept)
    for part in (
        '"threshold": 3',
        '"within": 600.0',
        '"schedule_after": 90.0',
        '"floor": ["2"]',
        '"for_each": ["door"]',
    ):
        assert part in said, said


def test_any_trigger_is_added_as_json(page: Page, dashboard: Dashboard) -> None:
    page.goto("/deployments/bounded/now")
    page.get_by_text("Add a trigger").click()
    form = page.locator("form.trigger")
    form.get_by_label("Runs when").select_option("what this JSON says happens")
    form.get_by_label("Of what").fill("{kind: sequence}")
    form.get_by_role("button", name="Add").click()
    expect(form.get_by_role("status")).to_contain_text("Of what: this is not JSON")
    both = {"kind": "sequence", "within": 60, "triggers": [{"expect": "a.began"}, {"expect": "a.ended"}]}
    form.get_by_label("Of what").fill(json.dumps(both))
    form.get_by_role("button", name="Add").click()
    expect(page.locator("tr[id^=trigger-]").filter(has_text="a.ended")).to_have_count(1)


OLD = """
from flowsource import flow, serve

@flow
def old():
    return 1

if __name__ == "__main__":
    serve(old.to_deployment(name="by hand"), webserver=False)
"""


def test_a_deployment_that_nobody_serves_is_deleted_once_its_name_is_typed(
    page: Page, dashboard: Dashboard, tmp_path: Path
) -> None:
    script = tmp_path / "old.py"
    script.write_text(OLD)
    path = f"/deployments/old/{quote('by hand')}"
    with serving(script, dashboard.served.home):
        dashboard.say("run", "old/by hand", "--watch")
        page.goto(path)
        expect(page.locator("main")).to_contain_text("Once nobody does, it can be deleted here")
    page.get_by_role("button", name="Delete").last.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete old/by hand with its schedules, its triggers, its history and 1 run?")
    yes = dialog.get_by_role("button", name="Yes")
    dialog.get_by_label("Its name").fill("old/by")
    expect(yes).to_be_disabled()
    dialog.get_by_role("button", name="No").click()
    page.get_by_role("button", name="Delete").last.click()
    expect(dialog.get_by_label("Its name")).to_have_value("")
    dialog.get_by_label("Its name").fill("old/by hand")
    yes.click()
    page.wait_for_url(f"{dashboard.address}/")
    expect(page.locator("main")).to_contain_text("etl/nightly")
    assert dashboard.say("deployments", "show", "old/by hand").code == exits.NOT_FOUND
