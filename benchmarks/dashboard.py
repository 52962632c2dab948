"""How soon each page of the dashboard is seen in a browser, what it weighs, and how a long log is read in it.

python -m benchmarks.dashboard [RUNS [LINES]]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.finding_runs import fill
from benchmarks.log_lines import fill as fill_log
from benchmarks.measure import percentile, print_table
from benchmarks.processes import cpu_of
from benchmarks.serving import HttpServer, server_started
from flowsource.store import open_store

RUNS = 100_000
LINES = 1_000_000
DEPLOYMENTS = 500
ROUNDS = 15
TABS = 20
SECONDS = 20.0
SCROLL_SECONDS = 10.0
# What the browser says of a page that it has shown: when it was, and what the page weighs, packed and not.
_SEEN = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return [paint?.startTime ?? null, page.encodedBodySize, page.decodedBodySize];
}"""
# When the first line of the log was there.
_FIRST_LINE = """() => new Promise((resolve) => {
    const look = () => document.querySelector(".line") ? resolve(performance.now()) : requestAnimationFrame(look);
    look();
})"""
# Up through the log, as fast as a person turns a wheel: the time from each frame to the next.
_SCROLL = """(seconds) => new Promise((resolve) => {
    const box = document.querySelector(".lines");
    const frames = [];
    const end = performance.now() + 1000 * seconds;
    let last = performance.now();
    const go = (now) => {
        frames.push(now - last);
        last = now;
        box.scrollTop -= 120;
        if (now < end) requestAnimationFrame(go);
        else resolve([frames.slice(1), document.querySelectorAll(".line").length]);
    };
    requestAnimationFrame(go);
})"""


def main() -> None:
    """Fill a store, serve it, look at it, and print the tables."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else LINES
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        file = place / "flowsource.db"
        fill(file, runs, deployments=DEPLOYMENTS, now=datetime.now(UTC))
        address = f"sqlite:///{file}"
        run = anyio.run(_written, address, place, lines)
        with server_started(place / "home", address) as server, _browser() as browser:
            _pages(browser, server, run, f"{runs:,} runs of {DEPLOYMENTS} deployments, {ROUNDS} rounds")
            _log(browser, server, run, f"A log of {lines:,} lines")
            _tabs(browser, server)


async def _written(address: str, place: Path, lines: int) -> str:
    """The run that wrote the log: the newest."""
    async with open_store(address) as store:
        [run] = await store.runs(limit=1)
        await fill_log(store, run.id, place / "log", lines)
        return str(run.id)


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        yield playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])


def _came_in(browser: Browser, server: HttpServer) -> BrowserContext:
    """A browser of an administrator, with an empty cache."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {server.token}"}) as client:
        path = client.post("/session/links").json()["path"]
    page = context.new_page()
    page.goto(path)
    page.close()
    return context


def _pages(browser: Browser, server: HttpServer, run: str, title: str) -> None:
    context = _came_in(browser, server)
    page = context.new_page()
    paths = ("/", "/runs", "/runs?query=state:failed", f"/runs/{run}", "/deployments/etl/d1", "/sources", "/runners")
    rows = []
    for path in (*paths, "/events"):
        seen: list[tuple[float, int, int]] = []
        server_before, rounds = cpu_of(server.pid), ROUNDS
        for _ in range(rounds + 1):
            page.goto(path)
            seen.append(_seen(page))
        # The first of all brings the assets.
        paints = [paint for paint, _, _ in seen[1:]]
        cpu = (cpu_of(server.pid) - server_before) / (rounds + 1)
        _, packed, whole = seen[-1]
        named = path.replace(run, "ID")
        ms = [f"{one:.0f}" for one in (seen[0][0], median(paints), percentile(paints, 95), cpu * 1000)]
        rows.append([named, *ms, f"{packed / 1000:.1f}", f"{whole / 1000:.1f}"])
    context.close()
    print_table(title, ["page", "first ms", "p50 ms", "p95 ms", "CPU ms", "packed kB", "whole kB"], rows)


def _seen(page: Page) -> tuple[float, int, int]:
    deadline = time.monotonic() + 10
    while True:
        paint, packed, whole = page.evaluate(_SEEN)
        if paint is not None:
            return paint, packed, whole
        if time.monotonic() > deadline:
            raise RuntimeError(f"{page.url} was not painted")
        time.sleep(0.01)


def _log(browser: Browser, server: HttpServer, run: str, title: str) -> None:
    context = _came_in(browser, server)
    firsts = []
    for _ in range(ROUNDS):
        page = context.new_page()
        page.goto(f"/runs/{run}", wait_until="commit")
        firsts.append(float(page.evaluate(_FIRST_LINE)))
        page.close()
    page = context.new_page()
    page.goto(f"/runs/{run}")
    page.evaluate(_FIRST_LINE)
    before = _memory(page)
    frames, kept = page.evaluate(_SCROLL, SCROLL_SECONDS)
    rows = [
        ["first line, median", f"{median(firsts):.0f} ms"],
        ["first line, 95th", f"{percentile(firsts, 95):.0f} ms"],
        ["memory of its scripts, at first", f"{before:.1f} MB"],
        [f"the same after {SCROLL_SECONDS:g} s of scrolling up", f"{_memory(page):.1f} MB"],
        ["lines that are kept in the page then", f"{kept}"],
        ["frame of scrolling, median", f"{median(frames):.0f} ms"],
        ["frame of scrolling, 99th", f"{percentile(frames, 99):.0f} ms"],
        ["longest frame", f"{max(frames):.0f} ms"],
        *_found(page),
    ]
    context.close()
    print_table(title, ["what", ""], rows)


def _found(page: Page) -> Sequence[Sequence[str]]:
    """How long it takes to find the one error of three quarters, and a text that is in one line of 10,000."""
    began = time.perf_counter()
    page.get_by_role("button", name="First error").click()
    page.locator(".line.is-marked").wait_for(timeout=60_000)
    error = time.perf_counter() - began
    began = time.perf_counter()
    page.get_by_label("Search all lines").fill("needle in the hay")
    page.get_by_label("Search all lines").press("Enter")
    page.locator(".line mark").first.wait_for(timeout=60_000)
    text = time.perf_counter() - began
    return [["first error, three quarters in", f"{error:.2f} s"], ["50 lines with a text, of 100", f"{text:.2f} s"]]


def _memory(page: Page) -> float:
    """MB that the scripts of a page have, once what is unused is gone."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    told: dict[str, Any] = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return float(told["JSHeapUsedSize"]) / 1e6


def _tabs(browser: Browser, server: HttpServer) -> None:
    """What the server needs for tabs that are looked at, while nothing happens."""
    contexts = [_came_in(browser, server) for _ in range(TABS)]
    for context in contexts:
        context.new_page().goto("/")
    # Each was made anew once, as its stream began.
    time.sleep(5)
    before = cpu_of(server.pid)
    time.sleep(SECONDS)
    used = (cpu_of(server.pid) - before) / SECONDS
    print_table(f"{TABS} windows with the overview, for {SECONDS:g} s", ["what", ""], [["CPU %", f"{100 * used:.2f}"]])
    for context in contexts:
        context.close()


if __name__ == "__main__":
    main()
