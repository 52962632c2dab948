"""`flowsource source`: where code comes from, and what stands between a push and its run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import anyio
from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.groups import group
from flowsource.cli.opening import with_store
from flowsource.cli.output import print_json, print_page, print_table, say
from flowsource.cli.source_names import follows, pick
from flowsource.cli.source_words import source_fields, source_json, source_row, status_of
from flowsource.deployments import Deployment
from flowsource.errors import InvalidInput
from flowsource.source_status import SourceState
from flowsource.store.protocol import Store
from flowsource.store.values import SOURCES, KnownSource, SourceWish

# What these three say of themselves is here: their modules need much that the list of commands does not.
_CHECK = """Whether a flow loads from there, for a CI pipeline.

What a server does before a new commit goes live is done once: it is fetched, and its entrypoint is loaded in a clean
process. Nothing is registered. The exit code is 0 if it loads, and 1 with the reason and the traceback if it does not;
what cannot be fetched has the codes that `flowsource --help` gives."""
_GC = """Remove from the cache what nobody needs, and tell how much that freed.

What deployments serve stays, what runs use, and what is being fetched; and of each source what is given below. A source
that no deployment follows, and that nobody has used for the days given below, goes as a whole."""
_LISTEN = """Take webhooks, so that a push is looked at at once.

