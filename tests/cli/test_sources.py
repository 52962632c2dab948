"""`flowsource source` tells what stands between a push and its run, and lets a person do something about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import pytest

from flowsource.cli.source_names import pick
from flowsource.demo.repository import FixtureRepository
from flowsource.deployments import Rejection
from flowsource.errors import InvalidInput, SourceNotFound
from flowsource.revisions import Revision
from flowsource.snapshots.cache import SnapshotCache
from flowsource.source_status import Rewrite, SourceState, SourceStatus
from flowsource.sources.git.repository import GitRepository
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import KnownSource, SourceReport, SourceWish
from flowsource.text import size_text
from tests.cli.calling import CommandLine
from tests.store.source_contract import POLL
from tests.store.words import registration, reject, serve
from tests.support.git_server import Refuse, git_server
from tests.support.parts import requires
from tests.support.serving import ServingScript, serving
from tests.support.waiting import PATIENCE

GOOD = Revision(id="a" * 40, ref="refs/heads/main", subject="Load the data")
BAD = Revision(id="b" * 40, subject="Break it")
URL = "https://example.org/org/flows.git"
SYNC = f"flowsource source sync '{URL}' --wait"
FLOW = "from flowsource import flow\n@flow\ndef greet(name: str = 'world'):\n    'Greet somebody.'\n"
SCRIPT = """
from flowsource import GitRepository, flow
if __name__ == "__main__":
    source = GitRepository({url!r}, branch="main", pull_interval={every})
    flow.from_source(source, "flows.py:greet").serve("daily")
