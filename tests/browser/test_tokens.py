"""Tokens on their page: made, of which the secret is shown once, and revoked."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import BrowserContext, Page, expect

from flowsource.tokens import is_secret
from tests.browser.conftest import Dashboard
from tests.support.waiting import PATIENCE


def make(page: Page, name: str, *scopes: str, counts_for: str = "") -> str:
    """The secret of a token that a person makes."""
    page.goto("/tokens")
    page.get_by_text("Make a token").click()
    form = page.locator("form.token")
    form.get_by_label("Name").fill(name)
    for scope in scopes:
        form.get_by_label(scope).check()
    form.get_by_label("Counts for").fill(counts_for)
    form.get_by_role("button", name="Make").click()
    expect(page.locator("#secret")).to_contain_text(f"The secret of {name}.")
    return page.locator("#secret code").inner_text()


def test_a_token_is_made_and_lets_in_with_what_was_chosen(page: Page, dashboard: Dashboard) -> None:
    page.goto("/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Tokens").click()
    secret = make(page, "ci", "viewer", "runner", counts_for="1d12h")

    assert is_secret(secret)
    shown = {"authorization": f"Bearer {secret}"}
    me = httpx.get(f"{dashboard.address}/api/v1/me", headers=shown, timeout=PATIENCE).json()
    assert (me["name"], me["scopes"]) == ("ci", ["viewer", "runner"])
    row = page.get_by_role("row", name="ci viewer, runner")
    expect(row).to_contain_text("good")
    expect(row).to_contain_text(re.compile("in 1 ?d"))
    expect(row).to_contain_text("never")


def test_a_secret_is_copied_and_is_nowhere_once_the_page_is_left(
    page: Page, context: BrowserContext, dashboard: Dashboard
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    secret = make(page, "once", "viewer")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("alert")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == secret
    assert secret not in page.url
    kept = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state])")
    assert secret not in kept

    page.goto("/runners")
    page.go_back()
    expect(page.get_by_role("row", name="once viewer")).to_be_visible()
    expect(page.locator("#secret")).to_be_hidden()
    assert secret not in page.content()
    assert secret not in dashboard.served.output

    other = make(page, "other", "viewer")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#secret")).to_be_hidden()
    assert other not in page.content()


def test_what_cannot_be_made_says_why(page: Page) -> None:
    make(page, "taken", "viewer")
    page.get_by_text("Make a token").click()
    form = page.locator("form.token")
    problem = form.get_by_role("status")
    form.get_by_label("Name").fill("taken")
    form.get_by_role("button", name="Make").click()
    expect(problem).to_contain_text("choose what may be done")
    form.get_by_label("operator").check()
    form.get_by_label("Counts for").fill("soon")
    form.get_by_role("button", name="Make").click()
    expect(problem).to_contain_text("Counts for: give a length of time")
    form.get_by_label("Counts for").fill("")
    form.get_by_role("button", name="Make").click()
    expect(problem).to_contain_text("there is a token 'taken'")


def test_a_token_is_revoked_once_a_person_is_sure(page: Page, dashboard: Dashboard) -> None:
    secret = make(page, "to go/1", "viewer")
    row = page.get_by_role("row", name="to go/1 viewer")
    row.get_by_role("button", name="Revoke").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Revoke to go/1? Whoever uses it is out at once")
    dialog.get_by_role("button", name="No").click()
    expect(row).to_contain_text("good")
    row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Yes").click()
    expect(row).to_contain_text("revoked")
    expect(row.get_by_role("button", name="Revoke")).to_have_count(0)
    shown = {"authorization": f"Bearer {secret}"}
    assert httpx.get(f"{dashboard.address}/api/v1/me", headers=shown, timeout=PATIENCE).status_code == 401


def test_whoever_revokes_his_own_token_is_out(page: Page, dashboard: Dashboard) -> None:
    secret = make(page, "mine", "admin")
    shown = {"authorization": f"Bearer {secret}"}
    link = httpx.post(f"{dashboard.address}/session/links", headers=shown, timeout=PATIENCE).json()["path"]
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page(base_url=dashboard.address)
    other.goto(link)
    other.goto("/tokens")
    row = other.get_by_role("row", name="mine you are in with it")
    row.get_by_role("button", name="Revoke").click()
    expect(other.get_by_role("dialog")).to_contain_text("with which you are in?")
    other.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(other.locator("main")).to_contain_text("flowsource dashboard")
    other.close()
