"""`@flow`, called as a function."""

from __future__ import annotations

import asyncio
import inspect
import math
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import partial
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from flowsource import Flow, flow
from flowsource.errors import InvalidInput, InvalidParameters
from flowsource.parameters import parameters_of


class Colour(Enum):
    RED = "red"


class Order(BaseModel):
    item: str
    count: int


@flow
def add_up(first: int, second: int = 2) -> int:
    """Add two numbers.

    And nothing else.
    """
    return first + second


def test_a_flow_is_named_and_described_by_its_function() -> None:
    assert add_up.name == "add-up"
    assert add_up.description == "Add two numbers.\n\nAnd nothing else."
    assert flow(name="other", description="Said so.")(add_up.fn).name == "other"
    assert flow(description="Said so.")(add_up.fn).description == "Said so."


def test_a_call_is_a_function_call_with_validated_parameters() -> None:
    assert add_up(1) == 3
    assert add_up("40", second="2") == 42  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        flow(lambda: 1 / 0)()


def test_a_wrong_parameter_is_named_and_its_value_is_not_told() -> None:
    with pytest.raises(InvalidParameters, match="first: input should be a valid integer") as caught:
        add_up("s3cret")  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)
    with pytest.raises(TypeError, match="unexpected keyword"):
        add_up(1, third=3)  # type: ignore[call-arg]


def test_validation_can_be_left_out() -> None:
    untouched = flow(validate_parameters=False)(lambda value: value)
    assert untouched("5") == "5"


def test_an_async_flow_stays_async_and_a_sync_flow_stays_sync() -> None:
    @flow
    async def soon(value: int) -> int:
        return value

    coroutine = soon("7")  # type: ignore[arg-type]
    assert inspect.iscoroutine(coroutine)
    assert asyncio.run(coroutine) == 7
    assert not inspect.iscoroutine(add_up(1))


def test_parameters_of_every_usual_type_are_coerced() -> None:
    @flow
    def typed(day: date, colour: Colour, order: Order, many: list[int], *, flag: bool = False) -> tuple[object, ...]:
        return day, colour, order, many, flag

    values = {"day": "2026-11-22", "colour": "red", "order": {"item": "pen", "count": "2"}, "many": ["1"]}
    result = typed(**values)  # type: ignore[arg-type]
    assert result == (date(2026, 11, 22), Colour.RED, Order(item="pen", count=2), [1], False)


def test_names_that_a_model_has_of_its_own_are_fine_as_parameters() -> None:
    @flow
    def odd(schema: int, copy: int, model_config: int, _private: int, self: int = 5) -> list[int]:
        return [schema, copy, model_config, _private, self]

    assert odd("1", "2", "3", "4", "6") == [1, 2, 3, 4, 6]  # type: ignore[arg-type]
    assert set(odd.parameter_schema["properties"]) == {"schema", "copy", "model_config", "_private", "self"}


def test_positional_only_variable_and_keyword_arguments_pass_through() -> None:
    @flow
    def positional(first: int, /, second: int) -> list[int]:
        return [first, second]

    @flow
    def variable(first: int, *rest: int) -> list[object]:
        return [first, *rest]

    @flow
    def named(first: int, **others: object) -> dict[str, object]:
        return {"first": first, **others}

    assert positional("1", second="2") == [1, 2]  # type: ignore[arg-type]
    assert variable(1, 2, 3) == [1, 2, 3]
    assert named("1", other="x") == {"first": 1, "other": "x"}  # type: ignore[arg-type]


def test_a_positional_only_parameter_that_is_left_out_has_its_default() -> None:
    @flow
    def both(a: int = 1, b: int = 2, /, c: int = 3) -> list[int]:
        return [a, b, c]

    positional, named = parameters_of(both.fn).arguments({"b": 5, "c": 6})
    assert both.fn(*positional, **named) == [1, 5, 6]


def test_a_positional_only_parameter_that_is_missing_is_told_by_the_call() -> None:
    def both(a: int, b: int = 2, /) -> None: ...

    positional, named = parameters_of(both).arguments({"b": 5})
    with pytest.raises(TypeError, match="both"):
        both(*positional, **named)


def test_what_the_field_of_pydantic_says_holds_as_a_default_and_as_an_annotation() -> None:
    @flow
    def fielded(
        x: int = Field(3, gt=0, description="How many."),
        many: list[int] = Field(default_factory=list),
        *,
        y: Annotated[int, Field(gt=0)] = 4,
    ) -> list[object]:
        return [x, many, y]

    assert fielded() == [3, [], 4]
    assert fielded("5", y=6) == [5, [], 6]  # type: ignore[arg-type]
    with pytest.raises(InvalidParameters, match="x: input should be greater than 0"):
        fielded(-1)
    with pytest.raises(InvalidParameters, match="y: input should be greater than 0"):
        fielded(y=-1)
    assert fielded.parameter_schema["properties"]["x"] == {
        "default": 3,
        "description": "How many.",
        "exclusiveMinimum": 0,
        "title": "X",
        "type": "integer",
    }
    assert "required" not in fielded.parameter_schema


def test_a_field_without_a_default_is_required() -> None:
    @flow
    def needs(x: int = Field(gt=0)) -> int:
        return x

    assert needs.parameter_schema["required"] == ["x"]
    with pytest.raises(InvalidParameters, match="x: is required"):
        needs()


