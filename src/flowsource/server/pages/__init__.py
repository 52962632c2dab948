"""The dashboard: pages made here, of what the store knows, and the few scripts that keep them up to date."""

from __future__ import annotations

from flowsource.server.pages import (
    assets,
    deployment,
    events,
    overview,
    run,
    runners,
    runs,
    sources,
    terms,
    tokens,
    twins,
)

# Each has the routes of its page. The twins are first: what is before their endings would be taken for a name.
ALL = (twins, terms, assets, overview, runs, run, deployment, sources, runners, events, tokens)
