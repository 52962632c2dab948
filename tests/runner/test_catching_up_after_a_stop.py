"""What a server that starts again makes up for."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.schedules import Interval
from flowsource.store import open_store
from tests.runner.clockwork import create_due
from tests.store.words import HOUR, NOW, registration, serve

pytestmark = pytest.mark.anyio

HOURLY = Interval(HOUR, NOW)


@pytest.mark.parametrize(("pause_on_shutdown", "made"), [(True, []), (False, [NOW + HOUR, NOW + 2 * HOUR])])
@pytest.mark.parametrize("is_clean", [True, False], ids=["stopped", "killed"])
async def test_only_schedules_that_go_on_while_nobody_serves_have_something_to_make_up_for(
    tmp_path: Path, *, pause_on_shutdown: bool, made: list[object], is_clean: bool
) -> None:
    declared = registration(schedules=(HOURLY,), catchup="all", pause_on_shutdown=pause_on_shutdown)
    back_at = NOW + 2.5 * HOUR
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        server = await serve(store, declared)
        if is_clean:
            await store.retire(server.id, now=NOW)
        else:
            await store.reap(now=NOW, dead=[server.id])
        again = await serve(store, declared, now=back_at)
        await create_due(store, [again.deployment.id], now=back_at, broken=set())
        runs = await store.runs()
    assert sorted(run.scheduled_at for run in runs) == made
