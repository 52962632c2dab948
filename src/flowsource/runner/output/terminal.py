"""What a serving process says to the person who started it: one line each, on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import TextIO

from flowsource.deployments import Deployment
from flowsource.promotions import Outcome
from flowsource.runner.output.news import News, news, standing_news
from flowsource.runner.output.notices import Notice, run_notice
from flowsource.runner.output.shapes import ForMachines, ForPeople, Shape
from flowsource.runner.output.writer import Writer
from flowsource.runs import Run
from flowsource.settings import LOG_FORMATS
from flowsource.source_status import SourceState, SourceStatus
from flowsource.store.values import LogLine
from flowsource.text import printable, revision_text, shows_colour


class Terminal:
    """Writes to `stream`; in colour on a terminal that shows it. `is_quiet` leaves out the starting message.

    `log_format` is one of LOG_FORMATS. No method waits for whoever reads it, or fails because nobody does. Close it at
    the end, so that the last words are heard.
    """

    def __init__(
        self, stream: TextIO | None = None, *, is_quiet: bool = False, log_format: str = LOG_FORMATS[0]
    ) -> None:
        # There is none where the process was started with standard error closed.
        self._stream: TextIO = stream or sys.stderr or _Nowhere()
        self._is_quiet = is_quiet
        self._people = ForPeople(in_colour=_shows_colour(self._stream))
        self._shape: Shape = self._people if log_format == "text" else ForMachines()
        self._writer = Writer(self._stream, note=None if self._shape is self._people else self._gap)

    def close(self) -> None:
        """Write what was said and is not written yet; for a second at most."""
        self._writer.close()

    @property
    def is_for_a_person(self) -> bool:
        """Whether what is said goes to a screen, and is not kept."""
        return self._shape is self._people and _is_screen(self._stream)

    def started(self, deployments: Sequence[Deployment], *, dashboard: str | None = None) -> None:
        """What is served, from where, and how to ask for a run; and the URL of the dashboard."""
        if self._is_quiet:
            return
        if self._shape is not self._people:
            for deployment in deployments:
                self.tell(_served(deployment))
            if dashboard is not None:
                self.tell(_dashboard(dashboard))
            return
        count = "1 deployment" if len(deployments) == 1 else f"{len(deployments)} deployments"
        self._writer.write(f"{self._people.painted('flowsource', '1')} serves {count}; Ctrl-C stops it.\n")
        width = max(len(deployment.full_name) for deployment in deployments)
        for deployment in deployments:
            self._writer.write(f"  {deployment.full_name:<{width}}  {_when(deployment)}")
            serves = printable(revision_text(deployment.active))
            self._writer.write(f"  {'':<{width}}  {serves}  from {deployment.declared.source_label}")
            for told in standing_news(deployment):
                self._tell(told, deployment)
        if dashboard is not None:
            self._writer.write(f"\nDashboard:      {dashboard}")
        self._writer.write(f"\nAsk for a run:  flowsource run '{deployments[0].full_name}' --watch\n")

    def tell(self, notice: Notice) -> None:
        """Something happened."""
        self._writer.write(self._shape.notice(notice))

    def run_moved(self, run: Run) -> None:
        """A run came to the state that it is in: it has a process, or an attempt of it is over."""
        self.tell(run_notice(run))

    def line(self, run_name: str, line: LogLine) -> None:
        """A line of a run's log."""
        # What is not shown need not be made beautiful first.
        if not self._writer.leaves_out(line.text.count("\n") + 1):
            self._writer.write(self._shape.line(run_name, line))

    def deployment_changed(
        self, before: Deployment, after: Deployment, outcome: Outcome | None, *, in_place: bool
    ) -> None:
        """A deployment is not as it was, whoever changed it."""
        for told in news(before, after, outcome, in_place=in_place):
            self._tell(told, after)

    def source_changed(self, before: SourceStatus, after: SourceStatus) -> None:
        """A source went out of order, or is back, or a person paused it."""
        event, level = f"source.{after.state}", logging.INFO
        if after.state is SourceState.PAUSED:
            told = News("⊘", "33", f"source {after.label} is paused: what is new there is not looked for")
        elif before.state is SourceState.PAUSED:
            told = News("✔", "32", f"source {after.label} is not paused any more")
        elif after.state is SourceState.OK:
            told = News("✔", "32", f"source {after.label} answers again")
        else:
            told = News("✖", "33", f"source {after.label} is {after.state.replace('_', ' ')}: {after.reason}")
            level = logging.WARNING
        self._say(event, told, level=level)

    def stopping(self, runs: int, grace: float) -> None:
        """A first signal came."""
        if runs:
            what = "1 run" if runs == 1 else f"{runs} runs"
            text = f"Stopping: waiting up to {grace:g} s for {what}; a second signal (or Ctrl-C) ends it now."
            self._say("server.stopping", News("⊘", "33", text))

    def stopped(self, paused: Sequence[Deployment]) -> None:
        """Everything has ended."""
        if any(deployment.schedules for deployment in paused):
            text = "Schedules are paused until it is served again (with pause_on_shutdown=False they are not)."
            self._say("server.paused", News("⊘", "33", text))
        self._say("server.stopped", News("✔", "32", "Stopped."))

    def _gap(self, text: str) -> str:
        return self._shape.notice(Notice(event="log.gap", text=text, mark="", colour="", at=datetime.now(UTC)))

    def _tell(self, told: News, deployment: Deployment) -> None:
        level = logging.ERROR if told.colour == "31" else logging.INFO
        self._say("deployment.changed", told, level=level, deployment=deployment.full_name)

    def _say(self, event: str, told: News, *, level: int = logging.INFO, deployment: str | None = None) -> None:
        self.tell(
            Notice(
                event=event,
                text=told.text,
                mark=told.mark,
                colour=told.colour,
                at=datetime.now(UTC),
                level=level,
                deployment=deployment,
            )
        )


