"""Files that Git LFS keeps beside a repository."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import AuthenticationFailed, SourceInvalid, SourceUnavailable, UnsafeTree
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.git.credentials import GitCredentials
from flowsource.sources.git.lfs.batch import Download, Refused, parse_answer
from flowsource.sources.git.lfs.pointers import Pointer, parse_pointer
from flowsource.sources.git.lfs.server import place_of
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.urls import parse_url
from tests.sources.contract import fetched, files_in
from tests.support.git_server import Cut, GitServer, Refuse, git_server
from tests.support.lfs import LfsObjects, oid_of, pointer_to
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

SECRET = "ghp_Zz9SecretOfThisTest"
MODEL = bytes(range(256)) * 3000
BATCH = "flows.git/info/lfs/objects/batch"


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    return FixtureRepository.create(tmp_path / "served" / "flows.git")


@pytest.fixture
def server(repository: FixtureRepository) -> Iterator[GitServer]:
    requires("git")
    with git_server(repository.path.parent) as server:
        yield server


@pytest.fixture
def objects(server: GitServer) -> LfsObjects:
    """What `server` has, which says of itself where."""
    objects = LfsObjects(href=lambda oid: server.url(f"objects/{oid}"))
    server.beside = objects
    return objects


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[GitServer]:
    """A second host, which has files and needs to know nothing of us."""
    (tmp_path / "elsewhere").mkdir()
    with git_server(tmp_path / "elsewhere") as server:
        server.beside = LfsObjects()
        yield server


async def written(source: GitRepository, at: Path, *, name: str = "fetched") -> dict[str, bytes]:
    return files_in(await fetched(source, await source.resolve(), at, name=name))


class TestPointers:
    def test_one_as_the_specification_has_it_is_known(self) -> None:
        assert parse_pointer(pointer_to(MODEL).encode(), b"x") == Pointer(oid_of(MODEL), len(MODEL))

    @pytest.mark.parametrize("content", [b"", b"version 1\n", b"# version https://git-lfs.github.com/spec/v1\n"])
    def test_any_other_file_is_none(self, content: bytes) -> None:
        assert parse_pointer(content, b"x") is None

    def test_a_file_that_is_longer_than_a_pointer_may_be_is_none(self) -> None:
        assert parse_pointer(pointer_to(MODEL).encode() + b"\n" * 1024, b"x") is None

    @pytest.mark.parametrize(
        "change",
        [
            ("oid sha256:", "oid md5:"),
            ("size 7", "size -7"),
            ("size 7", "size 07"),
            ("size 7", "size 9999999999999999999"),
            ("size 7", "size 7\nsize 8"),
            ("oid ", "ext-0-gpg sha256:00\noid "),
            ("oid sha256:", "oid sha256:../"),
        ],
    )
    def test_one_that_goes_on_otherwise_is_refused_with_its_name(self, change: tuple[str, str]) -> None:
        content = pointer_to(b"content").replace(*change)
        with pytest.raises(UnsafeTree, match=r"models/one\.bin.*pointer of Git LFS"):
            parse_pointer(content.encode(), b"models/one.bin")


class TestAnswers:
    def answer(self, **changes: Any) -> bytes:
        one = {"oid": "ab", "size": 1, "actions": {"download": {"href": "https://x/1"}}, **changes}
        return json.dumps({"objects": [one]}).encode()

    def test_a_download_has_a_place_and_headers(self) -> None:
        action = {"download": {"href": "https://x/1", "header": {"X-Key": "k", "Host": "elsewhere"}}}
        assert parse_answer(self.answer(actions=action)) == {"ab": Download("https://x/1", {"X-Key": "k"})}

    def test_an_error_says_why(self) -> None:
        error = {"code": 410, "message": "gone\x1b[2J"}
        assert parse_answer(self.answer(error=error)) == {"ab": Refused(410, "gone [2J")}

    def test_neither_secrets_nor_places_show_when_it_is_printed(self) -> None:
        assert SECRET not in repr(Download(f"https://x/?sig={SECRET}", {"X-Key": SECRET}))

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>",
            b"[]",
            b"{}",
            b'{"objects": [7]}',
            b'{"objects": [], "transfer": "tus"}',
            b"[" * 100_000,
            b'{"objects":[{"oid":"a","actions":{"download":{"href":"http://x","header":{"A":"b\\r\\nC: d"}}}}]}',
            b'{"objects":[{"oid":"a","actions":{"download":{"href":"http://x","header":{"A b":"c"}}}}]}',
        ],
    )
    def test_one_that_makes_no_sense_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"^(it|a|the) "):
            parse_answer(body)


class TestFetching:
    async def test_files_come_in_place_of_their_pointers(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"flows.py": "\n", "models/one.bin": objects.add(MODEL), "empty": objects.add(b"")})
        source = GitRepository(server.url("flows.git"))
        assert await written(source, tmp_path) == {"flows.py": b"\n", "models/one.bin": MODEL, "empty": b""}

    async def test_the_mode_is_that_of_the_pointer(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        tree = tmp_path / "01-tool"
        tree.mkdir()
        (tree / "tool").write_text(objects.add(MODEL))
        (tree / "tool").chmod(0o755)
        repository.commit(tree)
        source = GitRepository(server.url("flows.git"))
        found = await fetched(source, await source.resolve(), tmp_path)
        assert (found / "tool").stat().st_mode & 0o777 == 0o555

    async def test_a_file_that_is_there_twice_is_downloaded_once(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"a.bin": objects.add(MODEL), "b.bin": pointer_to(MODEL)})
        assert await written(GitRepository(server.url("flows.git")), tmp_path) == {"a.bin": MODEL, "b.bin": MODEL}
        assert sum(exchange.path.startswith("/objects/") for exchange in server.log) == 1

    async def test_a_hundred_are_asked_for_at_once(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        contents = {f"{number}.bin": b"%d" % number for number in range(130)}
        repository.commit_files({name: objects.add(content) for name, content in contents.items()})
        assert await written(GitRepository(server.url("flows.git")), tmp_path) == contents
        assert [len(batch) for batch in objects.asked] == [100, 30]

    async def test_one_that_an_earlier_snapshot_has_is_not_downloaded_again(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        cache, source = SnapshotCache(tmp_path / "cache"), GitRepository(server.url("flows.git"))
        repository.commit_files({"model.bin": objects.add(MODEL), "flows.py": "A = 1\n"})
        await cache.ensure(source, await source.resolve())
        server.log.clear()
        repository.commit_files({"model.bin": pointer_to(MODEL), "flows.py": "A = 2\n"})
        snapshot = await cache.ensure(source, await source.resolve())
        assert (snapshot.root / "model.bin").read_bytes() == MODEL
        assert not any("objects" in exchange.path for exchange in server.log)
        assert await cache.verify(snapshot) == ()

    async def test_only_the_directories_that_are_taken_are_asked_for(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"flows/a.bin": objects.add(b"wanted"), "other/b.bin": objects.add(b"unwanted")})
        source = GitRepository(server.url("flows.git"), directories=["flows"])
        assert await written(source, tmp_path) == {"flows/a.bin": b"wanted"}
        assert objects.asked == [[oid_of(b"wanted")]]

    async def test_without_it_the_pointers_stay(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"model.bin": objects.add(MODEL)})
        source = GitRepository(server.url("flows.git"), include_lfs=False)
        assert await written(source, tmp_path) == {"model.bin": pointer_to(MODEL).encode()}
        assert not objects.asked

    async def test_with_and_without_are_two_snapshots_and_neither_takes_from_the_other(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"model.bin": objects.add(MODEL)})
        cache = SnapshotCache(tmp_path / "cache")
        found = []
        for include in (False, True, False):
            source = GitRepository(server.url("flows.git"), include_lfs=include)
            snapshot = await cache.ensure(source, await source.resolve())
            found.append((snapshot.root / "model.bin").read_bytes())
        assert found == [pointer_to(MODEL).encode(), MODEL, pointer_to(MODEL).encode()]

    async def test_a_directory_gives_what_git_lfs_keeps_in_it(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        oid = oid_of(MODEL)
        place = repository.path / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        place.parent.mkdir(parents=True)
        place.write_bytes(MODEL)
        repository.commit_files({"model.bin": pointer_to(MODEL), "empty": pointer_to(b"")})
        assert await written(GitRepository(repository.path), tmp_path) == {"model.bin": MODEL, "empty": b""}

    async def test_a_directory_without_it_says_how_to_get_it(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"model.bin": pointer_to(MODEL)})
        with pytest.raises(SourceInvalid, match=r"'model\.bin' is kept in Git LFS: .*git lfs fetch --all.*include_lfs"):
            await written(GitRepository(repository.path), tmp_path)

    async def test_a_server_of_its_own_on_the_same_host_is_asked(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        config = f"[lfs]\n\turl = {server.url('kept/here')}\n"
        repository.commit_files({"model.bin": objects.add(MODEL), ".lfsconfig": config})
        assert (await written(GitRepository(server.url("flows.git")), tmp_path))["model.bin"] == MODEL
        assert "/kept/here/objects/batch" in [exchange.path for exchange in server.log]


class TestCredentials:
    @pytest.fixture
    def private(self, repository: FixtureRepository) -> Iterator[GitServer]:
        requires("git")
        with git_server(repository.path.parent, login=("x-access-token", SECRET)) as server:
            yield server

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


class TestFailures:
    @pytest.fixture
    def pushed(self, repository: FixtureRepository, objects: LfsObjects) -> None:
        repository.commit_files({"model.bin": objects.add(MODEL), "z.bin": objects.add(b"last")})

    async def failure(self, server: GitServer, tmp_path: Path) -> Exception:
        with pytest.raises((SourceInvalid, SourceUnavailable)) as caught:
            await written(GitRepository(server.url("flows.git")), tmp_path)
        assert "is kept in Git LFS" in str(caught.value)
        return caught.value

    async def test_a_host_without_git_lfs(self, server: GitServer, pushed: None, tmp_path: Path) -> None:
        server.misbehave(Refuse(status=404), on=BATCH)
        error = await self.failure(server, tmp_path)
        assert "no server of Git LFS" in str(error) and "include_lfs=False" in str(error)

    async def test_a_page_in_place_of_an_answer(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        objects.answer = b"<html>sign in</html>"
        assert "does not answer as a server of Git LFS" in str(await self.failure(server, tmp_path))

    async def test_a_file_that_was_never_uploaded_is_named(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        del objects.contents[oid_of(b"last")]
        error = await self.failure(server, tmp_path)
        assert "'z.bin'" in str(error) and "git lfs push" in str(error)
        assert not any(exchange.path.startswith("/objects/") for exchange in server.log)

    async def test_a_file_that_its_host_does_not_give_out(
        self, server: GitServer, pushed: None, tmp_path: Path
    ) -> None:
        server.misbehave(Refuse(status=403), on="GET /objects/")
        assert "does not give it out" in str(await self.failure(server, tmp_path))

    async def test_other_content_than_the_commit_says(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        objects.contents[oid_of(MODEL)] = MODEL[::-1]
        assert "other content" in str(await self.failure(server, tmp_path))

    async def test_more_content_than_the_commit_says(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        objects.contents[oid_of(MODEL)] = MODEL + b"more"
        assert "there is more of it" in str(await self.failure(server, tmp_path))

    async def test_a_connection_that_breaks_may_do_better_later(
        self, server: GitServer, pushed: None, tmp_path: Path
    ) -> None:
        server.misbehave(Cut(after=100_000), on="GET /objects/")
        assert isinstance(await self.failure(server, tmp_path), SourceUnavailable)

    async def test_a_server_that_is_too_busy_says_how_long(
        self, server: GitServer, pushed: None, tmp_path: Path
    ) -> None:
        server.misbehave(Refuse(status=429, headers={"Retry-After": "7"}), on=BATCH)
        error = await self.failure(server, tmp_path)
        assert isinstance(error, SourceUnavailable) and error.retry_after == 7

    async def test_who_is_sent_on_and_on_gives_up(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        path = f"/objects/{oid_of(MODEL)}"
        objects.moved[path] = path
        assert "on and on" in str(await self.failure(server, tmp_path))

    @pytest.mark.parametrize(
        "href", ["file:///etc/passwd", "ftp://x/y", "/relative", "http://user:pw@127.0.0.1/x", "http://x y/", "http://"]
    )
    async def test_an_address_that_is_none_is_refused(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path, href: str
    ) -> None:
        objects.href = lambda oid: href
        assert "names no http address" in str(await self.failure(server, tmp_path))

    def test_who_is_asked_over_https_cannot_send_us_to_plain_http(self) -> None:
        where = parse_url("https://host/flows.git/info/lfs")[0]
        assert place_of(f"https://other/{SECRET}?x={SECRET}", where)[0].url == "https://other"
        with pytest.raises(SourceInvalid, match="to other for it, without https") as caught:
            place_of(f"http://other/{SECRET}", where)
        assert SECRET not in str(caught.value)

    async def test_more_than_a_disk_can_take_is_refused_before_anything_is_asked_for(
        self, server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        huge = pointer_to(MODEL).replace(f"size {len(MODEL)}", f"size {100 << 30}")
        repository.commit_files({"model.bin": huge})
        with pytest.raises(UnsafeTree, match=r"model\.bin.*20 GiB"):
            await written(GitRepository(server.url("flows.git")), tmp_path)
        assert not objects.asked

    async def test_nothing_half_made_stays(
        self, server: GitServer, objects: LfsObjects, pushed: None, tmp_path: Path
    ) -> None:
        cache, source = SnapshotCache(tmp_path / "cache"), GitRepository(server.url("flows.git"))
        objects.contents[oid_of(b"last")] = b"tsal"
        revision = await source.resolve()
        with pytest.raises(SourceInvalid, match=r"'z\.bin'"):
            await cache.ensure(source, revision)
        assert cache.find(source.key, revision) is None
        objects.contents[oid_of(b"last")] = b"last"
        snapshot = await cache.ensure(source, revision)
        assert (snapshot.root / "z.bin").read_bytes() == b"last"


async def test_a_repository_with_files_of_git_itself_alone_asks_for_nothing(
    server: GitServer, objects: LfsObjects, repository: FixtureRepository, tmp_path: Path
) -> None:
    repository.commit_files({"flows.py": "\n"})
    await written(GitRepository(server.url("flows.git")), tmp_path)
    assert not objects.asked
