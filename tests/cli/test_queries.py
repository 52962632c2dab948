"""Runs and deployments are listed, cancelled and paused by a query."""

from __future__ import annotations

from io import StringIO

import pytest

from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.words import Server


async def several(server: Server) -> None:
    """Three runs that wait, one of them with a tag of its own, and one that goes on."""
    await server.ask(name="goes-on")
    await server.start_one()
    for name in ("one", "two"):
        await server.ask(name=name)
    await server.ask(name="odd-one", tags=("odd",))


@pytest.fixture
def kept(alone: CommandLine) -> CommandLine:
    """The command line of a home with some runs."""
    keep(alone, several, tags=("etl",))
    return alone


def names(line: CommandLine, *words: str) -> set[str]:
    return {run["name"] for run in line("runs", "ls", *words, "--json").json}


def test_runs_are_listed_by_a_query_of_one_word_or_several(kept: CommandLine) -> None:
    assert names(kept, "state:scheduled") == {"one", "two", "odd-one"}
    assert names(kept, "-tag:odd", "state:scheduled", "--limit", "5") == {"one", "two"}
    assert names(kept, "-tag:odd state:scheduled name:*o") == {"two"}
    assert names(kept, "tag:odd", "--state", "scheduled", "--deployment", "nightly") == {"odd-one"}
    assert kept("runs", "ls", "tag:nothing").err == "No such runs.\n"


def test_a_list_that_is_cut_tells_how_to_go_on(kept: CommandLine) -> None:
    first = kept("runs", "ls", "--limit", "3", "--json")
    cursor = first.err.split()[-1]

    assert first.err == f"There are more: --cursor {cursor}\n"
    rest = kept("runs", "ls", "--limit", "3", "--cursor", cursor, "--json")
    assert {run["name"] for run in first.json + rest.json} == {"goes-on", "one", "two", "odd-one"}
    assert (len(rest.json), rest.err) == (1, "")


@pytest.mark.parametrize("words", [("runs", "ls", "stat:failed"), ("deployments", "ls", "pausd:yes")])
def test_a_query_that_is_not_understood_is_bad_input(alone: CommandLine, words: tuple[str, ...]) -> None:
    done = alone(*words)

    assert done.code == 2
    assert "did you mean" in done.err


def test_an_option_that_there_is_not_is_no_word_of_a_query(alone: CommandLine) -> None:
    for words in (("runs", "ls"), ("deployments", "ls"), ("runs", "cancel"), ("runs", "rerun")):
        done = alone(*words, "--limt")

        assert done.code == 2
        assert f"Unknown option: --limt. See `flowsource {' '.join(words)} --help`." in done.err


def test_deployments_are_listed_by_a_query(kept: CommandLine) -> None:
    assert [one["name"] for one in kept("deployments", "ls", "tag:etl", "--json").json] == ["etl/nightly"]
    assert kept("deployments", "ls", "paused:yes").err == "No such deployments.\n"


def test_what_a_query_would_cancel_is_shown_and_left_alone(kept: CommandLine) -> None:
    done = kept("runs", "cancel", "state:scheduled tag:etl", "--dry-run")

    assert done.code == 0
    assert {line.split()[2] for line in done.out.splitlines()[1:]} == {"one", "two", "odd-one"}
    assert done.err == "This would cancel 3 runs.\n"
    assert kept("runs", "cancel", "tag:etl", "--dry-run", "--json").json["hit"] == 4
    assert names(kept, "state:scheduled") == {"one", "two", "odd-one"}


def test_all_that_a_query_asks_for_are_cancelled(kept: CommandLine) -> None:
    done = kept("runs", "cancel", "tag:etl", "--yes", "--reason", "wrong day")

    assert done.code == 0
    assert done.err == "3 cancelled, 1 asked to end\n"
    assert names(kept, "state:cancelled") == {"one", "two", "odd-one"}
    again = kept("runs", "cancel", "tag:etl", "--yes", "--json").json
    assert again == {"hit": 1, "changed": {}, "skipped": {"is to end already": 1}, "more": False}
    assert kept("runs", "cancel", "state:scheduled", "--yes").err == "No run that has not ended is like that.\n"


