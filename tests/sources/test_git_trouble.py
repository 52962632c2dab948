"""A Git server that misbehaves, or is not there at all."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
from dulwich.objects import ObjectID
from dulwich.protocol import pkt_line
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import RevisionGone, SourceError, SourceInvalid, SourceMissing, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.sources.git.checkpoint import Checkpoint, in_thread
from flowsource.sources.git.refs import Advertised
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire.exchange import GitWire
from flowsource.sources.git.wire.patience import Patience
from tests.sources.contract import fetched, files_in
from tests.sources.fetching import fetch_into
from tests.sources.served import FILES, SECRET
from tests.support.git_server import Cut, Drip, GitServer, Refuse, Stall, git_server
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

EVIL = "\x1b]0;gone\x07\x1b[2J\u202e"
RESULT = {"Content-Type": "application/x-git-upload-pack-result"}


def refs(wire: GitWire) -> Advertised:
    return wire.refs(["refs/heads/main"], login=None, checkpoint=lambda: None)


class TestTrouble:
    async def test_a_missing_repository_is_said_to_be_missing(self, server: GitServer) -> None:
        with pytest.raises(SourceMissing, match=r"there is no repository at .*/flosw.git.*; check the URL"):
            await GitRepository(server.url("flosw.git")).resolve()

    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_busy_server_says_how_long_to_wait(self, server: GitServer, status: int) -> None:
        server.misbehave(Refuse(status=status, headers={"Retry-After": "17"}))
        with pytest.raises(SourceUnavailable, match="asks to wait 17 s") as caught:
            await GitRepository(server.url("flows.git")).resolve()
        assert caught.value.retry_after == 17

    @pytest.mark.parametrize("asked", ["9" * 20, "9" * 400, "Fri, 31 Dec 9999 23:59:59 -2359"])
    async def test_nobody_is_made_to_wait_for_more_than_a_day(self, server: GitServer, asked: str) -> None:
        server.misbehave(Refuse(status=503, headers={"Retry-After": asked}))
        with pytest.raises(SourceUnavailable, match="asks to wait 86400 s") as caught:
            await GitRepository(server.url("flows.git")).resolve()
        assert caught.value.retry_after == 86_400

    async def test_too_many_requests_are_no_matter_of_credentials(self, server: GitServer) -> None:
        """As GitHub says it."""
        reset = str(int(time.time()) + 1000)
        server.misbehave(Refuse(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}))
        with pytest.raises(SourceUnavailable, match="too busy to answer") as caught:
            await GitRepository(server.url("flows.git"), credentials={"token": SECRET}).resolve()
        assert caught.value.retry_after is not None
        assert 800 < caught.value.retry_after <= 1000

    async def test_too_many_requests_are_so_without_a_word_of_when_to_come_again(self, server: GitServer) -> None:
        server.misbehave(Refuse(status=403, headers={"X-RateLimit-Remaining": "0"}))
        with pytest.raises(SourceUnavailable, match="too busy to answer") as caught:
            await GitRepository(server.url("flows.git")).resolve()
        assert caught.value.retry_after is None

    async def test_a_server_that_fails_may_succeed_later(self, server: GitServer) -> None:
        server.misbehave(Refuse(status=502, body=b"<h1>Bad gateway</h1>"))
        with pytest.raises(SourceUnavailable, match="HTTP 502"):
            await GitRepository(server.url("flows.git")).resolve()

    async def test_a_web_page_is_not_taken_for_a_repository(self, server: GitServer) -> None:
        page = Refuse(status=200, headers={"Content-Type": "text/html"}, body=b"<h1>Please sign in</h1>")
        server.misbehave(page)
        with pytest.raises(SourceInvalid, match="answers with text/html, not as a Git server; check the URL"):
            await GitRepository(server.url("flows.git")).resolve()

    @pytest.mark.parametrize(
        "answer",
        [
            Refuse(status=200, headers=RESULT, body=pkt_line(f"ERR {EVIL}".encode())),
            Refuse(status=200, headers={"Content-Type": EVIL.encode().decode("latin-1")}),
            Refuse(status=302, headers={"Location": EVIL.encode().decode("latin-1")}),
        ],
        ids=["error", "type", "redirect"],
    )
    async def test_what_a_server_says_cannot_command_a_terminal(
        self, server: GitServer, tmp_path: Path, answer: Refuse
    ) -> None:
        source = GitRepository(server.url("flows.git"))
        revision = await source.resolve()
        server.misbehave(answer)
        for attempt in (
            source.resolve,
            GitRepository(server.url("flows.git")).resolve,
            lambda: fetched(source, revision, tmp_path),
        ):
            with pytest.raises(SourceError) as caught:
                await attempt()
            assert str(caught.value).isprintable()

    async def test_not_even_instead_of_http(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(f"{EVIL}\r\n\r\n".encode())

            thread = threading.Thread(target=answer)
            thread.start()
            with pytest.raises(SourceUnavailable, match="cannot be reached") as caught:
                await GitRepository(f"http://127.0.0.1:{listener.getsockname()[1]}/flows.git").resolve()
            thread.join()
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize(
        "body", [b"", b"0000", b"zzzz", b"0008abc\n0000", b"001e# service=git-upload-pack\n0000" * 2]
    )
    async def test_an_answer_that_makes_no_sense_is_refused(self, server: GitServer, body: bytes) -> None:
        kind = {"Content-Type": "application/x-git-upload-pack-advertisement"}
        server.misbehave(Refuse(status=200, headers=kind, body=body))
        with pytest.raises(SourceError):
            await GitRepository(server.url("flows.git")).resolve()

    async def test_nobody_listening_is_said_with_the_reason(self, server: GitServer, tmp_path: Path) -> None:
        with git_server(tmp_path) as gone:
            pass
        with pytest.raises(SourceUnavailable, match="cannot be reached: Connection refused"):
            await GitRepository(gone.url("flows.git")).resolve()

    async def test_an_unknown_host_is_said_to_be_unknown(self) -> None:
        with pytest.raises(SourceUnavailable, match="cannot be reached: its name is not known"):
            await GitRepository("https://flows.invalid/r.git").resolve()

    async def test_a_server_that_falls_silent_is_given_up_after_the_stall_deadline(self, server: GitServer) -> None:
        wire = GitWire(parse_url(server.url("flows.git"))[0], Patience(stall=0.2))
        server.misbehave(Stall(after=10))
        with pytest.raises(SourceUnavailable, match=r"sent nothing for 0\.2 s"):
            refs(wire)

    @pytest.mark.parametrize("part", ["head", "continue"])
    async def test_a_head_that_drips_is_given_up_too(
        self, server: GitServer, part: Literal["head", "continue"]
    ) -> None:
        wire = GitWire(parse_url(server.url("flows.git"))[0], Patience(head=0.2))
        server.misbehave(Drip(every=0.02, part=part))
        with pytest.raises(SourceUnavailable, match=r"did not begin to answer within 0\.2 s"):
            refs(wire)

    async def test_a_server_that_drips_is_given_up_though_it_is_never_silent(self, server: GitServer) -> None:
        wire = GitWire(parse_url(server.url("flows.git"))[0], Patience(stall=0.2, slowest=1000))
        server.misbehave(Drip(every=0.02))
        with pytest.raises(SourceUnavailable, match="too slowly to ever be done"):
            refs(wire)

    @pytest.mark.parametrize("how", [Stall(after=10), Drip(every=0.01, part="head"), Drip(every=0.01)], ids=repr)
    async def test_nobody_has_to_wait_for_a_server_that_hangs(
        self, server: GitServer, how: Stall | Drip, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even the end of the process: the thread that was left alone ends by itself."""
        ended = threading.Event()
        ask = GitWire.refs

        def asking(*args: Any, **kwargs: Any) -> Advertised:
            try:
                return ask(*args, **kwargs)
            finally:
                ended.set()

        monkeypatch.setattr(GitWire, "refs", asking)
        server.misbehave(how)
        with anyio.move_on_after(0.1) as scope:
            await GitRepository(server.url("flows.git")).resolve()
        assert scope.cancelled_caught
        # Without that it would be 30 seconds, or for ever.
        await until(ended.is_set)

    @pytest.mark.parametrize("leave", [True, False])
    async def test_a_task_that_asyncio_cancels_leaves_no_thread_at_work(self, leave: bool) -> None:
        begun, ended = threading.Event(), threading.Event()

        def work(checkpoint: Checkpoint) -> None:
            begun.set()
            try:
                while True:
                    checkpoint()
                    time.sleep(0.001)
            finally:
                ended.set()

        task = asyncio.get_running_loop().create_task(in_thread(work, leave=leave))
        await until(begun.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(ended.is_set)

    async def test_a_fetch_that_is_to_end_ends_with_the_next_bytes(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path
    ) -> None:
        class EnoughError(BaseException):
            """What a cancelled task raises is no Exception either."""

        def enough() -> None:
            raise EnoughError

        wire = GitWire(parse_url(server.url("flows.git"))[0])
        with Repo.init_bare(str(tmp_path / "store"), mkdir=True) as store:
            with pytest.raises(EnoughError):
                fetch_into(store, wire, repository.tip(), tmp_path / "ended", checkpoint=enough)
            fetch_into(store, wire, repository.tip(), tmp_path / "whole")
            assert ObjectID(repository.tip().encode()) in store.object_store

    @pytest.mark.parametrize("after", [0, 5, 100, 600])
    async def test_a_pack_that_is_cut_leaves_the_workspace_usable(
        self, server: GitServer, tmp_path: Path, after: int
    ) -> None:
        source = GitRepository(server.url("flows.git"), commit_sha=(await newest(server)).id)
        server.misbehave(Cut(after=after), on="POST")
        with pytest.raises(SourceUnavailable):
            await fetched(source, await source.resolve(), tmp_path, name="cut")
        assert list((tmp_path / "cut").iterdir()) == []
        server.behave()
        assert set(files_in(await fetched(source, await source.resolve(), tmp_path, name="whole"))) == set(FILES)

    async def test_a_listing_that_is_cut_may_succeed_later(self, server: GitServer) -> None:
        source = GitRepository(server.url("flows.git"))
        revision = await source.resolve()
        server.misbehave(Cut(after=20))
        with pytest.raises(SourceUnavailable):
            await source.resolve()
        server.behave()
        assert await source.resolve() == revision

    async def test_a_commit_that_was_overtaken_is_left_to_the_next_poll(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path
    ) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        with pytest.raises(SourceUnavailable, match=r"moved from 0{12} to .* the next poll takes the newer one"):
            await fetched(source, Revision(id="0" * 40, ref="refs/heads/main"), tmp_path)

    async def test_a_commit_whose_branch_is_gone_is_gone(self, server: GitServer, tmp_path: Path) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        with pytest.raises(RevisionGone, match=r"0{40}.*correct the commit"):
            await fetched(source, Revision(id="0" * 40, ref="refs/heads/gone"), tmp_path)


async def newest(server: GitServer) -> Revision:
    return await GitRepository(server.url("flows.git")).resolve()
