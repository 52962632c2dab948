"""What is measured, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

from flowsource.server.access import Shown, TheStore
from flowsource.server.standing import Standing, standing_of
from flowsource.tokens import Token

router = APIRouter(include_in_schema=False)


class Metrics:
    """What this server counts by itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "flowsource_http_requests", "Requests that were answered.", ["method", "status"], registry=self.registry
        )
        self.calls = Counter(
            "flowsource_store_calls",
            "Calls of other processes to the store; those of `renew` are renewals of leases.",
            ["call"],
            registry=self.registry,
        )


@router.get("/metrics")
async def show_metrics(request: Request, store: TheStore, _: Annotated[Token, Depends(Shown("viewer"))]) -> Response:
    """All of it, as text."""
    metrics: Metrics = request.app.state.metrics
    standing = CollectorRegistry()
    standing.register(_Standing(await standing_of(store, now=store.now())))
    return Response(generate_latest(standing) + generate_latest(metrics.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Standing:
    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        told = self._standing
        runs = GaugeMetricFamily("flowsource_runs", "Runs that have not ended.", labels=["state"])
        for state, count in told.runs.items():
            runs.add_metric([state], count)
        yield runs
        sources = GaugeMetricFamily("flowsource_sources", "Sources that are served.", labels=["state"])
        for state, count in told.sources.items():
            sources.add_metric([state], count)
        yield sources
        oldest = told.oldest_due.total_seconds()
        yield GaugeMetricFamily("flowsource_oldest_due_seconds", "How long one of them has been due.", max(oldest, 0))
        lag = told.lag.total_seconds()
        yield GaugeMetricFamily("flowsource_schedule_lag_seconds", "How far behind the schedules are.", lag)
        yield GaugeMetricFamily("flowsource_runners", "Runners that are registered.", told.runners)
        yield GaugeMetricFamily("flowsource_deployments", "Deployments that are registered.", told.deployments)
