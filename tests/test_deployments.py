"""What is declared of a deployment: each mistake is named by its field, and nothing is made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from flowsource import ConcurrencyLimitConfig, Cron, aserve, flow, serve
from flowsource.deployments import Declaration
from flowsource.errors import InvalidInput, InvalidSettings


@flow
def hello(day: str = "today") -> str:
    return day


def test_what_is_declared_is_what_was_given() -> None:
    declared = hello.to_deployment(
        "nightly", cron="0 2 * * *", parameters={"day": "2026-01-01"}, tags=["etl"], limit=2
    ).declared
    assert (declared.name, declared.schedules, declared.tags) == ("nightly", (Cron("0 2 * * *"),), ("etl",))
    assert (declared.parameters, declared.limit, declared.paused) == ({"day": "2026-01-01"}, 2, None)
    assert (declared.paths, declared.on_dependency_change) == ((), "report")
    assert hello.to_deployment(paths=["./flows/", "lib/x.py"]).declared.paths == ("flows", "lib/x.py")


def test_what_is_left_out_is_what_most_people_want() -> None:
    declared = hello.to_deployment().declared

    assert declared == Declaration(
        name="hello",
        entrypoint=declared.entrypoint,
        source_key=declared.source_key,
        source_label=declared.source_label,
        source_selector=declared.source_selector,
    )


def test_how_runs_are_to_be_treated_is_declared() -> None:
    declared = hello.to_deployment(
        global_limit=3,
        collision_strategy="cancel_new",
        catchup="all",
        max_lateness=90,
        on_lost="rerun",
        workdir="private",
        freshness="every_run",
        preload=["json", "concurrent.futures", "json"],
        grace_seconds=timedelta(minutes=2),
    ).declared

    assert (declared.global_limit, declared.collision_strategy) == (3, "cancel_new")
    assert (declared.catchup, declared.max_lateness) == ("all", timedelta(seconds=90))
    assert (declared.on_lost, declared.workdir, declared.freshness) == ("rerun", "private", "every_run")
    assert (declared.preload, declared.grace) == (("json", "concurrent.futures"), timedelta(minutes=2))


@pytest.mark.parametrize("strategy", ["cancel_new", "CANCEL_NEW"])
def test_a_limit_over_all_servers_says_what_becomes_of_a_run_beyond_it(strategy: Any) -> None:
    configured = hello.to_deployment(global_limit=ConcurrencyLimitConfig(2, collision_strategy=strategy)).declared
    by_option = hello.to_deployment(global_limit=2, collision_strategy=strategy).declared

    assert (configured.global_limit, configured.collision_strategy) == (2, "cancel_new")
    assert replace(by_option, schedules=()) == configured


def test_a_deployment_has_as_many_schedules_as_were_given() -> None:
    declared = hello.to_deployment(schedules=[Cron("0 2 * * *"), Cron("@hourly", "Europe/Berlin")]).declared
    intervals = hello.to_deployment(interval=[60, 3600]).declared.schedules

    assert declared.schedules == (Cron("0 2 * * *"), Cron("@hourly", "Europe/Berlin"))
    assert [schedule.describe() for schedule in intervals] == ["every minute", "every hour"]


def test_a_deployment_that_is_named_by_a_file_has_the_name_of_that_without_its_ending() -> None:
    assert hello.to_deployment(__file__).name == "test_deployments"
    assert hello.to_deployment("etl-0.0.5").name == "etl-0.0.5"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "a/b"}, "name: 'a/b' contains '/'"),
        ({"name": 5}, "name: 5"),
        ({"parameters": {"day": date(2026, 1, 1)}}, r"parameters\.day: is a date, .* such as '2026-01-01'"),
        ({"parameters": {"day": {"n": float("nan")}}}, r"parameters\.day\.n: is not a finite number"),
        ({"parameters": [1]}, "parameters: is a list; give a dict"),
        ({"parameters": []}, "parameters: is a list; give a dict"),
        ({"schedule": "* * * * *"}, "schedule: .* say cron="),
        ({"interval": float("nan")}, "interval: nan"),
        ({"interval": float("inf")}, "interval: inf"),
        ({"interval": timedelta(0)}, "interval: "),
        ({"cron": 5}, "cron: 5 is not text"),
        ({"tags": 5}, r"tags: 5 is not a list of non-empty strings"),
        ({"tags": "etl"}, r"tags: 'etl' is not a list"),
        ({"tags": {"etl": 1}}, r"tags: .* is not a list"),
        ({"tags": ["etl", ""]}, "tags: "),
        ({"limit": "3"}, "limit: '3' is not 1 or more"),
        ({"limit": True}, "limit: True is not 1 or more"),
        ({"limit": 0}, "limit: 0 is not 1 or more"),
        ({"paused": "no"}, "paused: 'no' is neither True nor False"),
        ({"description": 5}, "description: 5 is not text"),
        ({"version": 5}, "version: 5 is not text"),
        ({"paths": "flows"}, "paths: 'flows' is not a list of paths"),
        ({"paths": []}, r"paths: \[\] is not a list of paths"),
        ({"paths": [""]}, "paths: "),
        ({"paths": [5]}, "paths: "),
        ({"paths": ["/etc"]}, "paths: '/etc' is no path inside the source"),
        ({"paths": ["a/../.."]}, "paths: .* is no path inside"),
        ({"paths": ["."]}, "paths: '' is no path inside"),
        ({"on_dependency_change": "ignore"}, "on_dependency_change: 'ignore' is none of 'report', 'hold'"),
        ({"pause_on_shutdown": "x"}, "pause_on_shutdown: 'x' is neither"),
        ({"pause_on_shutdown": None}, "pause_on_shutdown: None is neither"),
        ({"interval": 60, "schedules": []}, "interval, schedules: only one of these may be given"),
        ({"cron": [5]}, "cron: 5 is not text"),
        ({"schedules": ["@daily"]}, "schedules: '@daily' is not a schedule"),
        ({"global_limit": 0}, "global_limit: 0 is not 1 or more"),
        ({"global_limit": "3"}, "global_limit: '3' is not 1 or more"),
        ({"global_limit": ConcurrencyLimitConfig(0)}, "global_limit: 0 is not 1 or more"),
        # Refused at run time too.
        ({"global_limit": ConcurrencyLimitConfig(None)}, "global_limit: None is no limit"),  # type: ignore[arg-type]
        ({"global_limit": ConcurrencyLimitConfig(1, "drop")}, "collision_strategy: 'drop' is neither"),  # type: ignore[arg-type]
        ({"collision_strategy": "drop"}, "collision_strategy: 'drop' is neither 'enqueue' nor 'cancel_new'"),
        (
            {"collision_strategy": "enqueue", "global_limit": ConcurrencyLimitConfig(1)},
            "collision_strategy: global_limit says it already",
        ),
        ({"catchup": "some"}, "catchup: 'some' is none of 'latest', 'all', 'none'"),
        ({"max_lateness": -1}, "max_lateness: -1 is not a length of time"),
        ({"max_lateness": float("nan")}, "max_lateness: nan is not a length of time"),
        ({"max_lateness": True}, "max_lateness: True is not a length of time"),
        ({"max_lateness": timedelta.max}, "max_lateness: .* up to a hundred years"),
        ({"on_lost": "repeat"}, "on_lost: 'repeat' is none of 'crash', 'rerun'"),
        ({"workdir": "/tmp"}, "workdir: '/tmp' is none of 'snapshot', 'private'"),
        ({"freshness": []}, r"freshness: \[\] is none of 'poll', 'every_run'"),
        ({"preload": "pandas"}, r"preload: 'pandas' is not a list of modules; give .* such as \['pandas'\]"),
        ({"preload": ["a-b"]}, "preload: "),
        ({"preload": 5}, "preload: 5 is not a list"),
        ({"grace_seconds": "30"}, "grace_seconds: '30' is not a length of time"),
        ({"grace_seconds": None}, "grace_seconds: None is not a length of time"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{said}"):
        hello.to_deployment(**options)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("work_pool_name", "executes the runs itself"),
        ("concurrency_limit", "say global_limit="),
    ],
)
def test_an_option_that_is_known_elsewhere_is_answered_with_what_to_do_here(option: str, said: str) -> None:
    with pytest.raises(TypeError, match=f"^{option}: not an option of a deployment here; .*{said}"):
        hello.to_deployment(**{option: "x"})  # type: ignore[arg-type]  # refused at run time too


def test_an_option_that_there_is_not_is_an_error_as_in_any_call() -> None:
    with pytest.raises(TypeError, match=r"corn: not an option of a deployment; there are .*cron"):
        hello.to_deployment(corn="* * * * *")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "there is no deployment to serve"),
        ((hello,), r"<Flow 'hello'> is a flow, not a deployment; give what its `to_deployment\(name=...\)` returns"),
        (([hello.to_deployment()],), "a list is not a deployment; give each one"),
    ],
)
def test_only_deployments_can_be_served(given: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^serve: {said}"):
        serve(*given)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": "3"}, "limit: '3'"),
        ({"limit": True}, "limit: True"),
        ({"pause_on_shutdown": "x"}, "pause_on_shutdown: 'x'"),
    ],
)
async def test_an_option_of_serving_that_cannot_be_used_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{said}"):
        await aserve(hello.to_deployment(), **options)


def test_a_flow_that_is_served_alone_may_say_how_its_server_talks() -> None:
    with pytest.raises(InvalidSettings, match="'xml' is no format"):
        hello.serve(log_format="xml")
    with pytest.raises(InvalidSettings, match="'xml' is no format"):
        anyio.run(partial(hello.aserve, log_format="xml"))
