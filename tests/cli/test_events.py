"""Events and triggers at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from time import monotonic, sleep

import pytest

from flowsource.cli import exits
from tests.cli.calling import CommandLine
from tests.support.serving import serving
from tests.support.waiting import PATIENCE

SCRIPT = """
    from flowsource import EventTrigger, flow

    @flow
    def pack(id: int):
        return id

    if __name__ == "__main__":
        pack.serve(
            "each",
            triggers=[
                EventTrigger(expect="order.created", parameters={"id": "{{ event.payload.id }}"}, name="new orders")
            ],
            on_failure_of="other/one",
        )
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line of a home where one event made a run, and one could not."""
    place = tmp_path_factory.mktemp("packed")
    (place / "flows.py").write_text(dedent(SCRIPT))
    with serving(place / "flows.py", place / "home"):
        command = CommandLine(place / "home")
        assert command("events", "emit", "order.created", "--payload", '{"id": 17}').code == exits.OK
        assert command("events", "emit", "order.created").code == exits.OK
        deadline = monotonic() + PATIENCE
        while len(command("triggers", "show", "each", "--json").json["firings"]) < 2:
            assert monotonic() < deadline
            sleep(0.05)
        yield command


def test_triggers_are_listed_with_what_they_wait_for(packed: CommandLine) -> None:
    done = packed("triggers", "ls")
    orders, failures = done.out.splitlines()[1:]
    assert orders.split("  ")[0] == "✔ active"
    assert "new orders  order.created" in orders
    assert failures.endswith("flow-run.failed or flow-run.timed_out of deployment one, flow other  code")
    assert packed("triggers", "ls", "each").out == done.out
    told = packed("triggers", "ls", "--json").json
    assert [(one["deployment"], one["kind"], one["held"], one.get("name")) for one in told] == [
        ("pack/each", "event", False, "new orders"),
        ("pack/each", "event", False, None),
    ]
    assert "triggers" in packed("deployments", "show", "each").out


def test_what_a_trigger_fired_is_shown_with_the_event_and_what_came_of_it(packed: CommandLine) -> None:
    failed, fired = packed("triggers", "show", "each", "--json").json["firings"]
    assert (fired["outcome"], fired["event"]["payload"]) == ("fired", {"id": 17})
    assert (failed["outcome"], failed["run_id"], "event.payload.id" in failed["reason"]) == ("failed", None, True)
    said = packed("triggers", "show", "each").out
    assert f"run {fired['run_id']}" in said
    assert "failed: {{ event.payload.id }}" in said
    assert len(packed("triggers", "show", "each", "--limit", "1", "--json").json["firings"]) == 1


def test_a_run_tells_the_trigger_and_the_event_that_made_it(packed: CommandLine) -> None:
    [fired] = [one for one in packed("triggers", "show", "each", "--json").json["firings"] if one["run_id"]]
    page = packed("runs", "show", fired["run_id"])
    assert "the trigger new orders" in page.out
    assert "order.created, " in page.out
    cause = packed("runs", "show", fired["run_id"], "--json").json["cause"]
    assert (cause["trigger"], cause["event"], cause["chain"]) == ("new orders", fired["event"], [])


def test_events_are_listed_newest_first_by_name_and_number(packed: CommandLine) -> None:
    told = packed("events", "ls", "--name", "order.*", "--json").json
    assert [event["payload"] for event in told] == [{}, {"id": 17}]
    said = packed("events", "ls", "--name", "prefect.flow-run.Completed").out
    assert "flow-run.completed" in said
    assert len(packed("events", "ls", "--limit", "3").out.splitlines()) == 4
    assert '{"id": 17}' in packed("events", "ls", "--name", "order.created").out


def test_events_are_followed_as_they_come(packed: CommandLine) -> None:
    with packed.start("events", "ls", "--follow", "--name", "page.*", "--json") as process:
        try:
            told = packed.run("events", "emit", "page.turned", "--payload", "-", "--json", given='{"n": 1}').json
            assert process.stdout is not None
            event = json.loads(process.stdout.readline())
            assert (event["id"], event["payload"]) == (told["id"], {"n": 1})
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("events", "emit", "flow-run.completed"), exits.BAD_INPUT, "name: "),
        (("events", "emit", "x", "--payload", "[1]"), exits.BAD_INPUT, "--payload: "),
        (("events", "emit", "x", "--payload", "@/nowhere"), exits.BAD_INPUT, "--payload @/nowhere: "),
        (("events", "ls", "--limit", "0"), exits.BAD_INPUT, "--limit 0"),
        (("events", "ls", "--name", "prefect.work-pool.ready"), exits.BAD_INPUT, "prefect.work-pool.ready"),
        (("triggers", "show", "nothing"), exits.NOT_FOUND, "nothing"),
        (("triggers", "ls", "nothing"), exits.NOT_FOUND, "nothing"),
        (("triggers", "ls"), exits.OK, "No triggers"),
        (("events", "ls"), exits.OK, "No events yet"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    alone: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    done = alone(*words)
    assert (done.code, said in done.err) == (code, True)


def test_following_waits_for_what_comes_while_a_pipe_is_read(tmp_path: Path) -> None:
    command = CommandLine(tmp_path / "home")
    with command.start("events", "ls", "-f") as process:
        try:
            assert command.run("events", "emit", "order.created", "--payload", '{"id": 17}').code == exits.OK
            assert process.stdout is not None
            assert 'order.created  -  {"id": 17}' in process.stdout.readline()
        finally:
            process.kill()
