"""What the demonstration does: pushes and runs, each awaited, until everything it claims has come true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import anyio
from anyio import to_thread

from flowsource.demo.repository import subject
from flowsource.demo.server import push
from flowsource.demo.serving import DemoFailed
from flowsource.demo.stage import Stage
from flowsource.deployments import Deployment
from flowsource.errors import DeploymentNotFound
from flowsource.runner.asking import arun_deployment
from flowsource.runs import Run, RunState
from flowsource.store.protocol import Store
from flowsource.store.values import DEPLOYMENTS

DEPLOYMENT = "hello/demo"
_DEADLINE = 120  # seconds, for each thing that is waited for; on an idle machine each takes one or two
# Promotions ring; rejections, and the end of the serving process, do not.
_LOOK_EVERY = timedelta(seconds=0.1)


@dataclass(slots=True)
class Story:
    """The demonstration on its stage. `tell` gets what happens, line by line; `runs` are those that have ended."""

    stage: Stage
    store: Store
    tell: Callable[[str], None]
    runs: list[Run] = field(default_factory=list)

    async def play(self) -> None:
        """Do it all, in order; raises DemoFailed with the reason as soon as something does not come true."""
        first, warmer, broken, repaired = self.stage.trees
        self.tell(f"A Git repository is served at {self.stage.url}, and the flow `hello` from it.")
        first_commit = self.stage.workshop.tip()
        self.tell(f"It holds one commit, {first_commit[:7]} {subject(first)!r}.")
        await self._until_active(first_commit)
        await self._run_at(first_commit)

        good = await self._push(warmer)
        await self._until_active(good)
        self.tell("  Taken over, without a restart.")
        await self._run_at(good)

        bad = await self._push(broken)
        self.tell(f"  Rejected: {await self._until_rejected(bad)}")
        await self._run_at(good)

        repair = await self._push(repaired)
        await self._until_active(repair)
        self.tell("  Taken over.")
        await self._run_at(repair)

    async def _push(self, tree: Path) -> str:
        commit = self.stage.workshop.commit(tree)
        await to_thread.run_sync(push, self.stage.workshop.path, self.stage.url)
        self.tell(f"Pushed {commit[:7]} {subject(tree)!r}.")
        return commit

    async def _run_at(self, commit: str) -> None:
        """Ask for a run, and see that it completes at `commit`."""
        run = await arun_deployment(DEPLOYMENT, timeout=_DEADLINE)
        if run.state is not RunState.COMPLETED:
            why = f" ({run.failure})" if run.failure else ""
            raise DemoFailed(f"the run {run.name} should have completed and is {run.state.replace('_', ' ')}{why}")
        if run.revision is None or run.revision.id != commit:
            used = run.revision.short if run.revision else "no commit"
            raise DemoFailed(f"the run {run.name} should have used {commit[:7]} and used {used}")
        self.runs.append(run)
        self.tell(f"  The run {run.name} used {run.revision.short} and said: {run.result}")

    async def _until_active(self, commit: str) -> None:
        await self._until(f"{commit[:7]} serves", lambda now: now.active.id == commit)

    async def _until_rejected(self, commit: str) -> str:
        """Why `commit` was rejected, once it was."""
        seen = await self._until(
            f"{commit[:7]} is rejected", lambda now: now.rejected is not None and now.rejected.revision.id == commit
        )
        assert seen.rejected is not None
        return seen.rejected.message

    async def _until(self, what: str, is_so: Callable[[Deployment], bool]) -> Deployment:
        async with self.store.changes(DEPLOYMENTS) as ear:
            with anyio.move_on_after(_DEADLINE):
                while True:
                    self.stage.serving.check()
                    try:
                        deployment = await self.store.deployment(DEPLOYMENT)
                        if is_so(deployment):
                            return deployment
                    except DeploymentNotFound:
                        pass
                    await ear.wait(_LOOK_EVERY)
        raise DemoFailed(f"waited {_DEADLINE} s in vain until {what}")
