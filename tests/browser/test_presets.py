"""Values of the form for a run, kept under names in the browser."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect


@pytest.fixture
def form(page: Page) -> Page:
    """The page of a deployment, with its presets in sight."""
    page.goto("/deployments/bounded/now")
    page.locator("summary", has_text="Presets").click()
    return page


def as_json(page: Page) -> object:
    page.get_by_role("button", name="JSON").click()
    held = json.loads(page.get_by_label("Parameters as JSON").input_value())
    page.get_by_role("button", name="JSON").click()
    return held


def kept(page: Page) -> str:
    """All that the browser keeps, as text."""
    said: str = page.evaluate("JSON.stringify(localStorage)")
    return said


def test_values_are_kept_under_a_name_chosen_replaced_and_deleted(form: Page) -> None:
    choice, name = form.get_by_label("Preset", exact=True), form.get_by_label("Name of the preset")
    expect(choice).to_be_disabled()
    form.get_by_label("day", exact=True).fill("monday")
    form.get_by_label("limits").check()
    form.get_by_label("rows").fill("12345678901234567890")
    name.fill("mondays")
    form.get_by_role("button", name="Keep").click()
    expect(form.get_by_role("alert").filter(has_text="Kept as mondays")).to_be_visible()
    mondays = as_json(form)

    form.reload()
    form.locator("summary", has_text="Presets").click()
    form.get_by_label("day", exact=True).fill("tuesday")
    name.fill("constructor")
    name.press("Enter")
    choice.select_option("mondays")
    assert (
        as_json(form)
        == mondays
        == {
            "limits": {"rows": 12345678901234567890, "window": {"days": 2}},
            "day": "monday",
        }
    )

    form.get_by_label("day", exact=True).fill("sunday")
    form.get_by_role("button", name="Replace").click()
    choice.select_option("constructor")
    assert as_json(form) == {"day": "tuesday"}
    choice.select_option("mondays")
    expect(form.get_by_label("day", exact=True)).to_have_value("sunday")

    form.get_by_role("button", name="Delete").click()
    expect(choice.get_by_role("option")).to_have_text(["choose …", "constructor"])
    choice.select_option("constructor")
    form.get_by_role("button", name="Delete").click()
    expect(choice).to_be_disabled()
    assert "flowsource-presets" not in kept(form)


def test_secrets_are_not_kept_wherever_they_are(form: Page) -> None:
    form.locator(".given > .field").get_by_label("key", exact=True).fill("hidden one")
    form.get_by_label("limits").check()
    form.get_by_role("group", name="limits").get_by_label("key", exact=True).fill("hidden two")
    form.get_by_label("Name of the preset").fill("all")
    form.get_by_role("button", name="Keep").click()
    expect(form.get_by_label("Preset", exact=True)).to_have_value("all")
    assert "rows" in kept(form)
    assert "hidden" not in kept(form)


def test_another_deployment_has_presets_of_its_own(form: Page) -> None:
    form.get_by_label("Name of the preset").fill("mine")
    form.get_by_role("button", name="Keep").click()
    expect(form.get_by_label("Preset", exact=True)).to_have_value("mine")
    form.goto("/deployments/etl/nightly")
    form.locator("summary", has_text="Presets").click()
    expect(form.get_by_label("Preset", exact=True)).to_be_disabled()


def test_a_browser_that_keeps_nothing_says_so(form: Page) -> None:
    form.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    form.get_by_label("Name of the preset").fill("any")
    form.get_by_role("button", name="Keep").click()
    expect(form.locator("#told")).to_contain_text("This browser does not keep it")


def test_whatever_may_hold_a_secret_is_left_out_whole(page: Page) -> None:
    page.goto("/deployments/etl/nightly")
    left = page.evaluate(
        """async ([schema, value]) => {
            const form = document.querySelector('script[src$="form.js"]').src;
            const { withoutSecrets } = await import(new URL("schema.js", form));
            return withoutSecrets(value, schema, schema);
        }""",
        [
            {
                "type": "object",
                "properties": {
                    "plain": {"type": "string"},
                    "secret": {"type": "string", "writeOnly": True},
                    "all": {"type": "array", "items": {"$ref": "#/$defs/Login"}},
                    "either": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Login"}]},
                    "login": {"allOf": [{"$ref": "#/$defs/Login"}], "description": "of somebody"},
                    "by_name": {"type": "object", "additionalProperties": {"format": "password", "type": "string"}},
                },
                "$defs": {
                    "Login": {
                        "type": "object",
                        "properties": {
                            "user": {"type": "string"},
                            "word": {"type": "string", "format": "password"},
                            "next": {"$ref": "#/$defs/Login"},
                        },
                    }
                },
            },
            {
                "plain": "p",
                "secret": "s",
                "all": [{"word": "s"}],
                "either": 1,
                "login": {"user": "u", "word": "s", "next": {"user": "v", "word": "s"}},
                "by_name": {"a": "s"},
                "more": [1],
            },
        ],
    )
    assert left == {"plain": "p", "login": {"user": "u", "next": {"user": "v"}}, "more": [1]}
