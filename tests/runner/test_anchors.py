"""A server that starts again and again moves no schedule."""

from __future__ import annotations

import pytest

from flowsource.runs import RunState
from flowsource.schedules import Interval
from flowsource.store.protocol import Store
from tests.runner.clockwork import create_due
from tests.store.words import ANNA, HOUR, MINUTE, NOW, registration, serve

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("pause_on_shutdown", [True, False])
@pytest.mark.parametrize("is_clean", [True, False])
async def test_an_hourly_interval_fires_each_hour_although_its_server_starts_again_every_50_minutes(
    store: Store, pause_on_shutdown: bool, is_clean: bool
) -> None:
    of_code = registration(schedules=(Interval(HOUR),), pause_on_shutdown=pause_on_shutdown)
    of_person = registration("mine", pause_on_shutdown=pause_on_shutdown)
    for start in range(13):
        # Never as it comes due: what does while nobody serves is not made up for.
        now = NOW + start * 50 * MINUTE + (start > 0) * 7 * MINUTE
        server = await serve(store, of_code, of_person, now=now, lease=57 * MINUTE)
        ids = [one.id for one in server.deployments]
        if start == 0:
            await store.add_schedule(ids[1], Interval(HOUR), ANNA, now=now)
        for minutes in range(0, 49, 3):
            await create_due(store, ids, now=now + minutes * MINUTE, broken=set())
        if is_clean:
            await store.retire(server.id, now=now + 49 * MINUTE)
    for deployment_id in ids:
        runs = await store.runs(deployment_id=deployment_id, states=[RunState.SCHEDULED], limit=100)
        assert sorted(run.scheduled_at for run in runs) == [NOW + hour * HOUR for hour in range(1, 11)]
