"""Whether a flow that failed is to be called again, and when."""

from __future__ import annotations

import random
from typing import Any

from flowsource.calling.hooking import answer
from flowsource.context import get_run_logger
from flowsource.flows import Flow
from flowsource.hooks import FlowRun


def seconds_until_retry(flow: Flow[..., Any], run: FlowRun, error: BaseException) -> float | None:
    """In how many seconds the next attempt is to begin after `run` failed with `error`; None for never.

    Asks the condition of the flow, where it has one; if that fails, there is no further attempt.
    """
    policy = flow.retry_policy
    if policy is None or not policy.is_for(error):
        return None
    delay = policy.delay_after(run.attempt, chance=random.random())
    if delay is None or policy.condition is None:
        return delay
    try:
        return delay if answer(policy.condition, flow, run, run.state) else None
    except Exception:
        get_run_logger().exception("retry_on of flow %r failed, so that there is no further attempt", flow.name)
        return None


def seconds_until_retry_of_timeout(flow: Flow[..., Any], attempt: int) -> float | None:
    """As `seconds_until_retry`, for an attempt that takes too long; a condition is not asked."""
    policy = flow.retry_policy
    if policy is None or not policy.is_for(TimeoutError()):
        return None
    return policy.delay_after(attempt, chance=random.random())
