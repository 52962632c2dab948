"""The load check, as it is done in a process of its own: what the code says of a flow."""

from __future__ import annotations

from typing import Any

from flowsource.errors import EntrypointError, EntrypointLoadFailed, FlowsourceError, InvalidParameters
from flowsource.flows import Flow
from flowsource.runner.child.loading import load_flow


def inspected(order: dict[str, Any]) -> dict[str, Any]:
    """The `facts` of the flow that the order names, or why it is `rejected`."""
    try:
        flow = load_flow(order)
        for parameters in filter(None, order["parameters"]):
            _check_known(flow, parameters)
        return {
            "type": "facts",
            "name": flow.name,
            "description": flow.description,
            "version": flow.version,
            "parameter_schema": flow.parameter_schema,
            "hooks": list(flow.hooks),
        }
    except EntrypointLoadFailed as error:
        said = f"{error.entrypoint!r} fails while it is imported: {error.reason}"
        return {"type": "rejected", "kind": "import", "message": said, "details": error.details}
    except FlowsourceError as error:
        kind = "missing" if isinstance(error, EntrypointError) else "invalid"
        return {"type": "rejected", "kind": kind, "message": str(error), "details": ""}


def _check_known(flow: Flow[..., Any], parameters: dict[str, Any]) -> None:
    """Deployment parameters may be completed by those of a run, so only those given are held against the flow."""
    try:
        flow.validate_parameters(parameters)
    except InvalidParameters as error:
        problems = {name: why for name, why in error.problems.items() if why != "is required"}
        if problems:
            raise InvalidParameters(flow.name, problems) from None
