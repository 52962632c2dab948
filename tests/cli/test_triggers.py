"""What a person does about triggers at the command line, where nobody serves them."""

from __future__ import annotations

import pytest

from flowsource.cli import exits
from flowsource.deployments import FlowFacts
from flowsource.triggers import EventTrigger, trigger_key
from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.words import Server, promote

ORDERS = EventTrigger(expect="order.created", name="orders")
TAKES = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}


async def takes_a_number(server: Server) -> None:
    """Say what the flow takes."""
    facts = FlowFacts(name="etl", parameter_schema=TAKES)
    await promote(server.store, server.deployment, server.deployment.active, facts)


@pytest.fixture
def kept(alone: CommandLine) -> CommandLine:
    """The command line of a home with one deployment, `etl/nightly`, that has a trigger."""
    keep(alone, takes_a_number, triggers=(ORDERS,))
    return alone


def test_a_trigger_is_added_held_let_go_on_and_removed(kept: CommandLine) -> None:
    bills = ("--expect", "bill.*", "--threshold", "3", "--within", "1h")
    added = kept("triggers", "add", "nightly", *bills, "--by", "ada")
    assert (added.code, added.err.split(" of ")[1]) == (0, "etl/nightly is added: 3 x bill.* within 3600 s.\n")
    [key] = [one["key"] for one in kept("triggers", "ls", "--json").json if one["origin"] == "person"]
    header, orders, mine = kept("triggers", "ls").out.splitlines()
    assert header.split() == ["STATE", "DEPLOYMENT", "TRIGGER", "WAITS", "FOR", "FROM"]
    assert orders.split() == ["✔", "active", "etl/nightly", "orders", "order.created", "code"]
    assert (mine.split()[3], mine.split()[-1]) == (key[:8], "ada")
    assert kept("triggers", "pause", "nightly", "orders", "--json").json["enabled"] is False
    assert kept("triggers", "ls").out.splitlines()[1].startswith("⊘ paused")
    resumed = kept("triggers", "resume", "nightly", trigger_key(ORDERS)[:6])
    assert resumed.err.startswith("Trigger orders of etl/nightly goes on")
    assert kept("triggers", "remove", "nightly", key, "--reason", "too many").code == 0
    assert [one["name"] for one in kept("triggers", "ls", "--json").json] == ["orders"]
    told = [one for one in kept("deployments", "history", "nightly", "--json").json if "trigger" in one["kind"]]
    kinds = [one["kind"] for one in told]
    assert kinds == ["trigger_removed", "trigger_resumed", "trigger_paused", "trigger_added"]
    assert (told[0]["reason"], told[-1]["by"]) == ("too many", "ada")


def test_a_deployment_with_a_trigger_of_a_person_runs_on_events(alone: CommandLine) -> None:
    keep(alone, takes_a_number)
    assert "on request" in alone("deployments", "ls").out
    alone("triggers", "add", "nightly", "--expect", "bill.*", "--name", "bills")
    assert "on events" in alone("deployments", "ls").out
    assert "it runs bill.*." in alone("why", "etl/nightly").out
    alone("triggers", "pause", "nightly", "bills")
    shown = " ".join(alone("deployments", "show", "nightly").out.split())
    assert "schedule on request triggers bill.* (held)" in shown
    assert alone("why", "etl/nightly").out == "etl/nightly has triggers, and each is held.\n"


def test_what_waits_for_another_deployment_takes_parameters_from_its_runs(kept: CommandLine) -> None:
    words = ("triggers", "add", "nightly", "--on-completion-of", "load/daily", "--name", "after load")
    added = kept(*words, "-p", "n={{ event.payload.parameters.n }}", "--json").json
    assert (added["said"], added["name"]) == ("flow-run.completed of deployment daily, flow load", "after load")
    assert added["parameters"] == {"n": "{{ event.payload.parameters.n }}"}


def test_all_of_it_can_be_given_as_json(kept: CommandLine) -> None:
    said = '{"kind": "sequence", "triggers": [{"expect": "a"}, {"expect": "b"}]}'
    assert kept("triggers", "add", "nightly", "--trigger", said, "--json").json["said"] == "(a), then (b)"
    assert kept("triggers", "add", "nightly", "--trigger", said).code == exits.CONFLICT


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "nightly"), exits.BAD_INPUT, "give one of --on-completion-of"),
        (("add", "nightly", "--expect", "a", "--on-crash-of", "b/c"), exits.BAD_INPUT, "give one of"),
        (("add", "nightly", "--expect", "a", "--match", "region"), exits.BAD_INPUT, "--match region: "),
        (("add", "nightly", "--expect", "a", "--threshold", "0"), exits.BAD_INPUT, "threshold: 0"),
        (("add", "nightly", "--trigger", "{"), exits.BAD_INPUT, "--trigger: "),
        (("add", "nightly", "--trigger", '{"expects": "a"}'), exits.BAD_INPUT, "expects: there is no such field"),
        (("add", "nightly", "--on-completion-of", "etl/nightly"), exits.BAD_INPUT, "would run again and again"),
        (("add", "other", "--expect", "a"), exits.NOT_FOUND, "other"),
        (("pause", "nightly", "bills"), exits.NOT_FOUND, "no trigger 'bills'; there are: orders"),
        (("remove", "nightly", "bills"), exits.NOT_FOUND, "no trigger 'bills'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_and_changes_nothing(
    kept: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    before = kept("triggers", "ls", "--json").json
    done = kept("triggers", *words)
    assert (done.code, said in done.err) == (code, True), done.err
    assert kept("triggers", "ls", "--json").json == before
