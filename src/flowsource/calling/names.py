"""What the runs of a flow are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowsource.errors import InvalidInput
from flowsource.flows import Flow
from flowsource.parameters import parameters_of
from flowsource.text import one_line

LONGEST_NAME = 200


def run_name_of(flow: Flow[..., Any], values: Mapping[str, Any]) -> str | None:
    """The name that `flow_run_name` gives a run with these parameters; None where the flow has none.

    Parameters that were left out have their defaults. What cannot be shown becomes an escape, and a long name is cut.
    Raises InvalidInput for a template that names no parameter, and for what is no name in the end.
    """
    said = flow.flow_run_name
    if said is None:
        return None
    if callable(said):
        name = said()
    else:
        known = {**parameters_of(flow.fn).defaults, **values}
        try:
            name = said.format(**known)
        except (KeyError, IndexError, AttributeError, ValueError, TypeError) as error:
            raise InvalidInput(
                f"flow_run_name: {said!r} of flow {flow.name!r} cannot be filled in ({type(error).__name__}: {error}); "
                f"its parameters are {', '.join(known) or 'none'}."
            ) from None
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(
            f"flow_run_name: that of flow {flow.name!r} gave {name!r}, which is no name; give some text."
        )
    return one_line(name.strip())[:LONGEST_NAME]