class RecordsTold(logging.Handler):
    """Tells what libraries, and flowsource itself, log in the process of the server."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Tell `record`."""
        try:
            self._terminal.tell(
                Notice(
                    event="log",
                    text=self.format(record),
                    mark="!",
                    colour="33",
                    at=datetime.fromtimestamp(record.created, UTC),
                    level=record.levelno,
                    fields={"logger": record.name},
                )
            )
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def telling_records(terminal: Terminal) -> Iterator[None]:
    """While open, what is logged in this process is told on `terminal`; unless the application has seen to that."""
    root, handler = logging.getLogger(), RecordsTold(terminal)
    if not root.handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _Nowhere(StringIO):
    """Takes what cannot be shown to anybody, and keeps nothing of it."""

    def write(self, text: str) -> int:
        return len(text)


def _when(deployment: Deployment) -> str:
    fires = (*deployment.schedules, *deployment.declared.triggers)
    said = ", ".join(each.describe() for each in fires) or "on request"
    return f"{said} (paused)" if deployment.paused else said


def _served(deployment: Deployment) -> Notice:
    fields = {
        "revision": deployment.active.id,
        "source": deployment.declared.source_label,
        "entrypoint": deployment.declared.entrypoint,
    }
    return Notice(
        event="deployment.served",
        text=f"{deployment.full_name} is served: {_when(deployment)}",
        mark="✔",
        colour="32",
        at=datetime.now(UTC),
        deployment=deployment.full_name,
        fields=fields,
    )


def _dashboard(url: str) -> Notice:
    return Notice(
        event="server.dashboard",
        text=f"its dashboard is at {url}",
        mark="✔",
        colour="32",
        at=datetime.now(UTC),
        fields={"url": url},
    )


def _is_screen(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False  # As below.


def _shows_colour(stream: TextIO) -> bool:
    try:
        return shows_colour(stream)
    except (OSError, ValueError):
        # A stream that was closed under us does not even say whether it is a terminal.
        return False
