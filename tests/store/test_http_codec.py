"""The protocol of the store as it is sent: every method, every type it takes or gives, every error."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsource import errors
from flowsource.deployments import FlowFacts
from flowsource.errors import FlowsourceError
from flowsource.promotions import Accept, Act, Recheck, Unpin
from flowsource.schedules import Cron, Interval, RRule
from flowsource.store.http.calls import CALLS
from flowsource.store.http.codec import WrongType, codec_of
from flowsource.store.http.failures import error_from, error_json, status_of
from flowsource.store.http.rules import RULES, things_in
from flowsource.store.protocol import Store
from flowsource.store.values import Page, Registration
from flowsource.triggers import CompoundTrigger, EventTrigger, SequenceTrigger
from tests.store.words import NOW, registration

METHODS = [name for name, method in vars(Store).items() if inspect.iscoroutinefunction(method) and name[0] != "_"]
# Halves of characters as well, which is what text from bytes may hold.
TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    Any: JSON,
    str: TEXT,
    int: st.integers(-(1 << 53) + 1, (1 << 53) - 1),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    UUID: st.uuids(),
    bytes: st.binary(max_size=8),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.timedeltas(),
    Interval: st.builds(Interval, st.timedeltas(timedelta(seconds=1), timedelta(days=9)), st.sampled_from([NOW, None])),
    Cron: st.builds(Cron, st.sampled_from(["* * * * *", "0 2 * * 1"]), slug=st.sampled_from([None, "early"])),
    EventTrigger: st.builds(
        EventTrigger,
        expect=st.sampled_from([(), ("order.created",)]),
        match=st.sampled_from([{}, {"flowsource.resource.id": "flow-run.*"}]),
        threshold=st.integers(1, 9),
        parameters=st.sampled_from([{}, {"order": "{{ event.payload.id }}"}]),
    ),
    CompoundTrigger: st.just(
        CompoundTrigger(require=1, triggers=[EventTrigger(expect="a.b"), EventTrigger(expect="a.c")])
    ),
    SequenceTrigger: st.just(SequenceTrigger(triggers=[EventTrigger(expect="a.b"), EventTrigger(expect="a.c")])),
    RRule: st.just(RRule("FREQ=DAILY;BYHOUR=2", parameters={"day": 1})),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type as it is declared."""
    if hint in PLAIN:
        return PLAIN[hint]
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of([values_of(one) for one in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*map(values_of, arguments))
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if origin in (set, frozenset):
        return st.lists(values_of(arguments[0]), max_size=2).map(origin)
    if origin is Page:
        return st.builds(Page, st.lists(values_of(arguments[0]), max_size=2).map(tuple), st.none() | TEXT)
    if len(arguments) == 2:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=2)
    if len(arguments) == 1:
        return st.lists(values_of(arguments[0]), max_size=2)
    if issubclass(origin, Enum):
        return st.sampled_from(origin)
    assert is_dataclass(origin), hint
    hints = get_type_hints(origin)
    names = [field.name for field in fields(origin)]
    build: Any = origin
    return st.deferred(lambda: st.builds(build, **{name: values_of(hints[name]) for name in names}))


def sent(value: Any) -> Any:
    """`value` after it was sent as text."""
    return json.loads(json.dumps(value).encode())


def test_every_method_is_a_call_that_has_a_rule() -> None:
    assert list(CALLS) == METHODS
    assert RULES.keys() == CALLS.keys()


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=15)
@given(data=st.data())
def test_what_a_method_takes_and_gives_arrives_as_it_was(name: str, data: st.DataObject) -> None:
    call, hints = CALLS[name], get_type_hints(getattr(Store, name))
    arguments = {parameter: data.draw(values_of(hints[parameter]), label=parameter) for parameter in call.takes}
    answer = data.draw(values_of(hints["return"]), label="answer")

    arrived = call.decode_arguments(sent(call.encode_arguments(**arguments)))

    assert arrived == arguments
    assert all(type(arrived[parameter]) is type(value) for parameter, value in arguments.items())
    assert call.gives.decode(sent(call.gives.encode(answer))) == answer


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=15)
@given(data=JSON)
def test_what_is_no_call_is_refused_as_such(name: str, data: Any) -> None:
    try:
        CALLS[name].decode_arguments(data)
    except (WrongType, FlowsourceError):
        pass
    else:
        parameters = CALLS[name].signature.parameters.values()
        assert all(parameter.default is not parameter.empty for parameter in parameters)


