"""The last runs as a strip of bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from markupsafe import Markup, escape

from flowsource.cli.times import duration
from flowsource.server.pages.marks import run_mark
from flowsource.store.values import RunGlimpse

_STEP, _WIDTH, _HEIGHT, _LEAST = 7, 5, 20, 3


def strip(runs: Sequence[RunGlimpse], *, root: str, places: int, now: datetime) -> Markup:
    """A bar for each of `runs`, the oldest first, to the right of a strip that has so many `places`.

    Each is as tall as its run took long, in the colour of its end, with all of it in words. Made here and not in a
    template, which takes several times as long for the hundreds of them that a page has.
    """
    lengths = [_seconds(run, now) for run in runs]
    longest = max(lengths, default=0)
    xs = range(_STEP * (places - len(runs)), _STEP * places, _STEP)
    bars = [
        _bar(run, took, took / longest if longest else 0, x, root)
        for run, took, x in zip(runs, lengths, xs, strict=True)
    ]
    return Markup(
        f'<svg class="strip" viewBox="0 0 {_STEP * places} {_HEIGHT}" preserveAspectRatio="none" role="group" '
        f'aria-label="The last {len(runs)} runs, oldest first">{"".join(bars)}</svg>'
    )


def _bar(run: RunGlimpse, took: float, share: float, x: int, root: str) -> str:
    mark = run_mark(run.state)
    tall = _LEAST + (_HEIGHT - 2 - _LEAST) * share
    told = f", {duration(timedelta(seconds=took))}" if took else ""
    title = f"{run.name}: {mark.word}{told}"
    place = f'x="{x}" y="{_HEIGHT - tall:.1f}" width="{_WIDTH}" height="{tall:.1f}"'
    return (
        f'<a href="{escape(root)}/runs/{run.id}" tabindex="-1">'
        f'<rect class="{mark.tone}" {place}><title>{escape(title)}</title></rect></a>'
    )


def _seconds(run: RunGlimpse, now: datetime) -> float:
    """How long it took, or has been going on; 0 for what never began."""
    return max(((run.ended_at or now) - run.started_at).total_seconds(), 0) if run.started_at is not None else 0