GitHub, GitLab, Gitea, Forgejo and Bitbucket are understood, and whoever keeps to standardwebhooks.com; they must send
JSON, and know the secret. A webhook makes servers look at the sources that it names, and nothing else: they are polled
all the same. Put a proxy that speaks HTTPS before it where others can reach it."""

source = group("source", "Where code comes from, and what stands between a push and its run.")
source.command("flowsource.cli.source_check:check", name="check", help=_CHECK)
source.command("flowsource.cli.source_gc:gc", name="gc", help=_GC)
source.command("flowsource.cli.source_listen:listen", name="listen", help=_LISTEN)

Name = Annotated[
    str, Parameter(help="A label as `source ls` shows it, a URL, a part of one that no other has, or a deployment.")
]
Json = Annotated[bool, Parameter(help="Print a list of the sources as JSON.")]

_COLUMNS = ("STATE", "SOURCE", "REVISION", "POLLED", "NEXT")
_LOOK_ANYWAY = timedelta(seconds=2)
_CODES = {
    SourceState.OK: exits.OK,
    SourceState.AUTH_FAILED: exits.AUTHENTICATION,
    SourceState.MISSING: exits.NOT_FOUND,
    SourceState.PAUSED: exits.CONFLICT,
}


@source.command
def ls(*, json: Json = False) -> int:
    """All sources: how they are, where they are, and when they are asked next."""
    now = datetime.now(UTC)

    async def find(store: Store) -> tuple[list[KnownSource], list[Deployment]]:
        return await store.sources(now=store.now()), await store.deployments()

    known, deployments = with_store(find)
    if json:
        print_json([source_json(one, _followers(one, deployments)) for one in known])
    elif known:
        print_table(_COLUMNS, [source_row(one, now) for one in known])
    else:
        say("No sources yet. A script that serves a flow makes one known.")
    return exits.OK


@source.command
def explain(name: Name, /, *, json: Json = False) -> int:
    """Why a push is not live: the last poll, stage by stage, the deployments, and what helps."""
    now = datetime.now(UTC)

    async def find(store: Store) -> tuple[list[KnownSource], list[Deployment]]:
        deployments = await store.deployments()
        return pick(name, await store.sources(now=store.now()), deployments), deployments

    found, deployments = with_store(find)
    if json:
        print_json([source_json(one, _followers(one, deployments)) for one in found])
        return exits.OK
    for one in found:
        print_page(status_of(one).label, source_fields(one, _followers(one, deployments), now))
    return exits.OK


@source.command
def sync(name: str | None = None, /, *, wait: bool = False, timeout: float = 60, json: Json = False) -> int:
    """Look for something new now rather than at the next poll.

    Whoever serves the source does that. With --wait the exit code tells how the source is after it: 0 in order, 3
    not there, 4 it wants other credentials, 5 it cannot be brought up to date. A source that is paused, or that nobody
    serves, is no source to look at: the exit code is 6.

    Parameters
    ----------
    name
        A label as `source ls` shows it, a URL, a part of one that no other has, or a deployment; else all.
    wait
        Wait until that is done, and show what was found.
    timeout
        With --wait: seconds to wait at most (60); after that the exit code is 124.
    """
    if not 0 <= timeout < float("inf"):
        raise InvalidInput(f"--timeout: {timeout} is not a time; give a number of seconds, 0 or more.")

    async def ask(store: Store) -> int:
        deployments = await store.deployments()
        known = await store.sources(now=store.now())
        meant = pick(name, known, deployments) if name is not None else known
        ready = [one for one in meant if one.is_served and one.wish.paused_at is None]
        if not ready:
            say(_why_not(meant))
            return exits.CONFLICT
        keys = sorted({one.report.key for one in ready})
        answered = True
        async with store.changes(SOURCES) as ear:
            wishes = await store.hint_sources(keys)
            if wait:
                with anyio.move_on_after(timeout) as patience:
                    while not await _are_answered(store, wishes):
                        await ear.wait(_LOOK_ANYWAY)
                answered = not patience.cancelled_caught
        now = store.now()
        names = {(one.report.key, one.report.selector) for one in ready}
        after = [one for one in await store.sources(now=now) if (one.report.key, one.report.selector) in names]
        if json:
            print_json([source_json(one, _followers(one, deployments)) for one in after])
        elif wait and answered:
            print_table(_COLUMNS, [source_row(one, now) for one in after])
        else:
            say(f"Asked for a look at {_counted(ready)}.")
        if not answered:
            say(f"That was not done after {timeout:g} s. See what keeps it:\n  flowsource source ls")
            return exits.TIMED_OUT
        return max(_CODES.get(status_of(one).state, exits.UNAVAILABLE) for one in after) if wait else exits.OK

    return with_store(ask)


@source.command
def pause(name: Name, /, *, json: Json = False) -> int:
    """Look for nothing new until it is resumed, also after a restart. What is there is served as before."""
    return _set_paused(name, True, json)


@source.command
def resume(name: Name, /, *, json: Json = False) -> int:
    """Look for what is new again, beginning at once."""
    return _set_paused(name, False, json)


def _set_paused(name: str, paused: bool, json: bool) -> int:
    async def write(store: Store) -> int:
        now, deployments = store.now(), await store.deployments()
        [key] = {one.report.key for one in pick(name, await store.sources(now=now), deployments)}
        await store.set_source_paused(key, paused, now=now)
        after = [one for one in await store.sources(now=now) if one.report.key == key]
        if json:
            print_json([source_json(one, _followers(one, deployments)) for one in after])
        for one in after:
            say(f"{one.report.status.label} is {'paused' if paused else 'looked at again'}.")
        return exits.OK

    return with_store(write)


async def _are_answered(store: Store, wishes: Sequence[SourceWish]) -> bool:
    now = await store.source_wishes([wish.key for wish in wishes])
    return all(later.answered >= wish.hints for wish, later in zip(wishes, now, strict=True))


def _followers(one: KnownSource, deployments: Sequence[Deployment]) -> list[Deployment]:
    return [deployment for deployment in deployments if follows(deployment, one)]


def _why_not(meant: Sequence[KnownSource]) -> str:
    if not meant:
        return "There is no source to look at: nobody has served any yet."
    paused = [one for one in meant if one.is_served]
    if paused:
        label = paused[0].report.status.label
        return f"{label} is paused. Let it go on, which begins with a look:\n  flowsource source resume '{label}'"
    return f"No server follows {_counted(meant)} now. Start the script that serves it, which begins with a look."


def _counted(several: Sequence[KnownSource]) -> str:
    return several[0].report.status.label if len(several) == 1 else f"{len(several)} sources"
