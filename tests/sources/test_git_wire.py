"""What passes between a Git source and its server, also when the server misbehaves."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import ssl
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
import trustme
from dulwich.objects import ObjectID
from dulwich.protocol import pkt_line
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import (
    AuthenticationFailed,
    RevisionGone,
    SourceError,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
)
from flowsource.revisions import Revision
from flowsource.sources.git.checkpoint import Checkpoint, in_thread
from flowsource.sources.git.credentials import CredentialsLike, GitCredentials
from flowsource.sources.git.refs import Advertised
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire.exchange import GitWire
from flowsource.sources.git.wire.http import Answer, GitHttp
from flowsource.sources.git.wire.patience import Patience
from flowsource.sources.git.wire.ratelimits import asked_to_wait, retry_after
from tests.sources.contract import fetched, files_in
from tests.sources.fetching import fetch_into
from tests.support.git_server import Cut, Drip, GitServer, Refuse, Stall, git_server
from tests.support.parts import requires
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SECRET = "ghp_Zz9SecretOfThisTest"
EVIL = "\x1b]0;gone\x07\x1b[2J\u202e"
RESULT = {"Content-Type": "application/x-git-upload-pack-result"}
FILES: dict[str, str | bytes] = {"flows.py": "ANSWER = 41\n", "data.bin": random.Random(7).randbytes(50_000)}


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    repository = FixtureRepository.create(tmp_path / "served" / "flows.git")
    repository.commit_files(FILES)
    return repository


@pytest.fixture
def server(repository: FixtureRepository) -> Iterator[GitServer]:
    requires("git")
    with git_server(repository.path.parent) as server:
        yield server


@pytest.fixture
def private(repository: FixtureRepository) -> Iterator[GitServer]:
    requires("git")
    with git_server(repository.path.parent, login=("x-access-token", SECRET)) as server:
        yield server


def refs(wire: GitWire) -> Advertised:
    return wire.refs(["refs/heads/main"], login=None, checkpoint=lambda: None)


class TestPolling:
    async def test_a_poll_is_one_request_of_less_than_600_bytes_in_all(self, server: GitServer) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        server.log.clear()
        await source.resolve()
        [exchange] = server.log
        assert exchange.bytes_in + exchange.bytes_out < 600

    async def test_a_poll_does_not_grow_with_the_number_of_branches(
        self, repository: FixtureRepository, server: GitServer
    ) -> None:
        for number in range(200):
            repository.set_ref(f"refs/heads/feature-{number}", repository.tip())
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        await source.resolve()
        assert server.log[-1].bytes_in + server.log[-1].bytes_out < 600

    async def test_a_server_of_an_older_protocol_is_polled_in_one_request_too(self, server: GitServer) -> None:
        server.protocol_2 = False
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        server.log.clear()
        await source.resolve()
        assert [exchange.method for exchange in server.log] == ["GET"]

    async def test_a_server_that_insists_on_being_asked_for_its_capabilities_is_asked(
        self, repository: FixtureRepository, server: GitServer
    ) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        await source.resolve()
        server.protocol_2 = False
        assert await source.resolve() == Revision(id=repository.tip())

    async def test_a_second_revision_is_fetched_without_what_is_there_already(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path
    ) -> None:
        source = GitRepository(server.url("flows.git"), branch="main")
        await fetched(source, await source.resolve(), tmp_path, name="first")
        first = server.log[-1].bytes_out
        repository.commit_files({**FILES, "flows.py": "ANSWER = 42\n"})
        second = await fetched(source, await source.resolve(), tmp_path, name="second")
        assert server.log[-1].bytes_out < first / 20
        assert files_in(second)["data.bin"] == FILES["data.bin"]

    async def test_a_repository_with_the_longer_ids_is_served_too(self, tmp_path: Path) -> None:
        requires("git")
        work, identity = tmp_path / "work", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        git = ["git", *identity, "-C", str(work)]
        work.mkdir()
        (work / "flows.py").write_text("ANSWER = 42\n")
        (tmp_path / "served").mkdir()
        for command in (
            [*git, "init", "-q", "--object-format=sha256"],
            [*git, "add", "."],
            [*git, "commit", "-q", "-m", "x"],
            ["git", "clone", "-q", "--bare", str(work), str(tmp_path / "served" / "flows.git")],
        ):
            subprocess.run(command, check=True, capture_output=True)
        with git_server(tmp_path / "served") as server:
            source = GitRepository(server.url("flows.git"))
            revision = await source.resolve()
            assert len(revision.id) == 64
            assert await source.resolve() == revision
            assert server.log[-1].method == "POST"
            assert files_in(await fetched(source, revision, tmp_path)) == {"flows.py": b"ANSWER = 42\n"}


class TestCredentials:
    async def test_the_right_ones_open_the_repository(self, private: GitServer, tmp_path: Path) -> None:
        source = GitRepository(private.url("flows.git"), credentials=GitCredentials(access_token=SECRET))
        assert set(files_in(await fetched(source, await source.resolve(), tmp_path))) == set(FILES)

    async def test_wrong_ones_are_said_to_be_wrong_and_never_printed(
        self, private: GitServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        wrong = SECRET + "-wrong"
        source = GitRepository(private.url("flows.git"), credentials=GitCredentials(access_token=wrong))
        with pytest.raises(AuthenticationFailed, match="refused the credentials of user 'x-access-token'") as caught:
            await source.resolve()
        assert wrong not in "".join(traceback.format_exception(caught.value))
        assert SECRET not in caplog.text

    async def test_missing_ones_are_asked_for(self, private: GitServer) -> None:
        with pytest.raises(AuthenticationFailed, match="asks for credentials"):
            await GitRepository(private.url("flows.git")).resolve()

    async def test_a_token_that_is_replaced_is_used_from_then_on(
        self, private: GitServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = GitRepository(private.url("flows.git"), credentials={"access_token_env": "REPO_TOKEN"})
        monkeypatch.setenv("REPO_TOKEN", SECRET)
        revision = await source.resolve()
        private.login = ("x-access-token", "another")
        with pytest.raises(AuthenticationFailed, match="environment variable REPO_TOKEN"):
            await source.resolve()
        monkeypatch.setenv("REPO_TOKEN", "another")
        assert await source.resolve() == revision

    @pytest.mark.parametrize("by", ["environment", "file", "callable"])
    async def test_a_token_that_is_replaced_between_poll_and_fetch_costs_no_attempt(
        self, private: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
    ) -> None:
        """The server is told of the new one before whoever looks the old one up is."""
        file, tokens = tmp_path / "token", iter([SECRET, SECRET, "renewed"])
        monkeypatch.setenv("REPO_TOKEN", SECRET)
        file.write_text(SECRET)
        credentials: dict[str, CredentialsLike] = {
            "environment": GitCredentials(access_token_env="REPO_TOKEN"),
            "file": GitCredentials(access_token_file=file),
            "callable": lambda: {"token": next(tokens)},
        }
        source = GitRepository(private.url("flows.git"), credentials=credentials[by])
        revision = await source.resolve()
        private.login = ("x-access-token", "renewed")
        ask = GitHttp.post

        def asked(*args: Any, **kwargs: Any) -> Answer:
            try:
                return ask(*args, **kwargs)
            finally:
                file.write_text("renewed")
                monkeypatch.setenv("REPO_TOKEN", "renewed")

        monkeypatch.setattr(GitHttp, "post", asked)
        assert set(files_in(await fetched(source, revision, tmp_path))) == set(FILES)
        assert [exchange.status for exchange in private.log[-2:]] == [401, 200]

    async def test_a_token_that_stays_wrong_is_tried_once(self, private: GitServer) -> None:
        """More often, and the server may lock somebody out."""
        source = GitRepository(private.url("flows.git"), credentials={"token": "wrong"})
        with pytest.raises(AuthenticationFailed):
            await source.resolve()
        assert len(private.log) == 1

    async def test_a_callable_that_gives_something_new_each_time_is_tried_twice(self, private: GitServer) -> None:
        numbers = itertools.count()
        source = GitRepository(private.url("flows.git"), credentials=lambda: {"token": f"wrong-{next(numbers)}"})
        with pytest.raises(AuthenticationFailed):
            await source.resolve()
        assert len(private.log) == 2

    async def test_a_bearer_token_is_sent_as_it_is(
        self, private: GitServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        private.login = SECRET
        bearer = GitCredentials(access_token=SECRET, scheme="bearer")
        source = GitRepository(private.url("flows.git"), credentials=bearer)
        assert set(files_in(await fetched(source, await source.resolve(), tmp_path))) == set(FILES)
        assert set(private.authorizations) == {f"Bearer {SECRET}"}
        private.login = "another"
        with pytest.raises(AuthenticationFailed, match="refused the bearer token from access_token") as caught:
            await source.resolve()
        assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text

    @pytest.mark.parametrize("scheme", ["basic", "bearer"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_no_redirect_takes_them_to_another_port(
        self, private: GitServer, server: GitServer, tmp_path: Path, status: int, scheme: str
    ) -> None:
        private.login = SECRET if scheme == "bearer" else private.login
        new = server.url("flows.git")
        source = GitRepository(private.url("flows.git"), credentials={"token": SECRET, "scheme": scheme})
        revision = await source.resolve()
        for part, path in (("GET", "/info/refs?service=git-upload-pack"), ("POST", "/git-upload-pack")):
            private.misbehave(Refuse(status=status, headers={"Location": new + path}), on=part)
        for attempt in (source.resolve, lambda: fetched(source, revision, tmp_path)):
            with pytest.raises(SourceInvalid, match=f"has moved to {new}; correct the URL"):
                await attempt()
        assert server.log == []

    @pytest.mark.parametrize("location", ["//{}/flows.git/info/refs", "http://{}/flows.git", "/flows.git/elsewhere"])
    async def test_no_redirect_takes_them_to_another_host_or_from_https_to_http(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path, location: str
    ) -> None:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        where = location.format(f"localhost:{server.port}")
        with git_server(repository.path.parent, login=("x-access-token", SECRET), tls=tls) as private:
            private.misbehave(Refuse(status=302, headers={"Location": where}))
            source = GitRepository(
                private.url("flows.git"), credentials={"token": SECRET}, ca_bundle=tmp_path / "ca.pem"
            )
            with pytest.raises(SourceInvalid, match="has moved to http"):
                await source.resolve()
            assert len(private.log) == 1
        assert server.log == []

    async def test_they_are_not_logged(
        self, private: GitServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        source = GitRepository(private.url("flows.git"), credentials=GitCredentials(access_token=SECRET))
        await fetched(source, await source.resolve(), tmp_path)
        [authorization] = set(private.authorizations)
        assert SECRET not in caplog.text
        assert authorization.removeprefix("Basic ") not in caplog.text


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
        await until(ended.is_set, within=20)

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


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("17", 17.0),
        (" 0 ", 0.0),
        ("Wed, 01 Jan 2025 12:01:30 GMT", 90.0),
        ("Wed, 01 Jan 2025 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("9" * 20, 86_400.0),
        ("9" * 400, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Wed, 01 Jan 2025 12:01:30 +99999999999999", None),
        ("Wed, 01 Jan 99999999999999999999 12:01:30 GMT", None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=datetime(2025, 1, 1, 12, 0, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1735732890"}, 90.0),
        ({"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "1735732890"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1735732890", "Retry-After": "5"}, 5.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 400}, 86_400.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
    ],
)
async def test_when_more_requests_are_allowed_is_read_as_github_says_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_to_wait(headers, now=datetime(2025, 1, 1, 12, 0, tzinfo=UTC)) == seconds


async def newest(server: GitServer) -> Revision:
    return await GitRepository(server.url("flows.git")).resolve()
