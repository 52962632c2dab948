"""What listings look like, kept in tests/cli/golden; `python -m tests.cli.goldens` writes it anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import anyio

from flowsource.deployments import Rejection
from flowsource.events import new_event
from flowsource.runs import Failure, RunState
from flowsource.schedules import Cron
from flowsource.source_status import Poll, SourceState, SourceStatus, Stage
from flowsource.store import open_store
from flowsource.store.values import NewRun, Outcome, RunnerInfo, SourceReport
from flowsource.tokens import Token, digest_of
from flowsource.triggers import EventTrigger
from tests.cli.calling import CommandLine
from tests.cli.terminal import shown_by
from tests.store.words import ANNA, FIRST, HOURLY, MINUTE, NOW, SECOND, SECOND_REVISION, lines, registration, reject
from tests.store.words import start as start_run

PLACE = Path(__file__).parent / "golden"
COMMANDS = (
    "runs ls",
    "runs show failed-otter",
    "logs failed-otter",
    "why waiting-otter",
    "deployments ls",
    "deployments show etl/nightly",
    "deployments history etl/nightly",
    "schedules ls",
    "schedules next -n 3",
    "triggers ls",
    "events ls --limit 6",
    "source ls",
    "runners ls",
    "tokens ls",
)
LATER = NOW + 5 * MINUTE
_COLUMNS = 80
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?\b")


def fill(home: Path) -> None:
    """Make a memory at `home` that has some of everything, always the same but for ids."""
    anyio.run(_fill, home)


def shown(home: Path, command: str) -> str:
    """What `command` shows in a pipe, on a terminal, and on one without colours."""
    command_line = CommandLine(home)
    words = [sys.executable, "-m", "tests.cli.frozen", LATER.isoformat(), *command.split()]
    place = {"TZ": "UTC", "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
    environ = {name: value for name, value in command_line.environ().items() if name not in ("COLUMNS", "NO_COLOR")}
    environ |= place
    piped = subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout
    assert "\x1b" not in piped, "a pipe has colours"
    parts = {
        "in a pipe": piped,
        "on a terminal": shown_by(words, environ, columns=_COLUMNS),
        "on a terminal, with NO_COLOR": shown_by(words, {**environ, "NO_COLOR": "1"}, columns=_COLUMNS),
    }
    text = "".join(f"== {name}\n{part}" for name, part in parts.items())
    return _ID.sub(lambda found: re.sub("[0-9a-f]", "0", found[0]), text).replace("\x1b", "␛")


def file_of(command: str) -> Path:
    """Where it is kept."""
    return PLACE / f"{command.replace('/', ' ').replace(' ', '-')}.txt"


async def _fill(home: Path) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    runner = UUID(int=7)
    async with open_store(f"sqlite:///{home}/flowsource.db") as store:
        nightly = registration(
            schedules=(HOURLY, Cron("0 2 * * *", "Europe/Berlin")),
            tags=("etl",),
            triggers=(EventTrigger(expect={"order.created"}),),
            parameters={"day": "monday"},
        )
        info = RunnerInfo(host="athena", pid=4711, version="1.0", started_at=NOW, limit=2)
        registered = await store.register(
            runner, [nightly, registration("weekly", flow="report")], lease_until=NOW + 60 * MINUTE, now=NOW, info=info
        )
        etl, report = registered
        ids = [one.id for one in registered]
        for name, at in (("done-otter", NOW), ("failed-otter", NOW + MINUTE)):
            await store.create_run(NewRun(deployment_id=etl.id, scheduled_at=at, name=name, tags=("etl",)), now=at)
            [run] = (await store.claim(runner, ids, limit=1, now=at)).runs
            run = await start_run(store, run, now=at)
            outcome = Outcome(state=RunState.COMPLETED, has_result=True, result={"rows": 3})
            if name == "failed-otter":
                failure = Failure(kind="ValueError", message="no such day", traceback="Traceback: ...\n")
                outcome = Outcome(state=RunState.FAILED, failure=failure)
            await store.finish(
                run.id, run.epoch, outcome, at=at + 30 * SECOND, transition_id=uuid4(), lines=lines(1, 2)
            )
        await store.create_run(
            NewRun(deployment_id=report.id, scheduled_at=NOW + 30 * MINUTE, name="waiting-otter"), now=NOW + 2 * MINUTE
        )
        await store.set_paused(report.id, True, author=ANNA, now=NOW + 2 * MINUTE)
        bad = Rejection(
            revision=SECOND_REVISION, kind="import", message="no module", details="Traceback: ...", at=NOW + 3 * MINUTE
        )
        await reject(store, etl, bad)
        await store.emit([new_event("order.created", {"id": 7}, at=NOW + 3 * MINUTE)])
        stage = Stage(name="ask", took=timedelta(seconds=0.2), outcome="ok")
        poll = Poll(
            at=NOW + 4 * MINUTE, asked="interval", took=timedelta(seconds=0.2), stages=(stage,), found="nothing new"
        )
        status = SourceStatus(label="team/flows", state=SourceState.OK, since=NOW, next_try_at=NOW + 6 * MINUTE)
        await store.report_sources(
            [SourceReport(key="key", selector="", address="https://h/r", status=status, revision=FIRST, poll=poll)]
        )
        token = Token(id=uuid4(), name="ci", scopes=("viewer",), created_at=NOW, used_at=None)
        await store.create_token(token, digest_of("ci"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        fill(Path(home))
        for command in COMMANDS:
            file_of(command).write_text(shown(Path(home), command), encoding="utf-8")
