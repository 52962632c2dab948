"""The server of Git LFS gets credentials where it is that of the repository, and nobody else does."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import AuthenticationFailed, SourceInvalid, SourceUnavailable
from flowsource.sources.git.credentials import GitCredentials
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import written
from tests.sources.git_lfs.model import MODEL
from tests.sources.served import SECRET
from tests.support.git_server import GitServer, Refuse
from tests.support.lfs import LfsObjects, oid_of, pointer_to

pytestmark = pytest.mark.anyio

BATCH = "flows.git/info/lfs/objects/batch"


class TestCredentials:
    def source(self, server: GitServer, token: str = SECRET) -> GitRepository:
        return GitRepository(server.url("flows.git"), credentials=GitCredentials(access_token=token))

    async def test_the_server_of_the_repository_gets_them(
        self, private: GitServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        private.beside = objects = LfsObjects(href=lambda oid: private.url(f"objects/{oid}"))
        repository.commit_files({"model.bin": objects.add(MODEL)})
        assert await written(self.source(private), tmp_path) == {"model.bin": MODEL}
        assert len(private.authorizations) == len(private.log)

    async def test_another_host_gets_what_the_answer_says_and_nothing_of_ours(
        self, private: GitServer, elsewhere: GitServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        private.beside = objects = LfsObjects(
            href=lambda oid: elsewhere.url(f"objects/{oid}?X-Signature=abc%2F"), headers={"X-Key": "of-theirs"}
        )
        repository.commit_files({"model.bin": objects.add(MODEL)})
        elsewhere.beside = LfsObjects(objects.contents)
        assert await written(self.source(private), tmp_path) == {"model.bin": MODEL}
        [exchange] = elsewhere.log
        assert exchange.path.endswith("?X-Signature=abc%2F")
        assert exchange.headers["X-Key"] == "of-theirs"
        assert not elsewhere.authorizations and SECRET not in str(exchange.headers)

    @pytest.mark.parametrize("answers", [True, False])
    async def test_what_an_address_is_signed_with_shows_nowhere(
        self,
        private: GitServer,
        elsewhere: GitServer,
        repository: FixtureRepository,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        answers: bool,
    ) -> None:
        caplog.set_level("DEBUG")
        nobody = "http://127.0.0.1:9/objects"
        private.beside = objects = LfsObjects(
            href=lambda oid: f"{elsewhere.url('objects') if answers else nobody}/{oid}?sig=of-theirs"
        )
        repository.commit_files({"model.bin": objects.add(MODEL)})
        shown = ""
        try:
            await written(self.source(private), tmp_path)
        except (SourceInvalid, SourceUnavailable) as error:
            shown = "".join(traceback.format_exception(error))
        assert "urllib3" in caplog.text and "model.bin" in shown
        assert "of-theirs" not in caplog.text + shown

    async def test_who_sends_us_on_to_another_host_takes_nothing_along(
        self, private: GitServer, elsewhere: GitServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        private.beside = objects = LfsObjects(
            href=lambda oid: private.url(f"objects/{oid}"), headers={"X-Key": "of-theirs"}
        )
        repository.commit_files({"model.bin": objects.add(MODEL)})
        oid = oid_of(MODEL)
        objects.moved[f"/objects/{oid}"] = elsewhere.url(f"objects/{oid}")
        elsewhere.beside = LfsObjects(objects.contents)
        assert await written(self.source(private), tmp_path) == {"model.bin": MODEL}
        [exchange] = elsewhere.log
        assert not elsewhere.authorizations and "X-Key" not in exchange.headers

    async def test_who_comes_back_from_another_host_gets_nothing_any_more(
        self, private: GitServer, elsewhere: GitServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        private.beside = objects = LfsObjects(href=lambda oid: elsewhere.url(f"objects/{oid}"))
        repository.commit_files({"model.bin": objects.add(MODEL)})
        oid = oid_of(MODEL)
        elsewhere.beside = LfsObjects(moved={f"/objects/{oid}": private.url(f"objects/{oid}")})
        with pytest.raises(SourceInvalid, match="does not give it out"):
            await written(self.source(private), tmp_path)
        assert "Authorization" not in private.log[-1].headers

    async def test_a_config_that_names_another_host_is_refused_and_nobody_is_asked_there(
        self, private: GitServer, elsewhere: GitServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        config = f"[lfs]\n\turl = {elsewhere.url('lfs')}\n"
        repository.commit_files({"model.bin": pointer_to(MODEL), ".lfsconfig": config})
        with pytest.raises(SourceInvalid, match=r"model\.bin.*\.lfsconfig.*not on the server"):
            await written(self.source(private), tmp_path)
        assert not elsewhere.log

    async def test_a_config_that_includes_a_file_of_this_machine_does_not_get_it_read(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        (tmp_path / "outside").write_text("[lfs]\n\turl = http://127.0.0.1:9/never\n")
        config = f"[include]\n\tpath = {tmp_path / 'outside'}\n"
        repository.commit_files({"model.bin": objects.add(MODEL), ".lfsconfig": config})
        assert (await written(GitRepository(server.url("flows.git")), tmp_path))["model.bin"] == MODEL

    async def test_a_server_that_refuses_them_says_so(
        self, private: GitServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"model.bin": pointer_to(MODEL)})
        private.misbehave(Refuse(status=403), on=BATCH)
        with pytest.raises(AuthenticationFailed, match=r"'model\.bin' is kept in Git LFS.*refused") as caught:
            await written(self.source(private), tmp_path)
        assert SECRET not in str(caught.value)
