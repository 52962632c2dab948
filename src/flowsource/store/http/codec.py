"""Values as JSON and back, by the types that are declared for them: nothing is taken that is of another type."""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache, cached_property
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from flowsource.errors import FlowsourceError
from flowsource.schedules import schedule_from_json
from flowsource.schedules.options import ScheduleOptions
from flowsource.triggers import trigger_from_json, trigger_to_json
from flowsource.triggers.options import TriggerOptions

_MICROSECOND = timedelta(microseconds=1)
_GREATEST = (1 << 53) - 1


class WrongType(ValueError):
    """What was sent is not of the type that is declared."""


class Codec(ABC):
    """Tells values of one type as JSON, and makes equal ones from that."""

    @property
    @abstractmethod
    def shape(self) -> str:
        """The type in words that are the same wherever it is declared alike."""

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """JSON from which `decode` makes an equal value."""

    @abstractmethod
    def decode(self, data: Any) -> Any:
        """The value that `data` tells; raises WrongType, or what its own type raises for what it refuses."""


@cache
def codec_of(hint: Any) -> Codec:
    """The codec of a type as it is declared; raises TypeError for one that cannot be sent."""
    if hint is Any:
        return _Plain(object, "any")
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        return _OneOf(arguments)
    if origin is Literal:
        return _Literal(arguments)
    if origin is tuple:
        return _Sequence(tuple, arguments[0]) if arguments[-1] is Ellipsis else _FixedTuple(arguments)
    if origin in (set, frozenset):
        return _Sequence(origin, *arguments)
    if origin in (list, Sequence, Collection):
        return _Sequence(list, *arguments)
    if origin in (dict, Mapping):
        return _Mapping(*arguments)
    if arguments and isinstance(origin, type) and is_dataclass(origin):
        variables: tuple[Any, ...] = getattr(origin, "__parameters__", ())
        return _Dataclass(origin, dict(zip(variables, arguments, strict=True)))
    if isinstance(hint, type):
        return _codec_of_class(hint)
    raise TypeError(f"{hint!r} cannot be sent")


def _codec_of_class(kind: type[Any]) -> Codec:
    if kind in _PLAIN:
        return _Plain(kind, kind.__name__)
    if kind in _AS_TEXT:
        return _Converted(kind.__name__, *_AS_TEXT[kind])
    if issubclass(kind, ScheduleOptions):
        return _Kept(kind, lambda value: value.to_json(), schedule_from_json)
    if issubclass(kind, TriggerOptions):
        return _Kept(kind, trigger_to_json, trigger_from_json)
    if issubclass(kind, Enum):
        return _Converted(f"{kind.__name__}{[one.value for one in kind]}", lambda value: value.value, kind)
    if is_dataclass(kind):
        return _Dataclass(kind)
    raise TypeError(f"{kind!r} cannot be sent")


class _Plain(Codec):
    """What is JSON itself."""

    def __init__(self, kind: type[Any], shape: str) -> None:
        self._kinds, self._shape = (kind, int) if kind is float else (kind,), shape
        self._is_any = kind is object

    @property
    def shape(self) -> str:
        return self._shape

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, data: Any) -> Any:
        # True and False are numbers to Python, and to nobody else.
        if self._is_any:
            return data
        if type(data) not in self._kinds:
            raise WrongType(f"should be {self._shape}")
        # Beyond that no number of ours is, and none is the same to everybody who reads JSON.
        if type(data) is int and abs(data) > _GREATEST:
            raise WrongType("should be nearer to zero")
        return data


