"""The parameters of a flow: from a signature to a JSON schema, and from values to arguments that fit."""

from __future__ import annotations

import contextlib
import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from flowsource.errors import InvalidInput, InvalidParameters

_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class _AnythingSchema(GenerateJsonSchema):
    """Types that JSON cannot describe are described as anything: the run itself still validates them."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - declared so by its base

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes. `model` has a field for each parameter, named by its place and aliased to its name, so
    that no parameter name can clash with the model's own."""

    signature: inspect.Signature
    model: type[BaseModel]
    names: tuple[str, ...]

    def schema(self) -> dict[str, Any]:
        """The JSON schema (draft 2020-12) of the parameters as one object."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schema = self.model.model_json_schema(by_alias=True, schema_generator=_AnythingSchema)
        schema.pop("title", None)
        return schema

    def validate(self, flow: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` by parameter name, coerced to the annotated types; defaults are left out.

        Raises InvalidParameters, which names each parameter that is missing, unknown or wrong, and never its value.
        """
        try:
            made = self.model.model_validate(dict(values))
        except ValidationError as error:
            raise InvalidParameters(flow, _problems(error)) from None
        fields = {f"p{place}": name for place, name in enumerate(self.names)}
        coerced = {fields[field]: getattr(made, field) for field in made.model_fields_set if field in fields}
        return coerced | (made.model_extra or {})

    def arguments(self, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """`values` as positional and keyword arguments of a call."""
        named = dict(values)
        positional = []
        for parameter in self.signature.parameters.values():
            if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY or parameter.name not in named:
                break
            positional.append(named.pop(parameter.name))
        return positional, named


@lru_cache(maxsize=64)
def parameters_of(function: Callable[..., Any]) -> Parameters:
    """The parameters of `function`; raises InvalidInput when an annotation cannot be used."""
    signature = inspect.signature(function)
    hints = _type_hints(function)
    fields: dict[str, Any] = {}
    named = [parameter for parameter in signature.parameters.values() if parameter.kind in _NAMED]
    for place, parameter in enumerate(named):
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[f"p{place}"] = (hints.get(parameter.name, Any), Field(default, alias=parameter.name))
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    config = ConfigDict(arbitrary_types_allowed=True, extra="allow" if takes_any else "forbid")
    try:
        model = create_model("Parameters", __config__=config, **fields)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        name = getattr(function, "__qualname__", repr(function))
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"{name}: its parameters cannot be described ({reason}). Correct the annotations.") from None
    return Parameters(signature, model, tuple(parameter.name for parameter in named))


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


def _type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations that can be evaluated; one that names what exists only for type checkers counts as anything."""
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, AttributeError, TypeError):
        hints: dict[str, Any] = {}
        for name, hint in inspect.get_annotations(target).items():
            one = SimpleNamespace(__annotations__={name: hint})
            with contextlib.suppress(NameError, AttributeError, TypeError):
                hints |= typing.get_type_hints(one, getattr(target, "__globals__", {}), include_extras=True)
        return hints


def _problems(error: ValidationError) -> dict[str, str]:
    problems = {}
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"]) or "parameters"
        said = {"missing": "is required", "extra_forbidden": "is not a parameter of this flow"}
        problems[where] = said.get(item["type"], item["msg"][0].lower() + item["msg"][1:])
    return problems
