"""The pages of the dashboard, over real HTTP: what they say, and to whom; what others wrote steers none of them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from flowsource.deployments import FlowFacts, Rejection
from flowsource.event_names import NAME
from flowsource.events import Event
from flowsource.promotions import Author
from flowsource.revisions import Revision
from flowsource.runs import Cause, Failure, Run, RunState
from flowsource.schedules import Interval
from flowsource.server.pages.causes import Because, because
from flowsource.server.pages.durations import plot
from flowsource.server.pages.links import commit_link
from flowsource.server.pages.run import phases
from flowsource.server.pages.runs import timeline
from flowsource.server.pages.strips import strip
from flowsource.store import open_store
from flowsource.store.protocol import Store
from flowsource.store.values import Outcome, RunGlimpse
from flowsource.triggers import EventTrigger
from tests.server.serving import Served, served
from tests.store.source_contract import REPORT
from tests.store.words import HOUR, Server, end, registration, reject
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
SECOND = timedelta(seconds=1)
# What somebody may call a run, a tag, a commit or an error.
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{ 1234 * 1234 }}"
PAGES = ("/", "/runs", "/runs?query=state:failed", "/deployments/etl/nightly", "/sources", "/runners", "/events")
BROWSER = {"accept": "text/html"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'flowsource.db'}") as store:
        yield store


@pytest.fixture
async def server(store: Store) -> AsyncIterator[Served]:
    async with served(store) as server:
        yield server


@pytest.fixture
async def visitor(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of an operator."""
    shown = {"authorization": f"Bearer {await server.token('anna', 'operator')}", **BROWSER}
    async with httpx.AsyncClient(base_url=server.url, headers=shown, timeout=PATIENCE) as client:
        yield client


async def runner_of(store: Store, *, subject: str = "fix totals", tags: tuple[str, ...] = ("etl",)) -> Server:
    """A runner that serves `etl/nightly`, hourly."""
    new = registration(
        schedules=(Interval(HOUR, NOW),),
        source_key=REPORT.key,
        tags=tags,
        active=Revision(id="3f2a91c" + "0" * 33, subject=subject, author=subject, committed_at=NOW - HOUR),
    )
    runner_id = uuid4()
    facts = FlowFacts(name="etl", description=subject, parameter_schema={"type": "object", "properties": {}})
    deployments = await store.register(runner_id, [replace(new, facts=facts)], lease_until=NOW + HOUR, now=NOW)
    await store.report_sources([REPORT])
    return Server(store, runner_id, deployments)


