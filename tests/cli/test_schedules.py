"""What a person sees of schedules and does about them at the command line, where nobody serves them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from flowsource.deployments import FlowFacts
from flowsource.schedules import Cron, Interval, content_key
from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.words import Server, promote

NIGHTLY = Cron("0 2 * * *", "Europe/Berlin")
WEEKLY = Cron("@weekly", slug="week", parameters={"full": True}, active=False)
TAKES = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}


async def takes_a_number(server: Server) -> None:
    """Say what the flow takes."""
    facts = FlowFacts(name="etl", parameter_schema=TAKES)
    await promote(server.store, server.deployment, server.deployment.active, facts)


@pytest.fixture
def kept(alone: CommandLine) -> CommandLine:
    """The command line of a home with one deployment, `etl/nightly`, that has two schedules."""
    keep(alone, takes_a_number, schedules=(NIGHTLY, WEEKLY))
    return alone


def test_schedules_are_listed_with_what_holds_them_and_where_they_come_from(kept: CommandLine) -> None:
    assert kept("schedules", "add", "nightly", "--interval", "90m", "--by", "ada").code == 0
    header, nightly, weekly, mine = kept("schedules", "ls").out.splitlines()
    assert header.split() == ["STATE", "DEPLOYMENT", "SCHEDULE", "FIRES", "NEXT", "FROM"]
    assert nightly.startswith(f"✔ active  etl/nightly  {content_key(NIGHTLY)[:8]}  cron '0 2 * * *' in Europe/Berlin")
    assert (nightly.endswith("  code"), mine.endswith("  ada")) == (True, True)
    assert weekly.split()[:4] == ["⊘", "paused", "etl/nightly", "week"]
    assert "every 90 minutes in 1 h" in " ".join(mine.split())
    assert kept("deployments", "pause", "nightly").code == 0
    assert kept("schedules", "ls", "nightly").out.splitlines()[1].startswith("⊘ deployment paused  etl/nightly")


def test_as_json_there_is_all_of_a_schedule(kept: CommandLine) -> None:
    nightly, weekly = kept("schedules", "ls", "--json").json
    assert (nightly["key"], nightly["origin"], nightly["held"]) == (content_key(NIGHTLY), "code", False)
    assert datetime.fromisoformat(nightly["next_at"]) > datetime.now(UTC)
    assert (weekly["slug"], weekly["parameters"], weekly["active"], weekly["next_at"]) == (
        *("week", {"full": True}),
        *(False, None),
    )
    assert (weekly["kind"], weekly["expression"], weekly["catchup"]) == ("cron", "@weekly", "latest")


def test_without_any_it_is_said_how_to_add_one(alone: CommandLine) -> None:
    done = alone("schedules", "ls")
    assert (done.code, done.out, "`flowsource schedules add` adds one" in done.err) == (0, "", True)


def test_a_schedule_is_added_with_all_that_it_may_say(kept: CommandLine) -> None:
    options = ("--timezone", "Asia/Tokyo", "--slug", "mine", "--jitter", "10m", "--catchup", "none", "--both-days")
    more = ("--max-lateness", "2h", "-p", "n=5", "--reason", "the audit", "--by", "ada")
    added = kept("schedules", "add", "nightly", "--cron", "0 5 13 * 5", *options, *more, "--json").json
    assert (added["slug"], added["origin"], added["added_by"]) == ("mine", "person", "ada")
    assert added["parameters"] == {"n": 5}
    assert (added["timezone"], added["day_or"], added["catchup"]) == ("Asia/Tokyo", False, "none")
    assert (added["jitter"], added["max_lateness"]) == (600, 7200)
    history = kept("deployments", "history", "nightly").out
    assert "schedule added" in history
    assert "the audit, mine" in history
    shown = kept("deployments", "show", "nightly").out
    assert "cron '0 5 13 * 5' where both days hold in Asia/Tokyo" in shown


def test_an_interval_is_counted_from_its_anchor(kept: CommandLine) -> None:
    words = ("schedules", "add", "nightly", "--interval", "1h", "--anchor", "2026-01-01T00:17+00:00", "--json")
    assert datetime.fromisoformat(kept(*words).json["next_at"]).minute == 17


def test_a_schedule_is_held_goes_on_and_is_removed_by_its_slug_or_the_beginning_of_its_key(kept: CommandLine) -> None:
    key = content_key(NIGHTLY)
    held = kept("schedules", "pause", "nightly", key[:5], "--reason", "holidays")
    assert (held.code, f"Schedule {key[:8]} of etl/nightly is held" in held.err) == (0, True)
    resumed = kept("schedules", "resume", "nightly", "week")
    assert "goes on: cron '@weekly'" in resumed.err
    assert "It fires next in" in resumed.err
    assert [one["held"] for one in kept("schedules", "ls", "--json").json] == [True, False]
    removed = kept("schedules", "remove", "nightly", "week", "--json").json
    assert (removed["slug"], removed["next_at"]) == ("week", None)
    assert [one["key"] for one in kept("schedules", "ls", "--json").json] == [key]
    assert "holidays" in kept("deployments", "history", "nightly").out


def test_the_next_times_are_told_on_both_clocks_and_in_order(kept: CommandLine) -> None:
    assert kept("schedules", "add", "nightly", "--interval", "12h", "--slug", "mine").code == 0
    done = kept("schedules", "next", "nightly", "-n", "7")
    header, *rows = done.out.splitlines()
    assert header.split() == ["WHEN", "IN", "ITS", "ZONE", "HERE", "SCHEDULE"]
    assert len(rows) == 7
    assert {row.split()[-1] if "clock" not in row else "" for row in rows} <= {"mine", content_key(NIGHTLY)[:8], ""}
    assert "1 of 3 schedules is held, and left out." in done.err
    instants = [one["at"] for one in kept("schedules", "next", "--json").json]
    assert (len(instants), instants) == (20, sorted(instants))


def test_a_schedule_can_be_tried_out_and_says_where_its_clock_is_set(alone: CommandLine) -> None:
    words = ("schedules", "next", "--cron", "30 1 * * *", "--timezone", "Europe/Berlin", "-n", "400")
    found = alone(*words, "--json").json
    set_by = [one["clock_set_by"] for one in found if one["clock_set_by"]]
    assert (min(set_by), max(set_by)) == (-3600, 3600)
    in_zone = [datetime.fromisoformat(one["in_zone"]) for one in found]
    assert {(at.hour, at.minute) for at in in_zone} == {(1, 30)}
    assert {at.utcoffset() for at in in_zone} == {timedelta(hours=1), timedelta(hours=2)}
    told = alone(*words).out
    assert told.count("the clock there was set forward by 1 h") + told.count("set back by 1 h") == len(set_by)


@pytest.mark.parametrize(
    "words", [("--interval", "6h"), ("--rrule", "FREQ=HOURLY;INTERVAL=6"), ("--rrule", r"DTSTART:20260101\nFREQ=DAILY")]
)
def test_intervals_and_rules_can_be_tried_out_too(alone: CommandLine, words: tuple[str, ...]) -> None:
    assert len(alone("schedules", "next", *words, "-n", "3").out.splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "nightly"), 2, "no schedule: give one of --cron, --interval and --rrule"),
        (("add", "nightly", "--cron", "@daily", "--interval", "5"), 2, "--cron, --interval: give one of"),
        (("add", "nightly", "--cron", "61 * * * *"), 2, "cron: '61 * * * *' is not a cron expression"),
        (("add", "nightly", "--cron", "@daily", "--timezone", "Mars"), 2, "timezone: 'Mars' is not a time zone"),
        (("add", "nightly", "--cron", "@daily", "--anchor", "2026-01-01"), 2, "--anchor: only an interval"),
        (("add", "nightly", "--interval", "soon"), 2, "--interval soon: give seconds, or a length of time"),
        (("add", "nightly", "--interval", "60", "--anchor", "soon"), 2, "--anchor soon: give a time"),
        (("add", "nightly", "--interval", "60", "--jitter", "-1"), 2, "--jitter -1: give seconds"),
        (("add", "nightly", "--interval", "60", "-p", "m=5"), 2, "m: is not a parameter of this flow"),
        (("add", "nightly", "--interval", "60", "--catchup", "some"), 2, "--catchup"),
        (("add", "nightly", "--cron", "@daily", "--slug", "week"), 6, "has that schedule already, as week"),
        (("add", "nightli", "--cron", "@daily"), 3, "no deployment 'nightli'"),
        (("pause", "nightly", "month"), 3, "no schedule 'month'; there are: "),
        (("remove", "nightly", "wee"), 3, "no schedule 'wee'"),
        (("next", "nightly", "--cron", "@daily"), 2, "not both"),
        (("next", "-n", "0"), 2, "-n 0: give 1 or more"),
    ],
)
def test_what_does_not_go_is_refused_with_the_reason(
    kept: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    done = kept("schedules", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_what_could_mean_two_schedules_is_refused(alone: CommandLine) -> None:
    async def nothing(server: Server) -> None:
        """Only serve."""

    # Of so many some begin alike.
    many = tuple(Interval(minutes * 60) for minutes in range(1, 800))
    keys = sorted(map(content_key, many))
    alike = next(one[:4] for one, other in pairwise(keys) if one[:4] == other[:4])
    keep(alone, nothing, schedules=many)
    done = alone("schedules", "pause", "nightly", alike)
    assert (done.code, f"{alike}: more than one begins with that" in done.err) == (2, True)