def test_an_instance_that_may_change_is_a_flow_too() -> None:
    @dataclass
    class Adder:
        more: int

        def __call__(self, number: int) -> int:
            return number + self.more

    add = flow(Adder(2))
    assert add("40") == 42  # type: ignore[arg-type]


def test_a_callable_that_does_not_tell_its_parameters_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="<class 'dict'> does not tell its parameters"):
        flow(dict)


def test_the_schema_tells_types_defaults_and_what_is_required() -> None:
    schema = add_up.parameter_schema
    assert schema["required"] == ["first"]
    assert schema["properties"]["first"]["type"] == "integer"
    assert schema["properties"]["second"]["default"] == 2
    assert schema["additionalProperties"] is False


def test_a_type_that_json_cannot_describe_is_described_as_anything() -> None:
    class Opaque:
        pass

    @flow
    def takes(thing: Opaque, number: int) -> None: ...

    assert "type" not in takes.parameter_schema["properties"]["thing"]
    assert takes.parameter_schema["properties"]["number"]["type"] == "integer"


def test_a_bad_name_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="name: 'a/b' contains '/'"):
        flow(name="a/b")(add_up.fn)
    with pytest.raises(TypeError, match="not of 5"):
        flow(5)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"version": 2}, "version: 2 is not text"),
        ({"description": b"x"}, "description: b'x' is not text"),
        ({"log_prints": "yes"}, "log_prints: 'yes' is neither True nor False"),
        ({"validate_parameters": 1}, "validate_parameters: 1 is neither True nor False"),
        ({"flow_run_name": 5}, "flow_run_name: 5 is neither text nor a function"),
        ({"flow_run_name": "load-{day"}, "flow_run_name: 'load-{day' is no template"),
        ({"timeout_seconds": 0}, "timeout_seconds: 0 is not a number above 0"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds: nan is not"),
        ({"timeout_seconds": 10**400}, "timeout_seconds: 1000"),
        ({"timeout_seconds": 1e15}, "timeout_seconds: .* up to a hundred years"),
        ({"on_failure": print}, "on_failure: .* is not a list of functions"),
        ({"on_running": ["notify"]}, r"on_running: \['notify'\] is not a list of functions"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        flow(**options)(add_up.fn)
    with pytest.raises(InvalidInput, match=said):
        add_up.with_options(**options)


def test_an_option_that_there_is_not_is_refused_as_by_any_call() -> None:
    with pytest.raises(TypeError, match="nmae: not an option of a flow; there are name, "):
        flow(nmae="x")(add_up.fn)  # type: ignore[call-overload]  # refused at run time too


def test_methods_bind_to_their_own_instance() -> None:
    @dataclass
    class Greeter:
        word: str

        @flow
        def greet(self, name: str) -> str:
            return f"{self.word} {name}"

        @staticmethod
        @flow
        def plain(number: int) -> int:
            return number

    hello, bye = Greeter("hello").greet, Greeter("bye").greet
    assert (hello("you"), bye("you")) == ("hello you", "bye you")
    assert "self" not in hello.parameter_schema["properties"]
    assert Greeter.plain("3") == 3  # type: ignore[arg-type]
    assert isinstance(Greeter.greet, Flow)


def test_a_class_method_binds_to_the_class_it_is_asked_of() -> None:
    class Base:
        word = "base"

        @flow
        @classmethod
        def inner(cls, number: int) -> str:
            return f"{cls.word} {number + 1}"

        @classmethod
        @flow
        def outer(cls, number: int) -> str:
            return f"{cls.word} {number + 1}"

    class Derived(Base):
        word = "derived"

    def both(kind: Any) -> tuple[str, str]:
        return kind.inner("1"), kind.outer("1")

    assert [both(kind) for kind in (Base, Derived, Derived())] == [("base 2",) * 2, *[("derived 2",) * 2] * 2]


def test_hooks_are_given_as_lists_and_by_decorators_and_belong_to_their_own_flow() -> None:
    def first(*_: object) -> None: ...

    noted = flow(on_failure=[first])(add_up.fn)
    other = noted.with_options(name="other")

    @other.on_failure
    @other.on_crashed
    def second(*_: object) -> None: ...

    assert noted.hooks == {"failure": (first,)}
    assert other.hooks == {"failure": (first, second), "crashed": (second,)}
    assert other.with_options(on_failure=None).hooks == {"crashed": (second,)}


def test_a_partial_is_named_by_the_function_that_it_calls() -> None:
    twice = flow(partial(add_up.fn, second=5))
    assert (twice.name, twice("1")) == ("add-up", 6)


def test_options_can_be_said_otherwise_without_touching_the_flow() -> None:
    other = add_up.with_options(name="sum", log_prints=True)
    assert (other.name, other.log_prints, other(1)) == ("sum", True, 3)
    assert (add_up.name, add_up.log_prints) == ("add-up", False)


def test_a_default_that_json_cannot_say_is_left_out_of_the_schema() -> None:
    @flow
    def shared(share: float = math.inf, day: str = "today") -> None: ...

    properties = shared.parameter_schema["properties"]
    assert ("default" in properties["share"], properties["day"]["default"]) == (False, "today")
