"""What a serving process says to the person who started it: one line each, on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from typing import TextIO

from flowsource.deployments import Deployment
from flowsource.promotions import Outcome
from flowsource.runner.news import News, news, standing_news
from flowsource.runner.writer import Writer
from flowsource.runs import Run, RunState
from flowsource.source_status import SourceState, SourceStatus
from flowsource.store.protocol import LogLine
from flowsource.text import MARKS, painted, printable, revision_text


class Terminal:
    """Writes to `stream`; in colour on a terminal that shows it. `is_quiet` leaves out the starting message.

    No method waits for whoever reads it, or fails because nobody does. Close it at the end, so that the last words are
    heard.
    """

    def __init__(self, stream: TextIO | None = None, *, is_quiet: bool = False) -> None:
        # There is none where the process was started with standard error closed.
        self._stream: TextIO = stream or sys.stderr or _Nowhere()
        self._writer = Writer(self._stream)
        self._is_quiet = is_quiet

    def close(self) -> None:
        """Write what was said and is not written yet; for a second at most."""
        self._writer.close()

    def started(self, deployments: Sequence[Deployment]) -> None:
        """What is served, from where, and how to ask for a run."""
        if self._is_quiet:
            return
        count = "1 deployment" if len(deployments) == 1 else f"{len(deployments)} deployments"
        self._writer.write(f"{self._paint('flowsource', '1')} serves {count}; Ctrl-C stops it.\n")
        width = max(len(deployment.full_name) for deployment in deployments)
        for deployment in deployments:
            self._writer.write(f"  {deployment.full_name:<{width}}  {_when(deployment)}")
            serves = printable(revision_text(deployment.active))
            self._writer.write(f"  {'':<{width}}  {serves}  from {deployment.declared.source_label}")
            for told in standing_news(deployment):
                self._tell(told)
        self._writer.write(f"\nAsk for a run:  flowsource run '{deployments[0].full_name}' --watch\n")

    def run_started(self, run: Run) -> None:
        """A run has a process now."""
        revision = f" at {run.revision.short}" if run.revision else ""
        self._state(run, RunState.RUNNING, f"{run.deployment} started{revision}")

    def run_ended(self, run: Run) -> None:
        """A run reached its final state."""
        took = ""
        if run.started_at and run.ended_at:
            took = f" after {(run.ended_at - run.started_at).total_seconds():.2f} s"
        why = f": {run.failure.kind}: {run.failure.message}" if run.failure else ""
        self._state(run, run.state, f"{run.deployment} {run.state.replace('_', ' ')}{took}{why}")

    def line(self, run_name: str, line: LogLine) -> None:
        """A line of a run's log."""
        level = "" if line.logger is None else f"{logging.getLevelName(line.level):<8}"
        self._writer.write(f"{_clock(line.at)}  {self._paint(run_name, '2')}  {level}{printable(line.text)}")

    def deployment_changed(
        self, before: Deployment, after: Deployment, outcome: Outcome | None, *, in_place: bool
    ) -> None:
        """A deployment is not as it was, whoever changed it."""
        for told in news(before, after, outcome, in_place=in_place):
            self._tell(told)

    def source_changed(self, before: SourceStatus, after: SourceStatus) -> None:
        """A source went out of order, or is back, or a person paused it."""
        if after.state is SourceState.PAUSED:
            self._say("⊘", "33", f"source {after.label} is paused: what is new there is not looked for")
        elif before.state is SourceState.PAUSED:
            self._say("✔", "32", f"source {after.label} is not paused any more")
        elif after.state is SourceState.OK:
            self._say("✔", "32", f"source {after.label} answers again")
        else:
            self._say("✖", "33", f"source {after.label} is {after.state.replace('_', ' ')}: {after.reason}")

    def stopping(self, runs: int, grace: float) -> None:
        """A first signal came."""
        if runs:
            what = "1 run" if runs == 1 else f"{runs} runs"
            self._say(
                "⊘", "33", f"Stopping: waiting up to {grace:g} s for {what}; a second signal (or Ctrl-C) ends it now."
            )

    def stopped(self, paused: Sequence[Deployment]) -> None:
        """Everything has ended."""
        if any(deployment.declared.schedules for deployment in paused):
            self._say(
                "⊘", "33", "Schedules are paused until it is served again (with pause_on_shutdown=False they are not)."
            )
        self._say("✔", "32", "Stopped.")

    def _state(self, run: Run, state: RunState, text: str) -> None:
        mark, colour = MARKS[state]
        self._writer.write(
            f"{_clock(run.changed_at)}  {self._paint(run.name, '2')}  {self._paint(mark, colour)} {printable(text)}"
        )

    def _tell(self, told: News) -> None:
        self._say(told.mark, told.colour, told.text)

    def _say(self, mark: str, colour: str, text: str) -> None:
        self._writer.write(f"{_clock(datetime.now().astimezone())}  {self._paint(mark, colour)} {printable(text)}")

    def _paint(self, text: str, colour: str) -> str:
        # A stream that was closed under us does not even say whether it is a terminal.
        with contextlib.suppress(OSError, ValueError):
            return painted(text, colour, self._stream)
        return text


class _Nowhere(StringIO):
    """Takes what cannot be shown to anybody, and keeps nothing of it."""

    def write(self, text: str) -> int:
        return len(text)


def _when(deployment: Deployment) -> str:
    said = ", ".join(schedule.describe() for schedule in deployment.declared.schedules) or "on request"
    return f"{said} (paused)" if deployment.paused else said


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M:%S")
