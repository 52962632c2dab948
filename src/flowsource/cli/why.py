"""`flowsource why`: why a run is as it is, or why a deployment makes none."""

from __future__ import annotations

from datetime import datetime

from flowsource.cli import exits
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, say
from flowsource.cli.planned import next_instants
from flowsource.cli.reasons import Around, Reason, why_deployment, why_revision, why_run
from flowsource.deployments import Deployment
from flowsource.errors import DeploymentNotFound, RunNotFound
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.text import printable

_IN_PROGRESS = [state for state in RunState if state.is_in_progress]
# More than that go on at once nowhere.
_MOST_RUNS = 1000
_LAST_ENTRIES = 50


def why(name: str, /, *, json: bool = False) -> int:
    """Why a run is late, waits, is lost, has failed or is at its revision; or why a deployment makes no runs.

    Parameters
    ----------
    name
        A run: its id, a beginning of the id that no other has, or its name; or a deployment, as flow/deployment.
    json
        Print the reason as JSON.
    """

    async def find(store: Store) -> tuple[Run | None, Deployment, Reason, str | None]:
        now = store.now()
        try:
            run = await store.run(name)
        except RunNotFound:
            return None, *await _of_deployment(store, name, now)
        around = await around_deployment(store, await store.deployment(run.deployment))
        return run, around.deployment, why_run(run, around, now=now), why_revision(run, around, now=now)

    run, deployment, reason, revision = with_store(find)
    if json:
        print_json(reason_json(run, deployment, reason, revision))
        return exits.OK
    print(printable(reason.sentence))
    if revision is not None:
        print(printable(revision))
    if reason.next_step is not None:
        say(f"What helps: {reason.next_step}")
    return exits.OK


async def around_deployment(store: Store, deployment: Deployment) -> Around:
    """What is known around `deployment`."""
    runners = await store.runners()
    waiting = [await store.waiting(runner.id) for runner in runners]
    declared = deployment.declared
    follows = declared.source_key, declared.source_selector
    sources = await store.sources(now=store.now())
    return Around(
        deployment=deployment,
        triggers=await store.triggers([deployment.id]),
        runners=runners,
        in_progress=await store.runs(states=_IN_PROGRESS, limit=_MOST_RUNS),
        waiting=set().union(*waiting),
        source=next((one for one in sources if (one.report.key, one.report.selector) == follows), None),
        history=await store.history(deployment.id, limit=_LAST_ENTRIES),
    )


async def _of_deployment(store: Store, name: str, now: datetime) -> tuple[Deployment, Reason, None]:
    try:
        deployment = await store.deployment(name)
    except DeploymentNotFound:
        if "/" in name:
            raise
        raise RunNotFound(name) from None
    next_at = (await next_instants(store, [deployment], now)).get(deployment.id)
    return deployment, why_deployment(await around_deployment(store, deployment), next_at=next_at, now=now), None


def reason_json(run: Run | None, deployment: Deployment, reason: Reason, revision: str | None) -> dict[str, object]:
    """Why a run is as it is, or where `run` is null, a deployment; `about_revision` and `next_step` may be null."""
    return {
        "run": str(run.id) if run is not None else None,
        "name": run.name if run is not None else None,
        "state": run.state.value if run is not None else None,
        "deployment": deployment.full_name,
        "kind": reason.kind,
        "sentence": reason.sentence,
        "about_revision": revision,
        "next_step": reason.next_step,
    }
