"""The options of `serve` and `to_deployment` are known by name and type, wherever the flow comes from."""

# pyright: strict
from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

from flowsource import (
    ConcurrencyLimitConfig,
    Cron,
    Flow,
    GitRepository,
    LocalStorage,
    RunnerDeployment,
    aserve,
    flow,
    serve,
)


@flow
def nightly(day: str = "yesterday") -> int:
    return len(day)


def a_flow_from_a_source_is_a_flow() -> None:
    assert_type(flow.from_source("https://example.org/org/repo.git", "flows.py:nightly"), Flow[..., Any])
    assert_type(flow.from_source(source=Path("flows"), entrypoint="flows.py:nightly"), Flow[..., Any])
    assert_type(Flow.from_source(LocalStorage("flows"), "flows.py:nightly"), Flow[..., Any])
    flow.from_source(GitRepository("https://example.org/org/repo.git", branch="main"), "flows.py:nightly")("today")


async def and_so_it_is_in_an_event_loop() -> None:
    assert_type(await flow.afrom_source("flows", "flows.py:nightly"), Flow[..., Any])
    await nightly.aserve(name="nightly", cron="0 2 * * *")
    await aserve(nightly.to_deployment())


def a_flow_is_served() -> None:
    nightly.serve()
    nightly.serve("nightly", interval=60)
    nightly.serve(name="nightly", interval=timedelta(hours=1), tags=["etl"], parameters={"day": "today"})
    nightly.serve(name="nightly", cron="0 2 * * *", limit=1, pause_on_shutdown=False, print_starting_message=False)
    flow.from_source("flows", "flows.py:nightly").serve(name="nightly", description="At night.", version="1")
    nightly.serve(paths=["flows"], on_dependency_change="hold")
    nightly.serve(cron=["0 2 * * *", "0 4 * * *"], global_limit=ConcurrencyLimitConfig(2, "CANCEL_NEW"))
    nightly.serve(schedules=[Cron("0 2 * * *", "Europe/Berlin")], catchup="all", max_lateness=60, grace_seconds=5)
    nightly.serve(on_lost="rerun", workdir="private", freshness="every_run", preload=["json"])
    assert_type(nightly.to_deployment(name="nightly", cron="0 2 * * *"), RunnerDeployment)
    serve(nightly.to_deployment(), nightly.to_deployment("hourly", interval=3600), limit=2)


def wrong_options_are_seen() -> None:
    nightly.serve(name=1)  # wrong
    nightly.serve(corn="0 2 * * *")  # wrong
    nightly.serve(cron=2)  # wrong
    nightly.serve(interval="hourly")  # wrong
    nightly.serve(tags=[1])  # wrong
    nightly.serve(parameters=["today"])  # wrong
    nightly.to_deployment(limit="1")  # wrong
    nightly.to_deployment(on_dependency_change="ignore")  # wrong
    nightly.to_deployment(schedules=["0 2 * * *"])  # wrong
    nightly.to_deployment(catchup="some")  # wrong
    nightly.to_deployment(workdir="/tmp")  # wrong
    nightly.to_deployment(global_limit=ConcurrencyLimitConfig("2"))  # wrong
    serve(nightly)  # wrong
    flow.from_source("flows")  # wrong
    flow.from_source(1, "flows.py:nightly")  # wrong
