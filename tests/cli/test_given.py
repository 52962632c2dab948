"""What is given at the command line becomes values of the types that a flow wants."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowsource.cli.given import instant_from, parameters_from, state_from, value_from
from flowsource.errors import InvalidInput
from flowsource.runs import RunState

TEXT = {"type": "string", "title": "Name"}
NUMBER = {"type": "integer"}
EITHER = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
OPTIONAL_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
ANYTHING = {"title": "Anything", "default": None}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("5", TEXT, "5"),
        ("true", TEXT, "true"),
        ('"quoted"', TEXT, '"quoted"'),
        ("[1, 2]", TEXT, "[1, 2]"),
        ("", TEXT, ""),
        ("5", NUMBER, 5),
        ("five", NUMBER, "five"),
        ("5", EITHER, 5),
        ("five", EITHER, "five"),
        ("null", OPTIONAL_TEXT, None),
        ("5", OPTIONAL_TEXT, "5"),
        ("5", ANYTHING, 5),
        ('"5"', ANYTHING, "5"),
        ("five", ANYTHING, "five"),
        ("NaN", ANYTHING, "NaN"),
        ('{"a": [1]}', {"type": "object"}, {"a": [1]}),
        ("2025-01-01", {"type": "string", "format": "date"}, "2025-01-01"),
        ("1", {"enum": ["1", "2"], "type": "string"}, "1"),
        ("a=b", TEXT, "a=b"),
    ],
)
def test_a_value_is_json_where_the_flow_does_not_want_text(text: str, schema: dict[str, Any], value: Any) -> None:
    assert value_from(text, schema) == value


def test_a_schema_may_refer_to_a_definition() -> None:
    schema = {"properties": {"size": {"$ref": "#/$defs/Size"}}, "$defs": {"Size": {"type": "string", "enum": ["1"]}}}

    assert parameters_from(None, ["size=1"], schema) == {"size": "1"}


def test_a_pair_goes_over_the_object(tmp_path: Path) -> None:
    assert parameters_from('{"a": 1, "b": 2}', ["b=3", "c=x=y"], {}) == {"a": 1, "b": 3, "c": "x=y"}


def test_the_object_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text('{"day": "Monday"}')

    assert parameters_from(f"@{file}", [], {}) == {"day": "Monday"}


@pytest.mark.parametrize(
    ("params", "pairs", "said"),
    [
        ("{", [], "--params: what was given is not JSON"),
        ("[1]", [], "is JSON but no object"),
        ('{"a": NaN}', [], "NaN is not JSON"),
        ("@/nowhere/at/all.json", [], "it cannot be read (No such file or directory)"),
        (None, ["name"], "-p name: give it as name=value."),
        (None, ["=value"], "-p =value: give it as name=value."),
    ],
)
def test_what_cannot_be_parameters_is_named(params: str | None, pairs: list[str], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parameters_from(params, pairs, {})

    assert said in str(caught.value)


def test_an_instant_has_the_offset_that_was_given() -> None:
    assert instant_from("2030-01-01T02:00+01:00") == datetime(2030, 1, 1, 1, tzinfo=UTC)


def test_an_instant_without_an_offset_is_on_the_clock_of_this_machine() -> None:
    assert instant_from("2030-01-01T02:00") == datetime(2030, 1, 1, 2).astimezone()


@pytest.mark.parametrize("text", ["timed_out", "timed-out", "Timed out"])
def test_a_state_is_written_in_several_ways(text: str) -> None:
    assert state_from(text) is RunState.TIMED_OUT
