"""The remote fails, or the wire to it, in any way at any point: what was good stays, and the next poll heals."""

from __future__ import annotations

import email.utils
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from flowsource.errors import (
    AuthenticationFailed,
    SourceError,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
)
from flowsource.sources.git import remotes
from flowsource.sources.git.remote import RemoteRepository
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.wire.patience import Patience
from tests.fire.length import rounds, some
from tests.fire.serving import Stage, debris, is_unlocked, stage, unsound
from tests.sources.contract import files_in
from tests.support.faulty_wire import Fault, FaultyWire, faulty_wire
from tests.support.git_server import GitServer, Refuse, git_server

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

FAULTS: tuple[Fault, ...] = ("cut", "half-close", "reset", "stall", "garble")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as made:
        allow = ["git", "-C", str(made.repository.path), "config", "uploadpack.allowFilter", "true"]
        subprocess.run(allow, check=True)
        yield made


@pytest.fixture
def wire(here: Stage) -> Iterator[FaultyWire]:
    with faulty_wire(here.server.port) as wire:
        yield wire


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "elsewhere").mkdir()
    with git_server(tmp_path / "elsewhere") as server:
        yield server


def change(here: Stage, number: int) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {f"part/{n}/data.bin": bytes([n, number % 256]) * 700 for n in range(5)}
    files |= {"flows.py": f"ANSWER = {number}\n", "other/left.out": bytes(100)}
    here.repository.commit_files(files)
    return files


