"""Acts on all that a query asks for: shown first, then confirmed, then done and told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter

from flowsource.bulk import Done
from flowsource.cli.json_shapes import done_json
from flowsource.cli.output import print_json, say
from flowsource.errors import InvalidInput
from flowsource.store.values import COUNTED

DryRun = Annotated[bool, Parameter(help="With a query: show what it asks for, and do nothing.")]
Yes = Annotated[bool, Parameter(help="With a query: do it without asking first.")]

# How many are shown before something is done to all.
SHOWN = 20


def is_query(text: str) -> bool:
    """Whether a person who gives `text` may mean a query, where nothing has that name."""
    return ":" in text


def refuse_for_one(*, dry_run: bool, yes: bool) -> None:
    """Raise InvalidInput where an option was given that goes with a query alone."""
    if dry_run or yes:
        raise InvalidInput("--dry-run and --yes: they go with a query, such as state:running; leave them out.")


def go_on(act: str, count: int, show: Callable[[], None], *, dry_run: bool, yes: bool, json: bool) -> bool:
    """Show the first of `count` that `act` (as in "cancel 3 runs") would hit, and ask; whether it is to be done.

    Raises InvalidInput where there is nobody to ask.
    """
    if not json:
        show()
        if count > SHOWN:
            say(f"... and {said_count(count - SHOWN)} more.")
    if dry_run:
        if json:
            print_json(done_json(count, None))
        else:
            say(f"This would {act}.")
        return False
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidInput(f"--yes: nobody is here to be asked whether to {act}. Give it, or --dry-run.")
    print(f"{act[0].upper()}{act[1:]}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    say("Nothing was done.")
    return False


def said_count(count: int) -> str:
    """A number that was counted, in words where it is where counting ends."""
    return f"{count}" if count < COUNTED else f"{COUNTED} or more"


def tell(done: Done, count: int, *, json: bool) -> None:
    """Tell what came of it."""
    if json:
        print_json(done_json(count, done))
        return
    say(", ".join(f"{count} {what}" for what, count in done.changed.items()) or "None was changed")
    for why, count in done.skipped.items():
        say(f"{count} passed over: it {why}" if count == 1 else f"{count} passed over, of which each {why}")
