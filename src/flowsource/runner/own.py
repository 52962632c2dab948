"""What a runner executes is what its own `serve` named, whatever the store says of it: pure."""

from __future__ import annotations

from dataclasses import replace

from flowsource.deployments import Declaration, Deployment


def as_declared_here(deployment: Deployment, here: Declaration) -> Deployment:
    """`deployment` as the store tells it, with what decides which code is executed, and how, from `here`.

    The store may be that of a server, which may have been taken over by somebody. Parameters, schedules and limits are
    the store's to say: they are data, and the flow checks them.
    """
    ours = replace(
        deployment.declared,
        entrypoint=here.entrypoint,
        source_key=here.source_key,
        source_label=here.source_label,
        source_selector=here.source_selector,
        paths=here.paths,
        on_dependency_change=here.on_dependency_change,
        workdir=here.workdir,
        preload=here.preload,
        instance=here.instance,
    )
    return replace(deployment, declared=ours)
