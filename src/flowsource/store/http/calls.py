"""The methods of the store as calls that can be sent: derived from its protocol, so that a new method is one too."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, get_type_hints

from flowsource.store.http.codec import Codec, WrongType, codec_of
from flowsource.store.protocol import Store


@dataclass(frozen=True)
class Call:
    """One method: what it takes, by name, and what it gives."""

    name: str
    signature: inspect.Signature
    takes: Mapping[str, Codec]
    gives: Codec

    @cached_property
    def digest(self) -> str:
        """Names what is sent for this method: two sides with the same one understand each other."""
        took = ", ".join(f"{name}: {codec.shape}" for name, codec in self.takes.items())
        return sha256(f"{self.name}({took}) -> {self.gives.shape}".encode()).hexdigest()[:16]

    def encode_arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments of a call as JSON; raises TypeError for what does not fit the signature."""
        given = self.signature.bind(*args, **kwargs).arguments
        return {name: self.takes[name].encode(value) for name, value in given.items()}

    def decode_arguments(self, data: Any) -> dict[str, Any]:
        """The arguments by name, those that were left out as by default; raises WrongType."""
        if not isinstance(data, dict):
            raise WrongType("should be an object")
        if unknown := data.keys() - self.takes.keys():
            raise WrongType(f"{min(unknown)}: is no argument of {self.name}")
        given: dict[str, Any] = {}
        for name, value in data.items():
            try:
                given[name] = self.takes[name].decode(value)
            except WrongType as error:
                raise WrongType(f"{name}: {error}") from None
        try:
            bound = self.signature.bind(**given)
        except TypeError as error:
            raise WrongType(f"{self.name}: {error}") from None
        bound.apply_defaults()
        return dict(bound.arguments)


def _call(name: str, method: Any) -> Call:
    hints = get_type_hints(method)
    signature = inspect.signature(method)
    takes = {parameter: codec_of(hints[parameter]) for parameter in signature.parameters if parameter != "self"}
    without_self = signature.replace(parameters=[one for one in signature.parameters.values() if one.name != "self"])
    return Call(name, without_self, takes, codec_of(hints["return"]))


CALLS: Mapping[str, Call] = {
    name: _call(name, method)
    for name, method in vars(Store).items()
    if inspect.iscoroutinefunction(method) and not name.startswith("_")
}
