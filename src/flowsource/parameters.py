"""The parameters of a flow: from a signature to a JSON schema, and from values to arguments that fit."""

from __future__ import annotations

import contextlib
import inspect
import json
import typing
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticSerializationError

from flowsource.errors import InvalidInput, InvalidParameters

_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class _AnythingSchema(GenerateJsonSchema):
    """Types that JSON cannot describe are described as anything: the run itself still validates them."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - declared so by its base

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}

    def encode_default(self, dft: Any) -> Any:
        """A default as JSON; one that has an infinite number is left out, as all that JSON cannot say."""
        encoded = super().encode_default(dft)
        try:
            json.dumps(encoded, allow_nan=False)
        except ValueError:
            raise PydanticSerializationError("it is not JSON") from None
        return encoded


class Parameters:
    """What a function takes.

    `required` are the names of the parameters without a default, `filled` of those whose default says `Field(...)` of
    pydantic and has to be made. `model` has a field for each parameter, named by its place and aliased to its name, so
    that no parameter name can clash with the model's own.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.signature = inspect.signature(function)
        named = [parameter for parameter in self.signature.parameters.values() if parameter.kind in _NAMED]
        self.names = tuple(parameter.name for parameter in named)
        self.required = tuple(p.name for p in named if _is_required(p))
        self.filled = tuple(p.name for p in named if isinstance(p.default, FieldInfo) and not _is_required(p))

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults by name, without those that pydantic's `Field` makes."""
        given = ((name, self.signature.parameters[name].default) for name in self.names if name not in self.required)
        return {name: value for name, value in given if not isinstance(value, FieldInfo)}

    @cached_property
    def model(self) -> type[BaseModel]:
        """Made when it is first needed; raises InvalidInput when an annotation cannot be used."""
        hints = _type_hints(self._function)
        fields: dict[str, Any] = {
            f"p{place}": _field(self.signature.parameters[name], hints.get(name, Any))
            for place, name in enumerate(self.names)
        }
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in self.signature.parameters.values())
        config = ConfigDict(arbitrary_types_allowed=True, extra="allow" if takes_any else "forbid")
        try:
            return create_model("Parameters", __config__=config, **fields)
        except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
            name = getattr(self._function, "__qualname__", repr(self._function))
            reason = str(error).splitlines()[0]
            raise InvalidInput(
                f"{name}: its parameters cannot be described ({reason}). Correct the annotations."
            ) from None

    def schema(self) -> dict[str, Any]:
        """The JSON schema (draft 2020-12) of the parameters as one object."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schema = self.model.model_json_schema(by_alias=True, schema_generator=_AnythingSchema)
        schema.pop("title", None)
        return schema

    def validate(self, flow: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` by parameter name, coerced to the annotated types; plain defaults are left out.

        Raises InvalidParameters, which names each parameter that is missing, unknown or wrong, and never its value.
        """
        if not (values or self.required or self.filled):
            return {}  # Most flows: nothing to coerce, and a model costs more than starting the run.
        try:
            made = self.model.model_validate(dict(values))
        except ValidationError as error:
            raise InvalidParameters(flow, _problems(error)) from None
        coerced = {
            name: getattr(made, field)
            for field, name in ((f"p{place}", name) for place, name in enumerate(self.names))
            if field in made.model_fields_set or name in self.filled
        }
        return coerced | (made.model_extra or {})

    def arguments(self, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """`values` as positional and keyword arguments of a call."""
        named = dict(values)
        first = [p for p in self.signature.parameters.values() if p.kind is inspect.Parameter.POSITIONAL_ONLY]
        # One that is given by its place needs all that stand before it.
        count = max((place for place, parameter in enumerate(first, 1) if parameter.name in named), default=0)
        positional = []
        for parameter in first[:count]:
            if parameter.name not in named and parameter.default is inspect.Parameter.empty:
                break  # The call itself says best what is missing.
            positional.append(named.pop(parameter.name, parameter.default))
        return positional, named


_remembered = lru_cache(maxsize=64)(Parameters)


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """The parameters of `function`."""
    try:
        hash(function)
    except TypeError:  # An instance with `__call__` that may change, such as one of a dataclass.
        return Parameters(function)
    return _remembered(function)


def bind(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments by name, or None for a call with variable positional ones; raises TypeError as a call does."""
    signature = parameters_of(function).signature
    bound = signature.bind(*args, **kwargs).arguments
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL and bound.get(parameter.name):
            return None
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            bound.update(bound.pop(parameter.name, {}))
    return bound


def _is_required(parameter: inspect.Parameter) -> bool:
    default = parameter.default
    return default.is_required() if isinstance(default, FieldInfo) else default is inspect.Parameter.empty


def _field(parameter: inspect.Parameter, hint: Any) -> tuple[Any, Any]:
    """The type and the field that the model has for a parameter."""
    said, name = parameter.default, parameter.name
    if not isinstance(said, FieldInfo):
        return hint, Field(... if _is_required(parameter) else said, alias=name)
    # Among the annotations it keeps its constraints, while the name is for the signature to say.
    hint = Annotated[hint, said]
    if said.default_factory is not None:
        return hint, Field(default_factory=said.default_factory, alias=name)
    return hint, Field(said.default, alias=name)


def _type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations that can be evaluated; one that names what exists only for type checkers counts as anything."""
    target = _annotated(function)
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, AttributeError, TypeError):
        hints: dict[str, Any] = {}
        for name, hint in inspect.get_annotations(target).items():
            one = SimpleNamespace(__annotations__={name: hint})
            # One that names what is not there is left out, as if it were not said; the others count.
            with contextlib.suppress(NameError, AttributeError, TypeError):
                hints |= typing.get_type_hints(one, getattr(target, "__globals__", {}), include_extras=True)
        return hints


def _annotated(function: Callable[..., Any]) -> Callable[..., Any]:
    """What has the annotations of a callable: a function, that inside a partial, a constructor or `__call__`."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    method: Callable[..., Any] = function.__init__ if inspect.isclass(function) else type(function).__call__
    return method


def _problems(error: ValidationError) -> dict[str, str]:
    problems = {}
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"]) or "parameters"
        said = {"missing": "is required", "extra_forbidden": "is not a parameter of this flow"}
        problems[where] = said.get(item["type"], item["msg"][0].lower() + item["msg"][1:])
    return problems