def test_all_that_have_ended_of_a_query_are_done_again(kept: CommandLine) -> None:
    kept("runs", "cancel", "name:one", "--yes")
    assert kept("runs", "rerun", "tag:etl", "--dry-run").err == "This would do again 1 run.\n"

    assert kept("runs", "rerun", "tag:etl", "--yes").err == "1 asked for again\n"

    [again] = [run for run in kept("runs", "ls", "--json").json if run["rerun_of"]]
    assert (again["deployment"], again["state"]) == ("etl/nightly", "scheduled")
    assert kept("runs", "rerun", "tag:odd", "--yes").err == "No run that has ended is like that.\n"
    never_ran = kept("runs", "rerun", "tag:etl", "--at", "same", "--yes", "--json").json
    assert never_ran["skipped"] == {"went on inside another run, or never had a revision": 1}


def test_one_is_done_again_with_other_parameters(kept: CommandLine) -> None:
    again = kept("runs", "rerun", "odd-one", "-p", "day=2026-11-30", "-p", "n=2")
    assert "which does again what odd-one did with other parameters" in again.err
    new = kept("runs", "show", again.out.split()[0], "--json").json
    assert (new["parameters"], new["tags"]) == ({"day": "2026-11-30", "n": 2}, ["etl", "odd"])
    twice = kept("runs", "rerun", new["id"], "-p", "n=3", "--json").json
    assert twice["parameters"] == {"day": "2026-11-30", "n": 3}


def test_other_parameters_are_for_one_run_at_what_serves(kept: CommandLine) -> None:
    assert "leave out --at same" in kept("runs", "rerun", "one", "-p", "n=1", "--at", "same").err
    assert "this is a query" in kept("runs", "rerun", "tag:etl", "-p", "n=1", "--yes").err
    assert kept("runs", "rerun", "one", "-p", "n").err.startswith("error: -p n: give it as name=value.")


def test_nothing_is_cancelled_where_nobody_can_be_asked(kept: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO())
    done = kept("runs", "cancel", "tag:etl")

    assert done.code == 2
    assert "--yes: nobody is here to be asked whether to cancel 4 runs" in done.err
    assert names(kept, "state:cancelled") == set()


@pytest.mark.parametrize(("answer", "cancelled"), [("y\n", {"odd-one"}), ("\n", set()), ("", set())])
def test_a_person_is_asked_first(
    kept: CommandLine, monkeypatch: pytest.MonkeyPatch, answer: str, cancelled: set[str]
) -> None:
    terminal = StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)

    done = kept("runs", "cancel", "tag:odd")

    assert (done.code, "Cancel 1 run? [y/N]" in done.err) == (0, True)
    assert names(kept, "state:cancelled") == cancelled


def test_what_goes_with_a_query_alone_is_refused_for_one_run(kept: CommandLine) -> None:
    assert kept("runs", "cancel", "one", "--yes").code == 2
    assert kept("runs", "rerun", "one", "--yes").code == 2
    assert kept("deployments", "pause", "nightly", "--dry-run").code == 2
    assert kept("runs", "cancel", "tag:etl", "--wait").code == 2
    assert kept("runs", "cancel", "nobody").code == 3
    assert names(kept, "state:cancelled") == set()


def test_what_has_that_name_is_meant_also_where_it_looks_like_a_query(alone: CommandLine) -> None:
    keep(alone, lambda server: server.ask(name="state:failed"), name="tag:etl")

    assert alone("runs", "cancel", "state:failed").err == "state:failed is cancelled.\n"
    assert "The schedules of etl/tag:etl are held" in alone("deployments", "pause", "tag:etl").err


def test_deployments_are_paused_and_resumed_by_a_query(kept: CommandLine) -> None:
    assert kept("deployments", "pause", "tag:etl", "--dry-run").err == "This would pause 1 deployment.\n"
    assert kept("deployments", "pause", "tag:etl", "--yes").err == "1 paused\n"
    assert kept("deployments", "pause", "tag:etl", "--yes").err == "No deployment that is not paused is like that.\n"
    assert [one["paused"] for one in kept("deployments", "ls", "paused:yes", "--json").json] == [True]
    resumed = kept("deployments", "resume", "-tag:other", "--yes", "--json").json
    assert resumed == {"hit": 1, "changed": {"resumed": 1}, "skipped": {}, "more": False}