class _Converted(Codec):
    def __init__(self, shape: str, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> None:
        self._shape, self._encode, self._decode = shape, encode, decode

    @property
    def shape(self) -> str:
        return self._shape

    def encode(self, value: Any) -> Any:
        return self._encode(value)

    def decode(self, data: Any) -> Any:
        try:
            return self._decode(data)
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise WrongType(f"should be {self._shape}") from None


class _Literal(Codec):
    def __init__(self, allowed: tuple[Any, ...]) -> None:
        self._allowed = allowed

    @property
    def shape(self) -> str:
        return f"one of {list(self._allowed)}"

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, data: Any) -> Any:
        if not any(type(data) is type(one) and data == one for one in self._allowed):
            raise WrongType(f"should be {self.shape}")
        return data


class _OneOf(Codec):
    """One of several types, of which the value says which: two of them may have the same fields."""

    def __init__(self, hints: tuple[Any, ...]) -> None:
        self._is_optional = type(None) in hints
        self._members = {_name(hint): codec_of(hint) for hint in hints if hint is not type(None)}

    @property
    def shape(self) -> str:
        told = " | ".join(f"{name}: {member.shape}" for name, member in self._members.items())
        return f"({told}{' | null' if self._is_optional else ''})"

    def encode(self, value: Any) -> Any:
        if value is None and self._is_optional:
            return None
        if len(self._members) == 1:
            [member] = self._members.values()
            return member.encode(value)
        name = _name_of_value(value, self._members)
        return {"is": name, "value": self._members[name].encode(value)}

    def decode(self, data: Any) -> Any:
        if data is None and self._is_optional:
            return None
        if len(self._members) == 1:
            [member] = self._members.values()
            return member.decode(data)
        if not isinstance(data, dict) or data.keys() != {"is", "value"} or data["is"] not in self._members:
            raise WrongType(f"should be one of {', '.join(self._members)}")
        return self._members[data["is"]].decode(data["value"])


def _name(hint: Any) -> str:
    return str((get_origin(hint) or hint).__name__)


def _name_of_value(value: Any, members: Mapping[str, Codec]) -> str:
    """The name of the member that `value` is of."""
    for kind in type(value).__mro__:
        if kind.__name__ in members:
            return kind.__name__
    told = (name for base, name in ((Mapping, "Mapping"), (Sequence, "Sequence")) if isinstance(value, base))
    return next(name for name in told if name in members)


class _Sequence(Codec):
    def __init__(self, kind: type[Any], item: Any) -> None:
        self._kind, self._item = kind, codec_of(item)

    @property
    def shape(self) -> str:
        return f"{self._kind.__name__}[{self._item.shape}]"

    def encode(self, value: Any) -> Any:
        return [self._item.encode(one) for one in value]

    def decode(self, data: Any) -> Any:
        if not isinstance(data, list):
            raise WrongType("should be a list")
        return self._kind(_within(place, self._item, one) for place, one in enumerate(data))


class _FixedTuple(Codec):
    def __init__(self, items: tuple[Any, ...]) -> None:
        self._items = [codec_of(item) for item in items]

    @property
    def shape(self) -> str:
        return f"({', '.join(item.shape for item in self._items)})"

    def encode(self, value: Any) -> Any:
        return [item.encode(one) for item, one in zip(self._items, value, strict=True)]

    def decode(self, data: Any) -> Any:
        if not isinstance(data, list) or len(data) != len(self._items):
            raise WrongType(f"should be a list of {len(self._items)}")
        return tuple(_within(place, *both) for place, both in enumerate(zip(self._items, data, strict=True)))


class _Mapping(Codec):
    """An object where the keys are text, else a list of pairs."""

    def __init__(self, key: Any, value: Any) -> None:
        self._key, self._value, self._is_object = codec_of(key), codec_of(value), key is str

    @property
    def shape(self) -> str:
        return f"{{{self._key.shape}: {self._value.shape}}}"

    def encode(self, value: Any) -> Any:
        if self._is_object:
            return {key: self._value.encode(one) for key, one in value.items()}
        return [[self._key.encode(key), self._value.encode(one)] for key, one in value.items()]

    def decode(self, data: Any) -> Any:
        if self._is_object:
            if not isinstance(data, dict):
                raise WrongType("should be an object")
            return {key: _within(key, self._value, one) for key, one in data.items()}
        if not isinstance(data, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in data):
            raise WrongType("should be a list of pairs")
        return {self._key.decode(key): self._value.decode(one) for key, one in data}