@pytest.mark.parametrize("name", [name for name in METHODS if RULES[name].theirs])
@settings(max_examples=15)
@given(data=st.data())
def test_what_must_belong_to_a_runner_is_found_in_what_it_sends(name: str, data: st.DataObject) -> None:
    hints = get_type_hints(getattr(Store, name))
    arguments = {parameter: data.draw(values_of(hints[parameter])) for parameter in CALLS[name].takes}
    theirs = RULES[name].theirs
    assert theirs is not None

    found = things_in(arguments, theirs)

    for path, belonging in theirs.items():
        if "." not in path:
            assert getattr(found, belonging) == (arguments[path],)


def test_acts_that_look_alike_are_told_apart() -> None:
    codec = codec_of(Act)

    assert [codec.decode(sent(codec.encode(act))) for act in (Unpin(), Accept(), Recheck())] == [
        Unpin(),
        Accept(),
        Recheck(),
    ]


@pytest.mark.parametrize(
    ("hint", "data", "said"),
    [
        (UUID, "1", "should be UUID"),
        (datetime, "2030-01-01T00:00:00", "should be datetime"),
        (timedelta, 1.5, "should be timedelta"),
        (int, True, "should be int"),
        (str, 1, "should be str"),
        (list[int], {"0": 1}, "should be a list"),
        (tuple[int, int], [1], "should be a list of 2"),
        (dict[str, int], [1], "should be an object"),
        (dict[UUID, int], [[1]], "should be a list of pairs"),
        (Literal["a", "b"], "c", "should be one of"),
        (Interval | Cron, {"is": "RRule", "value": {}}, "should be one of Interval, Cron"),
        (Interval, {"kind": "cron"}, "should be as Interval is kept"),
        (FlowFacts, {"name": "etl", "owner": "me"}, "owner: is no field of FlowFacts"),
        (FlowFacts, {}, "a field of FlowFacts is missing"),
        (list[Registration], [{"declared": {"name": 1}}], "0.declared.name: should be str"),
    ],
)
def test_what_is_of_another_type_is_named_with_its_place(hint: Any, data: Any, said: str) -> None:
    with pytest.raises(WrongType, match=rf"^{said}"):
        codec_of(hint).decode(data)


def test_what_is_as_by_default_is_not_sent() -> None:
    told = codec_of(Registration).encode(registration())

    assert set(told) == {"declared", "facts", "active"}
    assert set(told["declared"]) == {"name", "entrypoint", "source_key", "source_label"}


ERRORS: list[FlowsourceError] = [
    errors.InvalidParameters("etl", {"day": "is required"}),
    errors.DeploymentNotFound("etl/dayly", ["etl/daily"]),
    errors.RunNotFound("brave-otter"),
    errors.SourceNotFound("x", ["y"]),
    errors.InvalidTransition("completed", "running"),
    errors.Superseded("run 'brave-otter' was claimed again"),
    errors.SourceUnavailable("later", retry_after=1.5),
    errors.InvalidQuery([errors.QueryProblem(1, "colour:red", "there is no key 'colour'")]),
    errors.EntrypointNotFound("f.py:g", "here", ["h"]),
    *(
        kind("said so")
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, FlowsourceError) and kind.__init__ is FlowsourceError.__init__
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_what_it_is(error: FlowsourceError) -> None:
    arrived = error_from(sent(error_json(error)))

    assert type(arrived) is type(error)
    assert (str(arrived), vars(arrived)) == (str(error), vars(error))
    assert 400 <= status_of(error) < 600


def test_what_an_error_says_steers_no_terminal_and_has_an_end() -> None:
    arrived = error_from({"type": "NotFound", "message": "\x1b]0;evil\x07" + "x" * 1_000_000, "fields": {}})
    assert str(arrived).startswith("\\x1b]0;evil\\x07x")
    assert len(str(arrived)) < 11_000


@pytest.mark.parametrize("data", [None, [], {}, {"type": "OSError", "message": "x", "fields": {}}, {"type": 1}])
def test_what_is_no_error_of_ours_is_none(data: Any) -> None:
    assert error_from(data) is None
