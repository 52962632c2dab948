"""The form for a run, made from any schema: it opens, and holds in its fields what it holds as JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal, Union
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from playwright.sync_api import JSHandle, Page, expect
from pydantic import BaseModel, create_model

# A form of its own in the page, put to all that a person does with one; what is told of each is the JSON that it holds.
TURN = """([RunForm, schema, usual, last]) => {
    const form = document.createElement("form");
    form.append(...["given", "json", "last"].map((name) => {
        const part = document.createElement(name === "given" ? "div" : "button");
        if (name === "given") part.className = name;
        else Object.assign(part, { type: "button" }).dataset[name === "json" ? "asJson" : "asLast"] = "";
        return part;
    }));
    Object.assign(form.dataset, { schema, usual, last });
    document.querySelector("main").append(form);
    const made = new RunForm(form);
    const told = [JSON.stringify(made.given())];
    const [asJson, asLast] = form.querySelectorAll("button");
    asLast.click();
    told.push(JSON.stringify(made.given()));
    for (let turn = 0; turn < 3; turn += 1) {
        asJson.click();
        told.push(JSON.stringify(made.given()));
    }
    const shown = document.getElementById("told");
    const problem = shown.hidden ? "" : shown.textContent;
    form.remove();
    return [told, problem];
}"""


class Colour(Enum):
    RED = "red"
    DARK_RED = "dark red"
    NONE = ""


class Level(Enum):
    LOW = 1
    HIGH = 2**60


class Leaf(BaseModel):
    """Something small."""

    day: date
    share: float | None = None


class Tree(BaseModel):
    leaf: Leaf
    left: Tree | None = None
    below: list[Tree] = []


NUMBERS = some.floats(allow_nan=False, allow_infinity=False)
LEAVES = some.builds(Leaf, share=some.none() | NUMBERS)
TREES: some.SearchStrategy[Tree] = some.deferred(
    lambda: some.builds(Tree, leaf=LEAVES, left=some.none() | TREES, below=some.lists(TREES, max_size=2))
)

SIMPLE: list[Any] = [
    *(int, float, bool, str, date, datetime, UUID, Colour, Level, Leaf, Tree, list[str], dict[str, int], Any, None),
    Literal["a", "b c", "1"],
    Literal[1, "1", None],
]
# Types that are made while this runs: no checker reads them, and `|` makes none of what is a list.
KINDS = some.one_of(
    some.sampled_from(SIMPLE),
    some.lists(some.sampled_from(SIMPLE), min_size=2, max_size=3).map(lambda kinds: Union[tuple(kinds)]),  # noqa: UP007
    some.sampled_from(SIMPLE).map(lambda kind: list[kind]),  # type: ignore[valid-type]
)
# Some of them are what every object of JavaScript has.
NAMES = some.sampled_from(["day", "rows", "constructor", "toString", "valueOf", "__proto__", "größe", "x"])
# What JSON may hold; a number may have more digits than JavaScript keeps.
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | NUMBERS | some.text(),
    lambda below: some.lists(below, max_size=3) | some.dictionaries(some.text() | NAMES, below, max_size=3),
    max_leaves=8,
)


def schema_of(kinds: dict[str, Any], usual: Any) -> dict[str, Any]:
    """The schema of parameters of these kinds, every other one of which need not be given."""
    fields: dict[str, Any] = {
        f"p{place}": (kind, ... if place % 2 else usual) for place, kind in enumerate(kinds.values())
    }
    schema = create_model("Parameters", **fields).model_json_schema()
    named = dict(zip(kinds, schema["properties"].values(), strict=True))
    return {**schema, "properties": named, "required": [name for place, name in enumerate(kinds) if place % 2]}


def gives_nothing(value: Any) -> bool:
    """Whether there is no value in it, but for the objects that must be there."""
    return isinstance(value, dict) and all(map(gives_nothing, value.values()))


@pytest.fixture
def form(page: Page) -> JSHandle:
    """The class of forms, in a page that has one."""
    page.goto("/deployments/etl/nightly")
    found: JSHandle = page.evaluate_handle(
        """async () => (await import(document.querySelector('script[src$="form.js"]').src)).RunForm"""
    )
    return found


@pytest.fixture
def nested(page: Page) -> Page:
    """The page of a deployment whose parameters have parts."""
    page.goto("/deployments/bounded/now")
    return page


def turned(page: Page, form: JSHandle, schema: Any, usual: Any, last: Any) -> list[Any]:
    """What the form held: at first, as last time, and each time it was turned between fields and JSON."""
    told, problem = page.evaluate(TURN, [form, *map(json.dumps, (schema, usual, last))])
    assert problem == ""
    return [json.loads(one) for one in told]


RARELY_SHRUNK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def test_whatever_the_parameters_of_a_flow_are_the_form_and_its_json_hold_the_same(page: Page, form: JSHandle) -> None:
    @RARELY_SHRUNK
    @given(some.dictionaries(NAMES, KINDS, max_size=5), some.dictionaries(NAMES, JSON, max_size=4), JSON)
    def hold(kinds: dict[str, Any], last: dict[str, Any], usual: Any) -> None:
        first, *then = turned(page, form, schema_of(kinds, usual), {}, last)
        assert gives_nothing(first)
        assert then == [last] * 4

    hold()


def test_what_fits_the_parameters_is_held_as_well(page: Page, form: JSHandle) -> None:
    @RARELY_SHRUNK
    @given(TREES, some.dates(), some.sampled_from(Level), some.sampled_from(Colour), some.text())
    def hold(tree: Tree, day: date, level: Level, colour: Colour, text: str) -> None:
        kinds = {"tree": Tree, "day": date, "level": Level, "colour": Colour | None, "text": str}
        given_last = {
            "tree": tree.model_dump(mode="json"),
            "day": day.isoformat(),
            "level": level.value,
            "colour": colour.value,
            "text": text,
        }
        assert turned(page, form, schema_of(kinds, None), {"text": text}, given_last)[1:] == [given_last] * 4

    hold()


def test_objects_inside_objects_are_held_whatever_is_in_them(page: Page, form: JSHandle) -> None:
    plain = some.sampled_from(["string", "integer", "boolean", "object"]).map(lambda kind: {"type": kind})
    wrapped = some.sampled_from(
        [
            lambda of: of,
            lambda of: {"allOf": [of], "description": "one"},
            lambda of: {"anyOf": [of, {"type": "null"}], "default": None},
            lambda of: {**of, "default": {"day": 1}},
        ]
    )
    schemas = some.recursive(
        plain,
        lambda below: some.builds(
            lambda wrap, properties, required: wrap({"type": "object", "properties": properties, "required": required}),
            wrapped,
            some.dictionaries(NAMES, below | some.just({"$ref": "#/$defs/self"}), min_size=1, max_size=3),
            some.lists(NAMES, max_size=3),
        ),
        max_leaves=12,
    )
    objects = some.recursive(
        some.none() | some.integers() | some.text() | some.booleans(),
        lambda below: some.dictionaries(NAMES, below, max_size=3) | some.lists(below, max_size=2),
        max_leaves=20,
    )

    @RARELY_SHRUNK
    @given(some.dictionaries(NAMES, schemas, max_size=4), schemas, some.dictionaries(NAMES, objects, max_size=4))
    def hold(properties: dict[str, Any], itself: dict[str, Any], last: dict[str, Any]) -> None:
        schema = {"type": "object", "properties": properties, "$defs": {"self": itself}}
        first, *then = turned(page, form, schema, {}, last)
        assert first == {}
        assert then == [last] * 4

    hold()


def test_a_schema_that_nobody_can_make_sense_of_is_written_as_json(page: Page, form: JSHandle) -> None:
    words = some.sampled_from(["type", "enum", "anyOf", "allOf", "$ref", "default", "description", "format"])
    said = JSON | some.sampled_from(["string", "integer", "object", "#/properties/x", "#/", "date"])
    objects = some.fixed_dictionaries({"type": some.just("object"), "properties": JSON, "required": JSON})
    schemas = some.dictionaries(words, said, max_size=4) | JSON | objects

    @RARELY_SHRUNK
    @given(some.dictionaries(NAMES, schemas, max_size=4), some.dictionaries(NAMES, JSON, max_size=4))
    def hold(properties: dict[str, Any], last: dict[str, Any]) -> None:
        assert turned(page, form, {"type": "object", "properties": properties}, {}, last)[1:] == [last] * 4

    hold()


def test_numbers_stay_as_they_were_written(page: Page, form: JSHandle) -> None:
    last = '{"n": 123456789012345678901234567890, "e": 1e400, "one": 1.0}'
    schema = json.dumps({"properties": {"n": {"type": "integer"}, "e": {"type": "number"}}})
    told, _ = page.evaluate(TURN, [form, schema, "{}", last])
    assert [one.replace(":", ": ").replace(",", ", ") for one in told[1:]] == [
        *['{"one": 1.0, "n": 123456789012345678901234567890, "e": 1e400}'] * 4
    ]


def test_what_is_written_as_json_is_said_to_be_and_a_mistake_in_it_is_told(
    page: Page,
) -> None:
    page.goto("/deployments/etl/nightly")
    page.get_by_role("button", name="JSON").click()
    page.get_by_label("Parameters as JSON").fill("{day: 1}")
    page.get_by_role("button", name="JSON").click()
    expect(page.locator("#told")).to_contain_text("This is not JSON")


def test_an_object_inside_has_fields_of_its_own_that_begin_with_what_is_usual(nested: Page) -> None:
    expect(nested.locator("form.run .given > div").locator("label").filter(visible=True)).to_have_text(
        ["limits", "day", "key"]
    )
    group = nested.get_by_role("group", name="limits")
    expect(group).to_contain_text('usual: {"rows":7,"window":{"days":2}}')
    expect(group.get_by_label("rows")).to_have_count(0)
    group.get_by_label("limits").check()
    expect(group.get_by_label("rows", exact=True)).to_have_value("7")
    group.get_by_role("group", name="window").get_by_label("days").fill("many")
    nested.get_by_role("button", name="▷ Run").click()
    expect(group.get_by_role("group", name="window")).to_contain_text("give a number")

    group.get_by_label("days").fill("-1")
    nested.get_by_role("button", name="▷ Run").click()
    expect(group.get_by_role("group", name="window")).to_contain_text("does not fit (minimum)")
    group.get_by_label("days").fill("3")
    nested.get_by_role("button", name="▷ Run").click()
    expect(nested.locator("main")).to_contain_text('"result of": 21')
