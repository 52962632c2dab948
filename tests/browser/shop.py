"""A shop that has something on each page of the dashboard: flows in a Git repository, pushes, and runs of all kinds.

What is pushed last does not load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from flowsource.demo.repository import FixtureRepository
from flowsource.demo.server import serve_repository
from tests.cli.calling import CommandLine
from tests.support.serving import ServingScript, serving
from tests.support.waiting import until_so

FLOWS = '''
import time
from datetime import date
from typing import Literal

from pydantic import BaseModel

from flowsource import flow, get_run_logger, run_deployment


class Limits(BaseModel):
    """How far to go."""

    rows: int = 1000
    regions: list[str] = ["eu"]


@flow(log_prints=True)
def etl(day: date = date(2026, 11, 21), kind: Literal["orders", "stock", "prices"] = "orders", dry_run: bool = False,
        limits: Limits = Limits()):
    """Load the totals of a day."""
    log = get_run_logger()
    log.info("loading %s of %s", kind, day)
    for number in range(40):
        print(f"row {number:>4}  \\x1b[32mok\\x1b[0m")
        time.sleep(0.005)
    if kind == "stock":
        log.warning("the stock of 3 articles is not known")
    if kind == "prices":
        log.error("no prices for %s", day)
        raise ValueError(f"no prices for {day}: the file prices-{day}.csv is empty")
    return {"rows": 40, "kind": kind}


@flow(log_prints=True)
def ping(host: str = "shop.example.org"):
    """See whether the shop answers."""
    print("asking", host)
    return "pong"


@flow(log_prints=True)
def month_end(month: str = "2026-11"):
    """Load all that a month needs, one after the other."""
    for kind in ("orders", "stock"):
        print("asking for", kind)
        run_deployment("etl/nightly", {"kind": kind}, timeout=120)
    return month


@flow(log_prints=True)
def reindex(shards: int = 8):
    """Build the search index anew."""
    for number in range(10000):
        print(f"shard {number % shards}: {number} documents")
        time.sleep(0.3)
'''

SCRIPT = """
from flowsource import Cron, EventTrigger, GitRepository, flow, serve

if __name__ == "__main__":
    source = GitRepository({url!r}, branch="main", pull_interval=1)

    def of(name):
        return flow.from_source(source, f"flows.py:{{name}}")

    serve(
        of("etl").to_deployment("nightly", schedules=[Cron("0 2 * * *", "Europe/Berlin")], tags=["etl", "totals"]),
        of("ping").to_deployment("every-minute", interval=60, tags=["watch"]),
        of("month_end").to_deployment("books", cron="0 6 1 * *", tags=["etl"]),
        of("reindex").to_deployment("search", triggers=[EventTrigger(expect=["shop.closed"])]),
        limit=8,
    )
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop that is open."""

    served: ServingScript
    say: CommandLine


@contextmanager
def shop(place: Path) -> Iterator[Shop]:
    """One in the empty directory `place`, while the context is open."""
    bare = FixtureRepository.create(place / "shop.git")
    bare.commit_files({"flows.py": FLOWS}, message="Load orders, stock and prices")
    script = place / "code" / "serve_all.py"
    script.parent.mkdir()
    with serve_repository(bare.path) as remote:
        script.write_text(dedent(SCRIPT).format(url=remote.url))
        with serving(script, place / "home") as served:
            say = CommandLine(served.home)
            _trade(say, bare)
            yield Shop(served, say)


def _trade(say: CommandLine, bare: FixtureRepository) -> None:
    for words in (
        ("etl/nightly",),
        ("etl/nightly", "-p", "kind=prices"),
        ("etl/nightly", "-p", "kind=stock"),
        ("month-end/books",),
        *[("ping/every-minute",)] * 5,
    ):
        say.run("run", *words, "--watch")
    bare.commit_files({"flows.py": FLOWS + "\n# faster\n"}, message="Load prices faster")
    until_so(lambda: "Load prices faster" in say.run("deployments", "show", "etl/nightly").out)
    say.run("run", "etl/nightly", "--watch")
    bare.commit_files({"flows.py": FLOWS + "\nimport pandas_of_tomorrow\n"}, message="Use the pandas of tomorrow")
    until_so(lambda: "pandas_of_tomorrow" in say.run("deployments", "show", "etl/nightly").out)
    say.run("deployments", "pause", "month-end/books")
    say.run("run", "reindex/search")
