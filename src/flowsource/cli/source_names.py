"""Which of the known sources a person means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowsource.deployments import Deployment
from flowsource.errors import FlowsourceError, InvalidInput, SourceNotFound
from flowsource.sources.git.urls import parse_url
from flowsource.store.values import KnownSource


def pick(name: str, known: Sequence[KnownSource], deployments: Sequence[Deployment]) -> list[KnownSource]:
    """Those that `name` is a label, a deployment, an address or a part of a label of: the first of these that fits.

    All are of one key. Raises SourceNotFound with those there are, InvalidInput where more than one could be meant.
    """
    followed = {
        (deployment.declared.source_key, deployment.declared.source_selector)
        for deployment in deployments
        if name in (deployment.full_name, deployment.declared.name)
    }
    address = _canonical(name)
    ways: tuple[Callable[[KnownSource], bool], ...] = (
        lambda source: source.report.status.label == name,
        lambda source: (source.report.key, source.report.selector) in followed,
        lambda source: source.report.address == address,
        lambda source: name.casefold() in source.report.status.label.casefold(),
    )
    found = next((found for fits in ways if (found := [source for source in known if fits(source)])), [])
    if not found:
        raise SourceNotFound(name, [source.report.status.label for source in known])
    if len({source.report.key for source in found}) > 1:
        meant = ", ".join(source.report.status.label for source in found)
        raise InvalidInput(f"{name!r} is more than one source: {meant}. Give more of its label.")
    return found


def follows(deployment: Deployment, source: KnownSource) -> bool:
    """Whether `deployment` takes its code from what `source` follows."""
    declared, report = deployment.declared, source.report
    return (declared.source_key, declared.source_selector) == (report.key, report.selector)


def _canonical(name: str) -> str:
    """`name` as the sources spell an address; as it is where it is none."""
    try:
        return parse_url(name)[0].url if name else name
    except FlowsourceError:
        return name
