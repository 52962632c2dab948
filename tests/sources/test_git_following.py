"""What a Git source follows, and what it says when that is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dulwich.objects import ObjectID, Tag
from dulwich.protocol import pkt_line
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository, steps
from flowsource.errors import InvalidInput, RefNotFound, SourceInvalid, SourceMissing, SourceUnavailable
from flowsource.revisions import Revision
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.writing import TreeWriter
from tests.sources.contract import fetched, files_in
from tests.support.git_server import GitServer, Refuse
from tests.support.repositories import FIXTURES, add_blob, add_tree

pytestmark = pytest.mark.anyio


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    return FixtureRepository.create(tmp_path / "served" / "flows.git", steps(FIXTURES / "demo"))


@pytest.fixture(params=["over http", "over http of version 0", "from a directory"])
def url(request: pytest.FixtureRequest, repository: FixtureRepository) -> str:
    if request.param == "from a directory":
        return str(repository.path)
    server: GitServer = request.getfixturevalue("server")
    server.protocol_2 = request.param == "over http"
    return server.url("flows.git")


async def test_without_a_name_it_follows_what_head_stands_for(url: str, repository: FixtureRepository) -> None:
    revision = await GitRepository(url).resolve()
    assert (revision.id, revision.ref) == (repository.tip(), "refs/heads/main")


async def test_a_default_branch_that_is_renamed_is_followed(url: str, repository: FixtureRepository) -> None:
    source = GitRepository(url)
    assert (await source.resolve()).ref == "refs/heads/main"
    repository.set_ref("refs/heads/trunk", repository.tip())
    repository.set_head("trunk")
    repository.set_ref("refs/heads/main", None)
    assert (await source.resolve()).ref == "refs/heads/trunk"


async def test_a_branch_with_slashes_is_followed(url: str, repository: FixtureRepository) -> None:
    commit = repository.commit_files({"flows.py": "ANSWER = 42\n"}, branch="feature/one/two")
    assert await GitRepository(url, branch="feature/one/two").resolve() == Revision(id=commit)


async def test_a_branch_and_a_tag_of_one_name_are_told_apart(url: str, repository: FixtureRepository) -> None:
    old, new = repository.tip(), repository.commit_files({"flows.py": "ANSWER = 42\n"})
    repository.set_ref("refs/heads/same", new)
    repository.set_ref("refs/tags/same", old)
    assert (await GitRepository(url, branch="same").resolve()).id == new
    assert (await GitRepository(url, tag="same").resolve()).id == old


async def test_an_annotated_tag_leads_to_its_commit(url: str, repository: FixtureRepository, tmp_path: Path) -> None:
    repository.annotate("v1", repository.tip())
    source = GitRepository(url, tag="v1")
    revision = await source.resolve()
    assert (revision.id, revision.ref) == (repository.tip(), "refs/tags/v1")
    assert "flows.py" in files_in(await fetched(source, revision, tmp_path))


async def test_a_tag_of_a_tag_leads_to_its_commit(url: str, repository: FixtureRepository, tmp_path: Path) -> None:
    inner = repository.annotate("inner", repository.tip())
    with Repo(str(repository.path)) as repo:
        outer = Tag()
        outer.name, outer.message, outer.tagger = b"outer", b"x", b"Ada <ada@example.org>"
        outer.object, outer.tag_time, outer.tag_timezone = (Tag, ObjectID(inner.encode())), 0, 0
        repo.object_store.add_object(outer)
    repository.set_ref("refs/tags/outer", outer.id.decode())
    source = GitRepository(url, tag="outer")
    revision = await source.resolve()
    assert revision.id == repository.tip()
    assert "flows.py" in files_in(await fetched(source, revision, tmp_path))


async def test_a_light_tag_leads_to_its_commit(url: str, repository: FixtureRepository) -> None:
    repository.set_ref("refs/tags/light", repository.tip())
    assert await GitRepository(url, tag="light").resolve() == Revision(id=repository.tip())


async def test_a_branch_that_is_named_like_a_commit_is_a_branch(url: str, repository: FixtureRepository) -> None:
    old = repository.tip()
    new = repository.commit_files({"flows.py": "ANSWER = 42\n"})
    repository.set_ref(f"refs/heads/{old}", new)
    repository.set_ref(f"refs/heads/{old[:8]}", new)
    repository.set_ref("refs/heads/old", old)
    assert (await GitRepository(url, branch=old).resolve()).id == new
    assert (await GitRepository(url, commit_sha=old).resolve()).id == old
    assert (await GitRepository(url, commit_sha=old[:8]).resolve()).id == old


async def test_a_branch_that_was_deleted_and_is_back_is_followed_again(url: str, repository: FixtureRepository) -> None:
    tip = repository.tip()
    source = GitRepository(url, branch="coming")
    for _ in range(2):
        with pytest.raises(RefNotFound, match="has no branch 'coming'"):
            await source.resolve()
        repository.set_ref("refs/heads/coming", tip)
        assert (await source.resolve()).id == tip
        repository.set_ref("refs/heads/coming", None)


async def test_a_branch_that_is_put_back_is_followed(url: str, repository: FixtureRepository, tmp_path: Path) -> None:
    old = repository.tip()
    new = repository.commit_files({"flows.py": "ANSWER = 42\n"})
    source = GitRepository(url, branch="main")
    for number, commit in enumerate((new, old, new)):
        repository.set_ref("refs/heads/main", commit)
        revision = await source.resolve()
        assert revision.id == commit
        found = files_in(await fetched(source, revision, tmp_path, name=str(number)))
        assert (found["flows.py"] == b"ANSWER = 42\n") is (commit == new)


async def test_a_tag_that_is_moved_is_followed(url: str, repository: FixtureRepository) -> None:
    source = GitRepository(url, tag="v1")
    repository.annotate("v1", repository.tip())
    before = await source.resolve()
    repository.annotate("v1", repository.commit_files({"flows.py": "ANSWER = 42\n"}))
    assert await source.resolve() != before


async def test_a_ref_of_any_kind_is_followed_by_its_full_name(url: str, repository: FixtureRepository) -> None:
    repository.set_ref("refs/pull/7/head", repository.tip())
    assert (await GitRepository(url, ref="refs/pull/7/head").resolve()).ref == "refs/pull/7/head"


async def test_history_that_was_rewritten_is_followed(url: str, repository: FixtureRepository, tmp_path: Path) -> None:
    source = GitRepository(url, branch="main")
    first = await source.resolve()
    await fetched(source, first, tmp_path, name="first")
    repository.set_ref("refs/heads/main", None)
    rewritten = repository.commit_files({"flows.py": "REWRITTEN = True\n"})
    second = await source.resolve()
    assert second.id == rewritten
    assert files_in(await fetched(source, second, tmp_path, name="second")) == {"flows.py": b"REWRITTEN = True\n"}


async def test_a_branch_that_was_deleted_is_said_to_be_missing(url: str, repository: FixtureRepository) -> None:
    repository.set_ref("refs/heads/short-lived", repository.tip())
    source = GitRepository(url, branch="short-lived")
    await source.resolve()
    repository.set_ref("refs/heads/short-lived", None)
    with pytest.raises(RefNotFound, match="has no branch 'short-lived'"):
        await source.resolve()


async def test_a_misspelled_branch_is_answered_with_those_near_it(url: str, repository: FixtureRepository) -> None:
    for name in ("develop", "release/1", "unrelated"):
        repository.set_ref(f"refs/heads/{name}", repository.tip())
    with pytest.raises(RefNotFound, match="has no branch 'devlop'; names near it: develop") as caught:
        await GitRepository(url, branch="devlop").resolve()
    assert "unrelated" not in caught.value.near


async def test_a_tag_given_as_a_branch_is_recognised(url: str, repository: FixtureRepository) -> None:
    repository.set_ref("refs/tags/v1.0", repository.tip())
    with pytest.raises(RefNotFound, match=r"names near it: tag v1\.0"):
        await GitRepository(url, branch="v1.0").resolve()


async def test_a_repository_without_a_commit_says_so(url: str, repository: FixtureRepository) -> None:
    repository.set_ref("refs/heads/main", None)
    with pytest.raises(RefNotFound, match="has no commit yet"):
        await GitRepository(url).resolve()


async def test_a_head_that_leads_nowhere_is_answered_with_the_branches(url: str, repository: FixtureRepository) -> None:
    repository.set_head("gone")
    with pytest.raises(RefNotFound, match="has no branch that its HEAD stands for; names near it: main"):
        await GitRepository(url).resolve()


async def test_a_whole_commit_id_is_itself_and_an_old_commit_can_be_fetched(
    repository: FixtureRepository, server: GitServer, tmp_path: Path
) -> None:
    old = repository.tip()
    repository.commit_files({"flows.py": "NEWER = True\n"})
    source = GitRepository(server.url("flows.git"), commit_sha=old.upper())
    assert await source.resolve() == Revision(id=old)
    assert server.log == []
    assert b"thank you" in files_in(await fetched(source, await source.resolve(), tmp_path))["flows.py"]


async def test_a_commit_that_was_fetched_is_served_with_the_remote_away(
    repository: FixtureRepository, server: GitServer, tmp_path: Path
) -> None:
    source = GitRepository(server.url("flows.git"), commit_sha=repository.tip())
    await fetched(source, await source.resolve(), tmp_path, name="first")
    asked = len(server.log)
    await fetched(source, await source.resolve(), tmp_path, name="second")
    assert len(server.log) == asked
    assert files_in(tmp_path / "first") == files_in(tmp_path / "second")


async def test_the_beginning_of_a_commit_that_a_branch_is_at_is_enough_and_stays_that_commit(
    url: str, repository: FixtureRepository
) -> None:
    tip = repository.tip()
    source = GitRepository(url, commit_sha=tip[:8])
    assert await source.resolve() == Revision(id=tip)
    repository.commit_files({"flows.py": "NEWER = True\n"})
    assert await source.resolve() == Revision(id=tip)


async def test_the_beginning_of_another_commit_asks_for_the_rest(url: str, repository: FixtureRepository) -> None:
    old = repository.tip()
    repository.commit_files({"flows.py": "NEWER = True\n"})
    with pytest.raises(RefNotFound, match=f"{old[:8]}.*give all 40 digits"):
        await GitRepository(url, commit_sha=old[:8]).resolve()


async def test_all_refs_of_a_repository_are_resolved_in_one_request(
    repository: FixtureRepository, server: GitServer
) -> None:
    repository.annotate("v1", repository.tip())
    old = repository.tip()
    new = repository.commit_files({"flows.py": "ANSWER = 42\n"}, branch="other")
    url = server.url("flows.git")
    sources = [
        GitRepository(url),
        GitRepository(url, branch="other"),
        GitRepository(url, tag="v1"),
        GitRepository(url, commit_sha="0" * 40),
    ]
    await sources[0].resolve()
    server.log.clear()
    answers = await sources[0].resolve_together(sources)
    assert answers == [Revision(id=old), Revision(id=new), Revision(id=old), Revision(id="0" * 40)]
    assert len(server.log) == 1


async def test_one_missing_ref_does_not_hide_the_others(url: str, repository: FixtureRepository) -> None:
    sources = [GitRepository(url, branch="main"), GitRepository(url, branch="mian")]
    good, bad = await sources[0].resolve_together(sources)
    assert good == Revision(id=repository.tip())
    assert isinstance(bad, RefNotFound)
    assert bad.near == ("main",)


async def test_a_revision_tells_of_its_commit_once_fetched(
    url: str, repository: FixtureRepository, tmp_path: Path
) -> None:
    source = GitRepository(url)
    (tmp_path / "into").mkdir()
    (tmp_path / "workspace").mkdir()
    into = TreeWriter(tmp_path / "into")
    revision = await source.fetch(await source.resolve(), into, workspace=tmp_path / "workspace")
    assert revision.subject == "Repair the import and say thanks"
    assert revision.author == "Ada Example <ada@example.org>"
    assert revision.committed_at == datetime(2025, 1, 1, 12, 3, tzinfo=UTC)
    assert revision.ref == "refs/heads/main"


async def test_a_subject_cannot_command_a_terminal(repository: FixtureRepository, tmp_path: Path) -> None:
    repository.commit_files({"flows.py": ""}, message="\x1b[2Jwiped\u202e and reversed\nbody")
    source = GitRepository(repository.path)
    (tmp_path / "into").mkdir()
    revision = await source.fetch(await source.resolve(), TreeWriter(tmp_path / "into"), workspace=tmp_path)
    assert revision.subject == "[2Jwiped  and reversed"


@pytest.mark.parametrize("evil", ["main\x9b2J", "main\u202e", "main\u2028", "main" + "n" * 600], ids=ascii)
async def test_a_name_that_others_chose_cannot_command_a_terminal(
    repository: FixtureRepository, server: GitServer, evil: str
) -> None:
    repository.set_ref("refs/heads/mainz", repository.tip())
    advertised = "".join(
        pkt_line(line.encode()).decode()
        for line in (
            f"{repository.tip()} HEAD symref-target:refs/heads/{evil}\n",
            f"{repository.tip()} refs/heads/{evil}\n",
            f"{repository.tip()} refs/heads/mainz\n",
        )
    )
    source, misspelled = GitRepository(server.url("flows.git")), GitRepository(server.url("flows.git"), branch="maink")
    await source.resolve()
    await misspelled.resolve_together([source])
    headers = {"Content-Type": "application/x-git-upload-pack-result"}
    server.misbehave(Refuse(status=200, headers=headers, body=advertised.encode() + b"0000"), on="ls-refs")
    revision = await source.resolve()
    assert (revision.id, revision.ref) == (repository.tip(), "HEAD")
    with pytest.raises(RefNotFound) as caught:
        await misspelled.resolve()
    assert caught.value.near == ("mainz",)
    assert str(caught.value).isprintable()


async def test_a_tag_on_something_else_than_a_commit_is_refused(
    url: str, repository: FixtureRepository, tmp_path: Path
) -> None:
    tree = add_tree(repository, (0o100644, b"flows.py", add_blob(repository, b"")))
    repository.set_ref("refs/tags/tree", tree)
    source = GitRepository(url, tag="tree")
    with pytest.raises(SourceInvalid, match="is a tree, and only a commit can be served"):
        await fetched(source, await source.resolve(), tmp_path)


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("HEAD", b"\0" * 41),
        ("HEAD", b"\xff\xfe nonsense"),
        ("config", b"[core\nbare"),
        ("config", b"\0\0\0"),
        ("refs/heads/main", b"\0" * 41),
        ("refs/heads/main", b"ref: refs/heads/main\n"),
        ("packed-refs", b"nonsense\n"),
    ],
)
async def test_a_damaged_directory_is_said_to_be(
    repository: FixtureRepository, tmp_path: Path, place: str, content: bytes
) -> None:
    (repository.path / place).write_bytes(content)
    source = GitRepository(repository.path)
    with pytest.raises(SourceInvalid) as caught:
        await fetched(source, await source.resolve(), tmp_path)
    assert f"{repository.path} is damaged" in str(caught.value)
    assert "`git fsck`" in str(caught.value)
    assert str(caught.value).isprintable()


async def test_a_ref_whose_file_is_empty_is_missing(repository: FixtureRepository) -> None:
    (repository.path / "refs/heads/main").write_bytes(b"")
    with pytest.raises(RefNotFound, match=r"flows\.git has no branch 'main'.*push the ref"):
        await GitRepository(repository.path, branch="main").resolve()


async def test_a_directory_that_must_not_be_read_is_unavailable(
    repository: FixtureRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository.path / "packed-refs").mkdir()
    with pytest.raises(SourceUnavailable, match=r"flows\.git cannot be read: Is a directory"):
        await GitRepository(repository.path).resolve()


async def test_a_directory_without_a_repository_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="is not a Git repository; correct the path"):
        await GitRepository(tmp_path).resolve()
    with pytest.raises(SourceMissing, match="does not exist; correct the path"):
        await GitRepository(tmp_path / "nothing").resolve()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"branch": "a", "tag": "b"}, "branch and tag: only one"),
        ({"branch": "a", "commit_sha": "b" * 40, "ref": "refs/x"}, "branch and commit_sha and ref: only one"),
        ({"branch": ""}, "branch: ''"),
        ({"branch": "-b"}, "branch: '-b'"),
        ({"branch": "a..b"}, "branch: 'a..b'"),
        ({"branch": "a b"}, "branch: 'a b'"),
        ({"branch": "a\n"}, "branch: "),
        ({"branch": "a//b"}, "branch: 'a//b'"),
        ({"branch": "/a"}, "branch: '/a'"),
        ({"branch": "a.lock"}, "branch: 'a.lock'"),
        ({"branch": ".a"}, "branch: '.a'"),
        ({"branch": "@"}, "branch: '@'"),
        ({"branch": "a@{1}"}, "branch: "),
        ({"branch": "a*"}, "branch: "),
        ({"branch": 7}, "branch: int is not a name"),
        ({"tag": "v1^{}"}, "tag: "),
        ({"ref": "main"}, "ref: 'main' is not a full name"),
        ({"ref": "refs/heads/../x"}, "ref: "),
        ({"commit_sha": "main"}, "commit_sha: 'main' is not a commit id"),
        ({"commit_sha": "abc"}, "commit_sha: 'abc' is not a commit id"),
        ({"commit_sha": "a" * 41}, "commit_sha: "),
        ({"pull_interval": 0}, "pull_interval: 0"),
        ({"pull_interval": -1}, "pull_interval: "),
        ({"pull_interval": float("nan")}, "pull_interval: nan"),
        ({"pull_interval": float("inf")}, "pull_interval: inf"),
        ({"pull_interval": True}, "pull_interval: True"),
        ({"pull_interval": "60"}, "pull_interval: '60'"),
    ],
)
async def test_an_argument_that_cannot_be_used_is_refused_by_its_name(given: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        GitRepository("https://example.org/r.git", **given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(why)


async def test_others_are_not_asked_more_often_than_every_five_seconds() -> None:
    def interval(url: str, given: float | timedelta | None) -> timedelta | None:
        return GitRepository(url, pull_interval=given).pull_interval

    assert GitRepository("https://example.org/r.git").pull_interval == timedelta(seconds=60)
    assert interval("https://example.org/r.git", 0.5) == timedelta(seconds=5)
    assert interval("https://example.org/r.git", timedelta(minutes=2)) == timedelta(minutes=2)
    assert interval("https://example.org/r.git", None) is None
    assert interval("http://127.0.0.1:8000/r.git", 0.5) == timedelta(seconds=0.5)
    assert interval("/srv/r.git", 0.5) == timedelta(seconds=0.5)


async def test_refs_of_one_repository_share_a_key_and_others_do_not() -> None:
    url = "https://example.org/r.git"
    assert GitRepository(url, branch="a").key == GitRepository("HTTPS://Example.org:443/r.git/", tag="b").key
    assert GitRepository(url).key != GitRepository("https://example.org/r2.git").key
    assert GitRepository(url).key != GitRepository(url, credentials={"token": "x"}).key


async def test_labels_and_selectors_are_fit_for_a_message() -> None:
    source = GitRepository("https://example.org/r.git", branch="main")
    assert (source.label, source.selector) == ("https://example.org/r.git (branch main)", "branch main")
    assert GitRepository("https://example.org/r.git").label == "https://example.org/r.git"
    assert GitRepository("https://example.org/r.git").selector == "default branch"
    assert GitRepository("https://example.org/r.git", name="flows", tag="v1").label == "flows (tag v1)"
    assert GitRepository("https://example.org/r.git", commit_sha="ab" * 20).selector == "commit abababababab"
    assert GitRepository("https://example.org/r.git", ref="refs/x/y").selector == "ref refs/x/y"
