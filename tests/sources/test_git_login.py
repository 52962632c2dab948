"""Credentials reach the Git server that they are for, and nobody else."""

from __future__ import annotations

import itertools
import ssl
import traceback
from pathlib import Path
from typing import Any

import pytest
import trustme

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import AuthenticationFailed, SourceInvalid
from flowsource.sources.git.credentials import CredentialsLike, GitCredentials
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.wire.http import Answer, GitHttp
from tests.sources.contract import fetched, files_in
from tests.sources.served import FILES, SECRET
from tests.support.git_server import GitServer, Refuse, git_server

pytestmark = pytest.mark.anyio


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