async def failed_run(runner: Server, *, message: str = "no totals") -> Run:
    """A run that began and failed."""
    await runner.ask(at=NOW - SECOND)
    run = await runner.start_one(now=NOW)
    failure = Failure(kind="ValueError", message=message, traceback=f"Traceback of {message}")
    return await end(runner.store, run, Outcome(state=RunState.FAILED, failure=failure), now=NOW + SECOND)


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of that name."""
        return [attributes for name, attributes in self.found if name == tag]


async def test_a_page_says_what_is_served_at_which_commit_and_how_it_went(
    store: Store, visitor: httpx.AsyncClient
) -> None:
    runner = await runner_of(store)
    run = await failed_run(runner)

    overview = Elements((await visitor.get("/")).text).text
    assert "etl/nightly" in overview
    assert "3f2a91c fix totals" in " ".join(overview.split())
    assert run.name in overview
    assert "failed" in overview

    listed = Elements((await visitor.get("/runs?query=state:failed")).text).text
    assert run.name in listed
    assert "1 run" in listed

    of_run = Elements((await visitor.get(f"/runs/{run.id}")).text).text
    assert "ValueError: no totals" in of_run
    assert "Traceback of no totals" in of_run

    of_deployment = Elements((await visitor.get("/deployments/etl/nightly")).text).text
    assert "every hour" in of_deployment
    assert "Pause" in of_deployment


async def test_a_run_says_in_words_what_wanted_it(store: Store, visitor: httpx.AsyncClient) -> None:
    runner = await runner_of(store)
    [schedule] = await store.schedules([runner.deployment.id])
    [run] = await store.create_scheduled(runner.deployment.id, schedule.key, [NOW], cursor=NOW, now=NOW)

    of_run = Elements((await visitor.get(f"/runs/{run.id}")).text).text
    assert "its schedule, every hour" in of_run
    assert schedule.key not in of_run

    await store.remove_schedule(runner.deployment.id, schedule.key, Author("anna"), now=NOW)
    assert f"the schedule {schedule.key}, which is gone" in Elements((await visitor.get(f"/runs/{run.id}")).text).text


def test_a_run_of_a_trigger_says_which_event_made_it_fire() -> None:
    event = Event(seq=7, id=uuid4(), at=NOW, name="order.created", resource={NAME: "17"}, run_id=uuid4())
    run = replace(a_run(0, 1), cause=Cause(trigger="order.created of any", event=event, chain=("a/b", "c/d")))

    assert because(run, []) == Because(
        "the trigger order.created of any, through a/b → c/d", "order.created of 17", NOW, f"/runs/{event.run_id}"
    )
    assert because(replace(run, cause=None, parent_id=uuid4()), []).text == "it was asked for by the run"


async def test_a_revision_that_does_not_load_is_told_once_whoever_follows_it(
    store: Store, visitor: httpx.AsyncClient
) -> None:
    bad = Rejection(revision=Revision(id="9" * 40, subject="break it"), kind="import", message="no", details="", at=NOW)
    new = [registration(name, source_key=REPORT.key) for name in ("a", "b", "c", "d", "e")]
    deployments = await store.register(uuid4(), new, lease_until=NOW + HOUR, now=NOW)
    await reject(store, deployments[0], bad)
    [alone] = Elements((await visitor.get("/")).text).of("li")
    assert alone["id"] == f"attention-deployment-{deployments[0].id}"
    for deployment in deployments[1:]:
        await reject(store, deployment, bad)

    page = Elements((await visitor.get("/")).text)

    assert [one["id"] for one in page.of("li")] == [f"attention-revision-{bad.revision.id}"]
    told = " ".join(page.text.split())
    assert "9999999 break it does not load (no); what served before goes on: etl/a, etl/b, etl/c and 2 more" in told


async def test_of_many_deployments_some_are_shown_and_all_are_looked_at(
    store: Store, visitor: httpx.AsyncClient
) -> None:
    new = [registration(f"d{number:02}", source_key=REPORT.key) for number in range(32)]
    runner = Server(store, uuid4(), await store.register(uuid4(), new, lease_until=NOW + HOUR, now=NOW))
    last = runner.deployments[-1]
    await reject(
        store, last, Rejection(revision=Revision(id="9" * 40), kind="import", message="no", details="", at=NOW)
    )

    first = Elements((await visitor.get("/")).text)
    assert "etl/d29" in first.text
    assert "etl/d30" not in first.text
    assert [one["id"] for one in first.of("li")] == [f"attention-deployment-{last.id}"]
    [more] = [link["href"] for link in first.of("a") if "after=" in (link["href"] or "")]
    second = Elements((await visitor.get(more or "")).text).text
    assert "etl/d30" in second
    assert "etl/d29" not in second

    assert "etl/d30" not in Elements((await visitor.get("/?query=name:d31")).text).text
    assert "No deployment is like this" in (await visitor.get("/?query=tag:none")).text
    assert (await visitor.get("/?query=colour:red")).status_code == 422


async def test_what_runs_on_events_says_so_whoever_added_the_trigger(store: Store, visitor: httpx.AsyncClient) -> None:
    [asked] = await store.register(uuid4(), [registration()], lease_until=NOW + HOUR, now=NOW)
    assert "on request" in Elements((await visitor.get("/")).text).text

    await store.add_trigger(asked.id, EventTrigger(expect="order.paid"), Author("anna"), now=NOW)
    assert "on events" in Elements((await visitor.get("/")).text).text


async def test_pages_and_their_dress_come_packed_to_whoever_can_unpack_them(
    store: Store, visitor: httpx.AsyncClient
) -> None:
    await failed_run(await runner_of(store))
    style = re.search(r'href="(/static/[^"]+\.css)"', (await visitor.get("/")).text)
    assert style is not None

    for path in ("/runs", style[1]):
        packed = await visitor.get(path)
        plain = await visitor.get(path, headers={"accept-encoding": "gzip;q=0, identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        assert int(packed.headers["content-length"]) * 2 < len(plain.content), path


async def test_every_page_is_text_or_json_too(store: Store, visitor: httpx.AsyncClient) -> None:
    runner = await runner_of(store)
    run = await failed_run(runner)

    for path in (*PAGES, f"/runs/{run.id}"):
        *_, text, data = [link["href"] or "" for link in Elements((await visitor.get(path)).text).of("a")]
        assert (".txt" in text, ".json" in data) == (True, True), path
        said = await visitor.get(text)
        assert said.status_code == 200, path
        assert said.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await visitor.get(data)).headers["content-type"] == "application/json", path
        if "runs" in path:
            assert run.name in said.text
        if "deployments" in path:
            assert "every hour" in said.text

    assert (await visitor.get(f"/runs/{run.id}.json")).json()["steps"]
    assert (await visitor.get("/runs.json?query=state:completed")).json() == {"items": [], "next": None}
    assert (await visitor.get("/events.json?names=deployment.*")).json()


async def test_a_deployment_may_be_called_as_a_twin_ends(store: Store, visitor: httpx.AsyncClient) -> None:
    await store.register(uuid4(), [registration("a.json")], lease_until=NOW + HOUR, now=NOW)

    assert "<h1>etl/a.json</h1>" in (await visitor.get("/deployments/etl/a.json")).text
    assert (await visitor.get("/deployments/etl/a.json.json")).json()["name"] == "etl/a.json"
    assert (await visitor.get("/deployments/etl/b.json")).status_code == 404


async def test_whoever_is_not_in_is_told_how_to_come_in(server: Served) -> None:
    async with httpx.AsyncClient(base_url=server.url, headers=BROWSER, timeout=PATIENCE) as stranger:
        for path in (*PAGES, f"/runs/{uuid4()}"):
            answer = await stranger.get(path)
            assert answer.status_code == 401, path
            assert "flowsource dashboard" in answer.text
        style = re.search(r'href="(/static/[^"]+\.css)"', answer.text)
        assert style is not None
        assert (await stranger.get(style[1])).headers["content-type"] == "text/css; charset=utf-8"


async def test_what_is_not_there_has_a_page_that_says_so(visitor: httpx.AsyncClient) -> None:
    for path in (f"/runs/{uuid4()}", "/deployments/no/such", "/nowhere", "/runs/nonsense", "/static/0/style.css"):
        answer = await visitor.get(path)
        assert answer.status_code == 404
        assert "Back to the overview" in answer.text
    there = await visitor.get("/deployments/no/such")
    assert "<code data-copy>flowsource deployments ls</code> lists" in there.text


async def test_a_fault_is_told_by_a_page_that_offers_to_try_again(
    store: Store, visitor: httpx.AsyncClient, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "flowsource.db")) as connection:
        connection.execute("ALTER TABLE sources RENAME TO elsewhere")
    answer = await visitor.get("/sources?a=%22")

    assert answer.status_code >= 500
    assert "/sources?a=%22" in [link["href"] for link in Elements(answer.text).of("a")]


async def test_a_query_that_cannot_be_read_says_what_is_wrong(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/runs?query=state:nonsense")

    assert answer.status_code == 422
    assert "there are scheduled, claimed" in Elements(answer.text).text


async def test_a_page_without_anything_shows_the_command_that_fills_it(visitor: httpx.AsyncClient) -> None:
    assert "serve(name=" in (await visitor.get("/")).text
    assert "flowsource run" in (await visitor.get("/runs")).text
    assert "from_source(" in (await visitor.get("/sources")).text


async def test_what_others_wrote_is_text_and_nothing_else(store: Store, visitor: httpx.AsyncClient) -> None:
    runner = await runner_of(store, subject=HOSTILE, tags=(HOSTILE,))
    run = await failed_run(runner, message=HOSTILE)
    await store.rename(run.id, run.epoch, HOSTILE)
    await reject(
        store,
        runner.deployment,
        Rejection(
            revision=Revision(id="9" * 40, subject=HOSTILE), kind="import", message=HOSTILE, details=HOSTILE, at=NOW
        ),
    )

    for path in (*PAGES, f"/runs/{run.id}"):
        page = Elements((await visitor.get(path)).text)
        assert page.of("img") == [], path
        assert all(str(script["src"]).startswith("/static/") for script in page.of("script")), path
        assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")], path
        assert str(1234 * 1234) not in page.text, path
    assert HOSTILE in Elements((await visitor.get(f"/runs/{run.id}")).text).text


async def test_pages_run_no_script_or_style_of_their_text_and_ask_nobody_else(
    store: Store, visitor: httpx.AsyncClient
) -> None:
    run = await failed_run(await runner_of(store))

    for path in (*PAGES, f"/runs/{run.id}"):
        answer = await visitor.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        page = Elements(answer.text)
        assert page.of("style") == []
        assert not [name for _, attributes in page.found for name in attributes if name == "style"]
        assert all(element["src"] for element in page.of("script"))


async def test_a_viewer_is_offered_nothing_that_he_may_not_do(store: Store, server: Served) -> None:
    await runner_of(store)
    shown = {"authorization": f"Bearer {await server.token('eve', 'viewer')}", **BROWSER}
    async with httpx.AsyncClient(base_url=server.url, headers=shown, timeout=PATIENCE) as viewer:
        for path in PAGES:
            page = Elements((await viewer.get(path)).text)
            assert not [button for button in page.of("button") if "data-post" in button], path


def a_run(began: float | None, took: float | None, state: RunState = RunState.COMPLETED) -> Run:
    started_at = NOW + began * SECOND if began is not None else None
    return Run(
        id=uuid4(),
        name="one",
        deployment_id=uuid4(),
        deployment="etl/nightly",
        state=state,
        scheduled_at=NOW,
        due_at=NOW,
        created_at=NOW,
        changed_at=NOW,
        started_at=started_at,
        ended_at=started_at + took * SECOND if started_at is not None and took is not None else None,
    )


def test_runs_that_overlap_are_in_lanes_of_their_own() -> None:
    first, second, third = a_run(0, 10), a_run(5, 10), a_run(12, 8)

    drawn = timeline([third, second, first, a_run(None, None, RunState.SCHEDULED)], now=NOW)

    places = {bar.id: (bar.x, bar.y, bar.width) for bar in drawn.bars}
    assert places == {first.id: (0, 0, 500), second.id: (250, 12, 500), third.id: (600, 0, 400)}
    assert (drawn.begin, drawn.end) == (NOW, NOW + 20 * SECOND)


def test_without_any_that_began_there_is_nothing_to_draw() -> None:
    assert timeline([a_run(None, None, RunState.SCHEDULED)], now=NOW).bars == ()
    assert phases([], now=NOW) == []


def glimpse(took: float | None, state: RunState = RunState.COMPLETED) -> RunGlimpse:
    ended_at = NOW + took * SECOND if took is not None else None
    return RunGlimpse(id=uuid4(), name="one", state=state, scheduled_at=NOW, started_at=NOW, ended_at=ended_at)


def test_the_last_runs_stand_at_the_right_of_their_strip_as_tall_as_they_took_long() -> None:
    drawn = Elements(strip([glimpse(5), glimpse(10, RunState.FAILED)], root="/at", places=4, now=NOW))

    bars = [(bar["class"], bar["x"], bar["y"], bar["height"]) for bar in drawn.of("rect")]
    assert bars == [("good", "14", "9.5", "10.5"), ("bad", "21", "2.0", "18.0")]
    assert "one: failed, 10 s" in drawn.text
    assert all((link["href"] or "").startswith("/at/runs/") for link in drawn.of("a"))
    assert Elements(strip([], root="", places=4, now=NOW)).of("rect") == []


def test_runs_are_plotted_as_tall_as_they_took_long() -> None:
    waiting = replace(glimpse(None, RunState.SCHEDULED), started_at=None)
    drawn = plot([glimpse(2), glimpse(4), waiting, glimpse(8, RunState.FAILED), glimpse(0)], now=NOW)

    assert drawn is not None
    assert [(bar.x, bar.y, bar.tall) for bar in drawn.bars] == [
        *((160, 75, 25), (170, 50, 50)),
        *((180, 0, 100), (190, 98.5, 1.5)),
    ]
    # Few of them stand to the right of a plot for twenty.
    assert drawn.width == 200
    assert (drawn.top, drawn.median, drawn.median_y) == ("8.00 s", "2.00 s", 75)
    assert "failed" in drawn.bars[2].title
    assert plot([waiting], now=NOW) is None
    going = plot([glimpse(None, RunState.RUNNING)], now=NOW + SECOND)
    assert going is not None
    assert (going.top, going.median) == ("1.00 s", "")


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://github.com/acme/flows.git", "https://github.com/acme/flows/commit/abc"),
        ("https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c/-/commit/abc"),
        ("ssh://git@codeberg.org/acme/flows.git", "https://codeberg.org/acme/flows/commit/abc"),
        ("https://git.example.org/acme/flows", None),
        ("http://github.com/acme/flows", None),
        ("javascript://github.com/%0aalert(1)", None),
        ("https://[github.com/acme/flows", None),
        ("", None),
        (None, None),
    ],
)
def test_a_commit_leads_to_forges_that_are_known_and_nowhere_else(address: str | None, link: str | None) -> None:
    assert commit_link(address, "abc") == link
