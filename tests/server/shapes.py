"""What the API answers, held against what its document says."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel


def is_as(model: type[BaseModel], value: Any) -> bool:
    """Whether `value` is what the document says of `model`; raises where it is not."""
    model.model_validate_json(json.dumps(value), extra=None if model.model_config.get("extra") == "allow" else "forbid")
    return True
