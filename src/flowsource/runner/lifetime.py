"""The life of a serving process: opened, registered, served until a signal, and closed with nothing left behind."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from signal import SIGHUP, SIGINT, SIGTERM
from uuid import UUID, uuid4

import anyio
import anyio.lowlevel
import anyio.to_thread

from flowsource.addresses import secret_variables
from flowsource.deployments import Declaration, Deployment
from flowsource.errors import StoreUnavailable
from flowsource.runner.dashboard import Dashboard, open_dashboard
from flowsource.runner.instances import sweep_instances
from flowsource.runner.introducing import info_of_us
from flowsource.runner.lifesigns import alive, bury_the_dead, spool_of
from flowsource.runner.origin import Origin
from flowsource.runner.orphans import fall_to_us, reap_orphans
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.presence import LEASE
from flowsource.runner.processes import control_groups
from flowsource.runner.processes.starter import open_starter
from flowsource.runner.service import Runner
from flowsource.runner.spool import Spool
from flowsource.runner.startup import register
from flowsource.runner.sweeping import sweep_workplaces
from flowsource.runner.workshop import Served, Workshop
from flowsource.server_access import SECRET_VARIABLES
from flowsource.settings import Settings
from flowsource.snapshots.cache import SnapshotCache
from flowsource.store import open_store

logger = logging.getLogger(__name__)

Declared = Sequence[tuple[Declaration, Origin]]


@dataclass(slots=True)
class _Signals:
    """What signals do: it depends on how far we are. Before anything runs, each of those that stop ends it all."""

    on_stop: Callable[[], None]
    on_hint: Callable[[], None] = lambda: None


async def serve_until_stopped(
    declared: Declared, settings: Settings, terminal: Terminal, *, limit: int | None, webserver: bool
) -> None:
    """Register and serve until a signal, in the main thread, or cancellation; raises what keeps it from being served.

    The first SIGINT or SIGTERM waits for runs that are going on, the second ends them; SIGHUP looks at the sources.
    """
    async with anyio.create_task_group() as tasks:
        # Outside of what a signal may cancel, so that the next one is heard too.
        with anyio.CancelScope() as work:
            signals = _Signals(work.cancel)
            if threading.current_thread() is threading.main_thread():
                tasks.start_soon(_listen_for_signals, signals)
            if fall_to_us():
                tasks.start_soon(reap_orphans)
            await _open_and_serve(declared, settings, terminal, signals, limit=limit, webserver=webserver)
        tasks.cancel_scope.cancel()


async def _listen_for_signals(signals: _Signals) -> None:
    with anyio.open_signal_receiver(SIGINT, SIGTERM, SIGHUP) as received:
        async for number in received:
            (signals.on_hint if number == SIGHUP else signals.on_stop)()


async def _open_and_serve(
    declared: Declared,
    settings: Settings,
    terminal: Terminal,
    signals: _Signals,
    *,
    limit: int | None,
    webserver: bool,
) -> None:
    runner_id = uuid4()
    secrets = SECRET_VARIABLES.union(*(origin.source.secret_variables for _, origin in declared))
    secrets |= secret_variables(settings.store)
    place = control_groups.place_for(f"flowsource-{runner_id}")
    with alive(settings.signs, runner_id, group=place) as sign, control_groups.made(place) as group:
        # What starts runs shows life too: so we are not called dead before the last of them is gone.
        starter = open_starter(
            settings.start_method, without=secrets, variables=settings.as_variables(), held=[sign], group=group
        )
        async with starter as server, anyio.create_task_group() as early:
            # It starts while the store is opened: each takes a third of a second, most of it for imports.
            early.start_soon(server.start)
            await anyio.lowlevel.checkpoint()
            async with open_store(settings.store) as store:
                await server.start()
                cache = SnapshotCache(settings.cache, is_protected=server.protects_from_root)
                shop = Workshop(
                    store=store,
                    cache=cache,
                    server=server,
                    terminal=terminal,
                    scratch=settings.scratch,
                    signs=settings.signs,
                    log_limits=settings.log_limits,
                    keeping=settings.keeping,
                    spool=Spool(spool_of(settings.signs, runner_id)),
                    info=info_of_us(limit, now=datetime.now(UTC)),
                )
                await bury_the_dead(store, settings.signs)
                await sweep_workplaces(store, shop.scratch, now=store.now())
                await anyio.to_thread.run_sync(partial(sweep_instances, settings.cache, now=datetime.now(UTC)))
                async with open_dashboard(settings) if webserver else nullcontext() as dashboard:
                    await _serve(runner_id, declared, shop, signals, limit=limit, dashboard=dashboard)


async def _serve(
    runner_id: UUID,
    declared: Declared,
    shop: Workshop,
    signals: _Signals,
    *,
    limit: int | None,
    dashboard: Dashboard | None,
) -> None:
    served: list[Served] = []
    try:
        served = await register(runner_id, declared, shop)
        runner = Runner(runner_id, served, shop, limit=limit)
        signals.on_stop, signals.on_hint = runner.stop, runner.look_now
        shop.terminal.started(
            [entry.deployment for entry in served],
            dashboard=await _link(dashboard, shop) if dashboard is not None else None,
        )
        # What is here by now stays: to look through all of it for garbage takes 30 ms, which runs would wait for.
        gc.freeze()
        await runner.run()
    finally:
        gc.unfreeze()
        with anyio.CancelScope(shield=True):
            paused = await _take_leave(runner_id, served, shop)
        if served:
            shop.terminal.stopped(paused)


async def _link(dashboard: Dashboard, shop: Workshop) -> str:
    # What is kept, as a log is, is not to be a way in.
    return await dashboard.link(shop.store) if shop.terminal.is_for_a_person else dashboard.url


async def _take_leave(runner_id: UUID, served: Sequence[Served], shop: Workshop) -> Sequence[Deployment]:
    """Tell the store that we go, with what is still to be told; the deployments that are paused by that.

    Where the store is away, our lease tells in the end, and the next who starts here what we have kept.
    """
    try:
        paused = await shop.store.retire(runner_id, now=shop.store.now())
        if shop.spool is not None:
            await shop.spool.deliver_lines(shop.store)
    except StoreUnavailable as error:
        if served:
            logger.warning(
                "the store does not hear that this server stops: its schedules are not paused before its lease ends, "
                "in %d s at most, and what it has still to report is told by the next one that starts here: %s",
                LEASE.total_seconds(),
                error,
            )
        paused = []
    if shop.spool is not None:
        await shop.spool.close()
    return paused