class _Dataclass(Codec):
    """An object of its fields, without those that are as by default. `given` is what a generic one was made for."""

    def __init__(self, kind: type[Any], given: Mapping[Any, Any] | None = None) -> None:
        self._kind, self._given = kind, given or {}
        self._is_telling = False

    @cached_property
    def _fields(self) -> list[tuple[Field[Any], Codec]]:
        # Not before they are wanted: a type may hold others of its own kind.
        hints = get_type_hints(self._kind)
        return [(field, codec_of(_filled(hints[field.name], self._given))) for field in fields(self._kind)]

    @property
    def shape(self) -> str:
        if self._is_telling:
            return self._kind.__name__
        self._is_telling = True
        try:
            told = ", ".join(f"{field.name}: {codec.shape}" for field, codec in self._fields)
        finally:
            self._is_telling = False
        return f"{self._kind.__name__}({told})"

    def encode(self, value: Any) -> Any:
        told = ((field, codec, getattr(value, field.name)) for field, codec in self._fields)
        return {field.name: codec.encode(one) for field, codec, one in told if not _is_default(field, one)}

    def decode(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise WrongType(f"should be {self._kind.__name__}, as an object")
        known = {field.name for field, _ in self._fields}
        if unknown := data.keys() - known:
            raise WrongType(f"{min(unknown)}: is no field of {self._kind.__name__}")
        said = {
            field.name: _within(field.name, codec, data[field.name])
            for field, codec in self._fields
            if field.name in data
        }
        try:
            return self._kind(**said)
        except TypeError:
            raise WrongType(f"a field of {self._kind.__name__} is missing") from None


class _Kept(Codec):
    """A schedule or a trigger, in the form in which it is kept."""

    def __init__(self, kind: type[Any], encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> None:
        self._kind, self._encode, self._decode = kind, encode, decode

    @property
    def shape(self) -> str:
        return self._kind.__name__

    def encode(self, value: Any) -> Any:
        return self._encode(value)

    def decode(self, data: Any) -> Any:
        try:
            value = self._decode(data)
        except (FlowsourceError, KeyError, TypeError, ValueError, OverflowError):
            raise WrongType(f"should be as {self._kind.__name__} is kept") from None
        if not isinstance(value, self._kind):
            raise WrongType(f"should be as {self._kind.__name__} is kept")
        return value


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    """A type, with what was `given` for its variables."""
    if hint in given:
        return given[hint]
    variables = getattr(hint, "__parameters__", ())
    return hint[tuple(given[variable] for variable in variables)] if variables else hint


def _within(place: object, codec: Codec, data: Any) -> Any:
    """What `data` tells, with its place in front of what is said of it."""
    try:
        return codec.decode(data)
    except WrongType as error:
        raise WrongType(f"{place}: {error}" if ": " not in str(error) else f"{place}.{error}") from None


def _is_default(field: Field[Any], value: Any) -> bool:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return value is default or (type(value) is type(default) and bool(value == default))


def _instant(data: str) -> datetime:
    instant = datetime.fromisoformat(data)
    if instant.utcoffset() is None:
        raise WrongType("should be aware")
    return instant.astimezone(UTC)


def _length(data: int) -> timedelta:
    if type(data) is not int:
        raise WrongType("should be whole")
    return timedelta(microseconds=data)


_PLAIN = (str, int, float, bool, type(None))
_AS_TEXT: Mapping[type[Any], tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    UUID: (str, UUID),
    datetime: (lambda value: value.isoformat(), _instant),
    timedelta: (lambda value: value // _MICROSECOND, _length),
    bytes: (bytes.hex, bytes.fromhex),
}