@pytest.mark.parametrize("how", FAULTS)
@pytest.mark.parametrize("directories", [None, ["part/3"]], ids=["all of it", "a directory"])
async def test_a_wire_that_breaks_after_any_number_of_bytes_hurts_nothing(
    here: Stage, wire: FaultyWire, how: Fault, directories: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{wire.port}/flows.git"
    files = change(here, 0)

    def source() -> GitRepository:
        return GitRepository(url, branch="main", directories=directories)

    def expected() -> dict[str, str | bytes]:
        taken = {path: data for path, data in files.items() if directories is None or path.startswith("part/3/")}
        return {**taken, "flows.py": str(files["flows.py"]).encode()}

    good = await here.cache.ensure(source(), await source().resolve())
    assert files_in(good.root) == expected()
    whole = expected()
    files = change(here, 1)
    wire.mend()
    await here.cache.ensure(source(), await source().resolve())
    most, workspace = wire.said, good.root.parents[2]
    count = rounds(f"broken wires ({how})", short=2, full=150)
    for number in range(count):
        files = change(here, 2 + number)
        # The first in the middle of a head, the last in the middle of the objects.
        wire.break_after(most * (2 * number + 1) // (2 * count), how)
        with monkeypatch.context() as patched:
            # For the one attempt that is to fail: an honest server on a busy machine needs its time.
            impatient = Patience(head=0.3, stall=0.3, slowest=1)
            patched.setattr(remotes, "RemoteRepository", partial(RemoteRepository, patience=impatient))
            asked = source()
        failed: SourceError | None = None
        try:
            await here.cache.ensure(asked, await asked.resolve())
        except SourceError as error:
            failed = error
        # A byte that is changed may be one of which nothing depends, or one that says something else; and what is said
        # of one change may be a few bytes shorter than what was said of the first.
        assert how == "garble" or isinstance(failed, SourceUnavailable) or not wire.broke, repr(failed)
        assert failed is None or str(failed).isprintable()
        assert debris(workspace) == []
        assert is_unlocked(workspace)
        assert files_in(good.root) == whole
        wire.mend()
        newer = await here.cache.ensure(source(), await source().resolve())
        assert files_in(newer.root) == expected()
        assert await here.cache.verify(newer) == ()


REFUSALS: list[tuple[int, dict[str, str], type[SourceError], str]] = [
    (401, {"WWW-Authenticate": "Basic"}, AuthenticationFailed, "asks for credentials"),
    (403, {}, AuthenticationFailed, "asks for credentials"),
    (404, {}, SourceMissing, "there is no repository"),
    (410, {}, SourceMissing, "there is no repository"),
    (429, {"Retry-After": "7"}, SourceUnavailable, "asks to wait 7 s"),
    (429, {"Retry-After": "{in_a_minute}"}, SourceUnavailable, r"asks to wait \d+ s"),
    (429, {}, SourceUnavailable, "too busy to answer"),
    (500, {}, SourceUnavailable, "HTTP 500"),
    (503, {"Retry-After": "7"}, SourceUnavailable, "asks to wait 7 s"),
    (302, {"Location": "http://127.0.0.1:{port}/flows.git/info/refs"}, SourceInvalid, "has moved to"),
    (307, {"Location": "//127.0.0.1:{port}/flows.git/git-upload-pack"}, SourceInvalid, "has moved to"),
    (204, {}, SourceInvalid, "does not answer as a Git server"),
]
EXCHANGES = ["first", "refs", "objects", "files"]


@pytest.mark.parametrize(
    ("exchange", "status", "headers", "error", "why"),
    # With a step that is prime to the number of exchanges, so that each of them is among those that are left.
    some("refusals", [(exchange, *refusal) for refusal in REFUSALS for exchange in EXCHANGES], every=5),
    ids=lambda value: str(value) if isinstance(value, int) or value in EXCHANGES else "",
)
async def test_a_refusal_at_any_exchange_is_told_as_what_it_is_and_nobody_else_is_asked(
    here: Stage,
    elsewhere: GitServer,
    exchange: str,
    status: int,
    headers: dict[str, str],
    error: type[SourceError],
    why: str,
) -> None:
    change(here, 1)
    part = ["part/1"]
    source = GitRepository(here.url, branch="main", directories=part)
    good = await here.cache.ensure(source, await source.resolve())
    if exchange == "files":
        # The commit is there already, and only files are missing.
        part = ["part/2"]
        source = GitRepository(here.url, branch="main", directories=part)
        on = "fetch"
    else:
        change(here, 2)
        on = {"first": "", "refs": "ls-refs", "objects": "fetch"}[exchange]
        source = GitRepository(here.url, branch="main", directories=part) if exchange == "first" else source
    revision = await GitRepository(here.url, branch="main", directories=part).resolve()
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    sent = {name: value.format(port=elsewhere.port, in_a_minute=in_a_minute) for name, value in headers.items()}
    here.server.misbehave(Refuse(status=status, headers=sent, body=b"<h1>No</h1>" if status != 204 else b""), on=on)
    attempt = source.resolve() if exchange in ("first", "refs") else here.cache.ensure(source, revision)
    with pytest.raises(error, match=why) as caught:
        await attempt
    if "Retry-After" in headers:
        assert isinstance(caught.value, SourceUnavailable)
        assert caught.value.retry_after is not None
        assert 5 < caught.value.retry_after <= 60
    assert elsewhere.log == []
    assert await here.cache.verify(good) == ()
    here.server.behave()
    newer = await here.cache.ensure(source, await source.resolve())
    assert set(files_in(newer.root)) == {"flows.py", f"part/{2 if exchange == 'files' else 1}/data.bin"}


async def test_a_server_that_speaks_no_tls_is_not_believed(here: Stage) -> None:
    with pytest.raises(SourceUnavailable, match=r"cannot be (trusted|reached)") as caught:
        await GitRepository(here.url.replace("http:", "https:")).resolve()
    assert str(caught.value).isprintable()


async def test_with_the_remote_down_a_new_process_serves_the_last_tip_from_disk(here: Stage) -> None:
    source = GitRepository(here.url, branch="main")
    snapshot = await here.cache.ensure(source, await source.resolve())
    await here.cache.remember_tip(source, snapshot.revision)
    here.server.misbehave(Refuse(status=503))
    again = GitRepository(here.url, branch="main")
    with pytest.raises(SourceUnavailable):
        await again.resolve()
    tip = here.cache.last_tip(again)
    assert tip is not None
    log = len(here.server.log)
    found = await here.cache.ensure(again, tip)
    assert len(here.server.log) == log
    assert (found.root, await here.cache.verify(found)) == (snapshot.root, ())
    assert await unsound(here.cache) == []