"""


def report(label: str = URL, *, key: str = "git-1", selector: str = "branch main", **status: Any) -> SourceReport:
    now = datetime.now(UTC)
    told = SourceStatus(label=label, **{"state": SourceState.OK, "since": now - timedelta(minutes=3), **status})
    address = label.partition(" ")[0]
    poll = replace(POLL, at=now - timedelta(seconds=12))
    return SourceReport(key=key, selector=selector, address=address, status=told, revision=GOOD, poll=poll)


def prepare(line: CommandLine, work: Callable[[Store], Any]) -> None:
    async def use() -> None:
        async with open_store(f"sqlite:///{line.home}/flowsource.db") as store:
            await work(store)

    anyio.run(use)


def told(line: CommandLine, *reports: SourceReport, rejected: bool = False, active: Revision = GOOD) -> None:
    """Have these sources reported, and deployments that follow each of them served."""

    async def tell(store: Store) -> None:
        now = datetime.now(UTC)
        registrations = [
            registration(
                f"on-{number}",
                active=active,
                source_key=one.key,
                source_selector=one.selector,
                source_label=one.status.label,
            )
            for number, one in enumerate(reports)
        ]
        server = await serve(store, *registrations, now=now)
        await store.report_sources(reports)
        if rejected:
            rejection = Rejection(revision=BAD, kind="import", message="it fails", details="a\ntraceback", at=now)
            await reject(store, server.deployments[0], rejection)

    prepare(line, tell)


def words(text: str) -> str:
    return " ".join(text.split())


def test_where_no_source_was_ever_served_it_says_what_makes_one(alone: CommandLine) -> None:
    done = alone("source", "ls")
    assert (done.code, done.out) == (0, "")
    assert "A script that serves a flow makes one known" in done.err
    assert alone("source", "ls", "--json").json == []
    assert alone("source", "sync").code == 6


def test_sources_are_listed_with_how_they_are(alone: CommandLine) -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    told(
        alone,
        report(next_try_at=later),
        report("https://example.org/b.git", key="git-2", state=SourceState.AUTH_FAILED, reason="no"),
    )
    prepare(alone, lambda store: store.report_sources([report("https://example.org/c.git", key="git-3")]))
    header, second, third, first = alone("source", "ls").out.splitlines()
    assert header.split() == ["STATE", "SOURCE", "REVISION", "POLLED", "NEXT"]
    assert re.match(r"✔ ok +https://example.org/org/flows.git  aaaaaaa Load the data  1\d s ago  in 1 min$", first)
    assert second.startswith("✖ auth failed  https://example.org/b.git")
    assert third.startswith("⊘ not served   https://example.org/c.git")


def test_a_time_of_the_next_poll_that_is_over_is_not_told(alone: CommandLine) -> None:
    told(alone, report(next_try_at=datetime.now(UTC) - timedelta(seconds=90)))
    assert alone("source", "ls").out.splitlines()[1].endswith("  -")
    assert "next try" not in words(alone("source", "explain", "flows").out)


def test_a_source_in_order_is_explained_with_each_stage_of_its_last_poll(alone: CommandLine) -> None:
    told(alone, report(next_try_at=datetime.now(UTC) + timedelta(seconds=90)))
    shown = alone("source", "explain", "flows").out
    for fact in (
        "state ✔ ok: as new as its remote at the last poll",
        "since 3 min ago",
        "next try in 1 min",
        "follows branch main",
        f"revision {GOOD.id} subject Load the data",
        "because of a hint; it took 1.50 s found it is away stages resolve 1.00 s ok fetch 0.50 s failed",
        "deployment etl/on-0 serves aaaaaaa Load the data",
    ):
        assert fact in words(shown)
    assert "what helps" not in shown


@pytest.mark.parametrize(
    ("state", "helps"),
    [
        (SourceState.DEGRADED, f"It is tried again by itself. To try at once: {SYNC}"),
        (
            SourceState.AUTH_FAILED,
            f"it is read at every attempt. To try at once: {SYNC}",
        ),
        (SourceState.MISSING, "Push what is followed, or correct its name or the URL"),
    ],
)
def test_a_source_out_of_order_is_explained_with_the_reason_and_what_helps(
    alone: CommandLine, state: SourceState, helps: str
) -> None:
    told(alone, report(state=state, reason="it is\x1b[2J away", failures=4))
    shown = words(alone("source", "explain", URL).out)
    assert f"✖ {state.replace('_', ' ')}: " in shown
    assert "reason it is\\x1b[2J away failures 4 in a row" in shown
    assert helps in shown


def test_a_push_that_was_rejected_is_explained_by_deployment_and_traceback(alone: CommandLine) -> None:
    told(alone, report(), rejected=True)
    shown = words(alone("source", "explain", "on-0").out)
    assert "etl/on-0 serves aaaaaaa Load the data; bbbbbbb was rejected: it fails" in shown
    assert "flowsource deployments show 'etl/on-0'" in shown
    [as_json] = alone("source", "explain", "etl/on-0", "--json").json
    assert as_json["deployments"][0]["reason"] == "it fails"
    assert as_json["deployments"][0]["rejected"]["id"] == BAD.id


def test_a_revision_that_is_not_taken_over_is_said(alone: CommandLine) -> None:
    told(alone, report(), active=Revision(id="c" * 40))
    assert "serves ccccccc; aaaaaaa is not taken over (yet)" in words(alone("source", "explain", "flows").out)


def test_a_history_that_was_rewritten_is_said(alone: CommandLine) -> None:
    rewrite = Rewrite(what="history was rewritten", before=BAD.id, after=GOOD.id, at=datetime.now(UTC))
    told(alone, report(rewritten=rewrite))
    assert "history was rewritten: bbbbbbb → aaaaaaa" in words(alone("source", "explain", "flows").out)
    assert alone("source", "ls", "--json").json[0]["rewritten"]["before"] == BAD.id


def test_a_source_that_nobody_serves_is_explained_as_it_was_told_last(alone: CommandLine) -> None:
    prepare(alone, lambda store: store.report_sources([report()]))
    shown = words(alone("source", "explain", "flows").out)
    assert "⊘ not served: no server follows it now; this is what was told last" in shown
    assert "what helps Start the script that serves it." in shown
    done = alone("source", "sync", "flows")
    assert (done.code, "No server follows" in done.err) == (6, True)


def test_as_json_there_is_all_of_it(alone: CommandLine) -> None:
    told(alone, report())
    [listed] = alone("source", "ls", "--json").json
    assert alone("source", "explain", "flows", "--json").json == [listed]
    assert (listed["state"], listed["served"], listed["address"]) == ("ok", True, URL)
    assert [stage["name"] for stage in listed["poll"]["stages"]] == ["resolve", "fetch"]
    assert [deployment["name"] for deployment in listed["deployments"]] == ["etl/on-0"]


def test_a_pause_is_kept_and_shown_before_any_server_knows_of_it(alone: CommandLine) -> None:
    told(alone, report())
    assert f"{URL} is paused." in alone("source", "pause", "flows").err
    [paused] = alone("source", "ls", "--json").json
    assert (paused["state"], paused["next_try_at"]) == ("paused", None)
    assert f"flowsource source resume '{URL}'" in words(alone("source", "explain", "flows").out)
    done = alone("source", "sync", "flows")
    assert (done.code, "is paused" in done.err) == (6, True)
    [resumed] = alone("source", "resume", "flows", "--json").json
    assert resumed["state"] == "ok"


def test_a_hint_that_nobody_answers_in_time_is_said(alone: CommandLine) -> None:
    told(alone, report())
    done = alone("source", "sync", "--wait", "--timeout", "0.1")
    assert (done.code, "not done after 0.1 s" in done.err) == (124, True)
    assert "one was given that is not answered yet" in alone("source", "explain", "flows").out
    done = alone("source", "sync", "flows")
    assert (done.code, done.out, f"Asked for a look at {URL}." in done.err) == (0, "", True)
    assert alone("source", "sync", "--timeout", "-1").code == 2


@pytest.mark.parametrize("command", ["explain", "sync", "pause", "resume"])
def test_a_source_that_is_not_there_is_told_with_those_there_are(alone: CommandLine, command: str) -> None:
    told(alone, report())
    done = alone("source", command, "nothing")
    assert (done.code, done.out) == (3, "")
    assert f"no source 'nothing'; there are: {URL}" in done.err


def known(label: str, key: str, selector: str = "") -> KnownSource:
    one = report(label, key=key, selector=selector)
    return KnownSource(report=one, wish=SourceWish(key=key), is_served=True)


KNOWN = [
    known("https://example.org/a/flows.git", "git-1"),
    known("https://example.org/a/flows.git (branch next)", "git-1", "branch next"),
    known("https://example.org/b/flows.git", "git-2"),
    known("Reports", "git-3"),
]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("https://example.org/a/flows.git", [0]),
        ("https://EXAMPLE.org:443/a/flows.git/", [0, 1]),
        ("https://ada:pw@example.org/b/flows.git", [2]),
        ("a/flows", [0, 1]),
        ("next", [1]),
        ("reports", [3]),
    ],
)
def test_a_source_is_meant_by_its_label_its_address_or_a_part(name: str, places: Sequence[int]) -> None:
    assert pick(name, KNOWN, []) == [KNOWN[place] for place in places]


def test_a_name_that_may_mean_two_is_refused_with_both() -> None:
    with pytest.raises(InvalidInput, match=r"'flows' is more than one source: .*a/flows.*b/flows"):
        pick("flows", KNOWN, [])
    with pytest.raises(SourceNotFound):
        pick("", [], [])


@contextmanager
def served_repository(place: Path, *, every: float = 3600) -> Iterator[tuple[FixtureRepository, ServingScript]]:
    repository = FixtureRepository.create(place / "flows.git")
    repository.commit_files({"flows.py": FLOW})
    script = place / "serve.py"
    script.write_text(SCRIPT.format(url=str(repository.path), every=every))
    with serving(script, place / "home") as server:
        yield repository, server


def test_a_person_pauses_resumes_and_syncs_a_source_of_a_server_that_runs(tmp_path: Path) -> None:
    with served_repository(tmp_path) as (repository, server):
        line = CommandLine(server.home)
        deadline = monotonic() + PATIENCE
        while not (listed := line("source", "ls", "--json").json):
            assert monotonic() < deadline, "the server did not tell of its source"
        [before] = listed
        assert (before["state"], before["served"], before["follows"]) == ("ok", True, "branch main")

        pushed = repository.commit_files({"flows.py": FLOW + "\n"}, message="Change nothing")
        done = line("source", "sync", "daily", "--wait", "--json")
        assert (done.code, done.json[0]["revision"]["id"]) == (0, pushed)
        assert done.json[0]["poll"]["asked"] == "a hint"
        names = [stage["name"] for stage in done.json[0]["poll"]["stages"]]
        assert names == ["wait for its turn", "resolve", "fetch and publish", "hand on"]
        server.wait_until_said(f"now serves {pushed[:7]}")

        assert line("source", "pause", "daily").code == 0
        server.wait_until_said("is paused")
        again = repository.commit_files({"flows.py": FLOW + "\n\n"})
        assert line("source", "sync", "daily", "--wait").code == 6
        assert line("source", "resume", "daily").code == 0
        server.wait_until_said(f"now serves {again[:7]}")

        repository.set_ref("refs/heads/main", None)
        done = line("source", "sync", "--wait")
        assert (done.code, "✖ missing" in done.out) == (3, True)


def test_a_commit_that_loads_is_checked_and_shown(alone: CommandLine, tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "flows.git")
    first = repository.commit_files({"flows.py": FLOW})
    done = alone("source", "check", str(repository.path), "flows.py:greet")
    assert (done.code, done.err) == (0, "")
    for fact in ("greet loads", "description Greet somebody.", 'takes name: string = "world"', f"revision {first}"):
        assert fact in words(done.out)
    assert alone("source", "ls", "--json").json == [], "nothing was registered"


def test_a_commit_that_does_not_load_fails_with_the_reason_and_the_traceback(
    alone: CommandLine, tmp_path: Path
) -> None:
    repository = FixtureRepository.create(tmp_path / "flows.git")
    repository.commit_files({"flows.py": FLOW})
    repository.commit_files({"flows.py": "import datetim\n"}, message="Break it", branch="next")
    where = ("--branch", "next", "--cache", str(tmp_path / "cache"))
    done = alone("source", "check", str(repository.path), "flows.py:greet", *where, "--json")
    assert (done.code, done.json["loads"], done.json["rejected"]["kind"]) == (1, False, "import")
    assert "Break it: " in done.err and "No module named 'datetim'" in done.err
    assert 'File "flows.py", line 1' in done.err
    assert not (alone.home / "cache").exists()


def test_what_cannot_be_checked_says_so_by_its_code(alone: CommandLine, tmp_path: Path) -> None:
    requires("git")
    FixtureRepository.create(tmp_path / "served" / "flows.git").commit_files({"flows.py": FLOW})
    with git_server(tmp_path / "served", login=("ada", "s3cret")) as server:
        check = ("source", "check", server.url("flows.git"))
        assert alone(*check, "flows.py:greet").code == 4
        assert alone(*check, "no entrypoint").code == 2
        bucket = alone("source", "check", "memory://place", "flows.py:greet", "--branch", "main")
        assert (bucket.code, "memory://place is none" in bucket.err) == (2, True)
        server.misbehave(Refuse(status=503))
        assert alone(*check, "flows.py:greet").code == 5


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("check", "The exit code is 0 if it loads"),
        ("gc", "What deployments serve stays"),
        ("listen", "know the secret"),
    ],
)
def test_help_says_all_of_a_command_that_is_loaded_when_it_is_wanted(
    alone: CommandLine, command: str, said: str
) -> None:
    assert said in " ".join(alone("source", command, "--help").out.split())


def test_a_token_comes_from_a_variable_and_shows_nowhere(
    alone: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requires("git")
    FixtureRepository.create(tmp_path / "served" / "flows.git").commit_files({"flows.py": FLOW})
    monkeypatch.setenv("CI_TOKEN", "c4nary")
    with git_server(tmp_path / "served", login=("x-access-token", "c4nary")) as server:
        check = ("source", "check", server.url("flows.git"), "flows.py:greet", "--token-env", "CI_TOKEN")
        done = alone(*check)
        wrong = alone(*check, "--branch", "gone")
    assert (done.code, wrong.code) == (0, 3)
    assert "c4nary" not in done.out + done.err + wrong.out + wrong.err


def test_a_directory_is_checked_in_place_and_told_which_flows_it_has(alone: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOW)
    assert "flows there: greet" in alone("source", "check", str(tmp_path), "flows.py:gret").err


def test_garbage_goes_and_what_is_served_stays(alone: CommandLine, tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "flows.git")
    source = GitRepository(repository.path)
    cache = SnapshotCache(alone.home / "cache")

    async def publish(number: int) -> Revision:
        files: dict[str, str | bytes] = {"flows.py": FLOW, "data.bin": bytes([number]) * 100_000}
        repository.commit_files(files, message=f"Step {number}")
        return (await cache.ensure(source, await source.resolve())).revision

    first, *_ = [anyio.run(publish, number) for number in range(4)]
    told(alone, replace(report(), key=source.key), active=first)
    kept = alone("source", "gc")
    assert (kept.code, kept.out) == (0, "")
    assert "Removed 0 revisions" in kept.err
    done = alone("source", "gc", "--keep", "1", "--keep-days", "0", "--json")
    assert [gone["revision"]["subject"] for gone in done.json["removed"]] == ["Step 2", "Step 1"]
    assert done.json["removed"][0]["source"] == URL
    assert done.json["freed_bytes"] >= 200_000
    assert alone("source", "gc", "--keep", "-1").code == 2
    assert size_text(0) == "0.0 KiB"


def test_the_door_for_webhooks_is_opened_and_closed_as_a_service(alone: CommandLine) -> None:
    environ = {"FLOWSOURCE_WEBHOOK_SECRET": "a secret of nobody"}
    with alone.start("source", "listen", "--port", "0", environ=environ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.terminate()
        rest = process.stderr.read()
    assert re.match(r"Taking webhooks at http://127\.0\.0\.1:\d+/webhooks; Ctrl-C stops it\.\n", said)
    assert (process.returncode, rest) == (0, "Stopped.\n")
    refused = alone("source", "listen", "--secret-file", "/nowhere")
    assert (refused.code, "/nowhere cannot be read" in refused.err) == (2, True)
