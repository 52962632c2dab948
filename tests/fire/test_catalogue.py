"""What the suites of others that keep code in sync test, and which test it is here.

The names on the left are those of git-sync's `test_e2e.sh`, and of the tests of Flux and Argo CD where they add
something. What concerns a command or a container alone (exec hooks, link names, touch files, pprof) has no place here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceError, SourceUnavailable
from flowsource.snapshots.cache import SnapshotCache
from flowsource.snapshots.disk import remove_tree
from flowsource.sources.git.repository import GitRepository
from tests.fire.serving import FILES, Stage, debris, stage, unsound
from tests.sources.contract import files_in
from tests.support.git_server import Drip, git_server

pytestmark = pytest.mark.anyio

SOURCES, SNAPSHOTS, WATCH, FIRE = "tests/sources/", "tests/snapshots/", "tests/watch/", "tests/fire/"

CASES = {
    "init_root_doesnt_exist": SNAPSHOTS + "test_root.py::test_a_missing_root_is_made_for_its_owner_alone",
    "init_root_exists_empty": SNAPSHOTS + "test_garbage.py::test_an_empty_cache_and_strangers_in_it_are_no_trouble",
    "init_root_flag_is_weird": FIRE + "test_catalogue.py::test_a_root_may_be_written_in_any_way_that_leads_there",
    "init_root_flag_has_symlink": FIRE + "test_catalogue.py::test_a_root_may_be_written_in_any_way_that_leads_there",
    "init_root_is_under_another_repo": FIRE + "test_catalogue.py::test_a_root_inside_another_repository_is_ours_alone",
    "init_root_fails_sanity": FIRE
    + "test_damage.py::test_a_store_that_is_not_what_it_was_is_made_anew_and_snapshots_are_left_alone",
    "bad_ref_non_zero_exit": SOURCES + "test_git_following.py::test_a_misspelled_branch_is_answered_with_those_near_it",
    "sync_default_ref": FIRE + "test_catalogue.py::test_what_is_followed_goes_forward_and_backward",
    "sync_head": FIRE + "test_catalogue.py::test_what_is_followed_goes_forward_and_backward",
    "sync_branch": FIRE + "test_catalogue.py::test_what_is_followed_goes_forward_and_backward",
    "sync_branch_switch": FIRE + "test_catalogue.py::test_another_branch_is_taken_on_the_same_cache",
    "sync_tag": SOURCES + "test_git_following.py::test_a_tag_that_is_moved_is_followed",
    "sync_annotated_tag": SOURCES + "test_git_following.py::test_an_annotated_tag_leads_to_its_commit",
    "sync_sha": FIRE + "test_catalogue.py::test_a_pinned_commit_stays_whatever_is_pushed",
    "sync_sha_once_sync_different_sha_known": FIRE + "test_catalogue.py::test_a_commit_that_is_no_tip_can_be_pinned",
    "sync_sha_once_sync_different_sha_unknown": FIRE + "test_catalogue.py::test_a_commit_that_is_no_tip_can_be_pinned",
    "sync_sha_shafile_exists": FIRE + "test_catalogue.py::test_a_file_named_as_the_commit_is_a_file",
    "sync_repo_switch": FIRE + "test_catalogue.py::test_another_repository_at_the_same_address_is_taken_over",
    "worktree_cleanup": SNAPSHOTS + "test_garbage.py::test_half_made_and_half_deleted_trees_go",
    "worktree_unexpected_removal": FIRE + "test_catalogue.py::test_a_snapshot_that_somebody_removed_is_made_again",
    "sync_recover_wrong_worktree_hash": SNAPSHOTS
    + "test_changed.py::test_the_next_process_fetches_it_again_and_says_what_was_changed",
    "sync_crash_no_link_cleanup_retry": FIRE
    + "test_kills.py::test_killed_at_any_step_a_snapshot_is_whole_or_absent_and_the_next_poll_succeeds",
    "sync_crash_no_worktree_cleanup_retry": FIRE
    + "test_damage.py::test_a_snapshot_whose_papers_are_lost_or_damaged_is_fetched_again",
    "stale_worktree_timeout": SNAPSHOTS + "test_garbage.py::test_the_young_are_kept",
    "error_slow_git_short_timeout": SOURCES
    + "test_git_trouble.py::test_a_server_that_falls_silent_is_given_up_after_the_stall_deadline",
    "sync_slow_git_long_timeout": FIRE + "test_catalogue.py::test_a_slow_server_that_keeps_talking_is_waited_for",
    "sync_depth_default_shallow": FIRE + "test_catalogue.py::test_no_history_is_kept_across_updates",
    "sync_depth_across_updates": FIRE + "test_catalogue.py::test_no_history_is_kept_across_updates",
    "auth_http_password": SOURCES + "test_git_login.py::test_the_right_ones_open_the_repository",
    "auth_http_password_in_url": SOURCES
    + "test_git_credentials.py::test_credentials_in_the_url_are_used_removed_and_told",
    "auth_http_password_file": SOURCES
    + "test_git_credentials.py::test_a_token_in_a_file_is_read_each_time_without_its_line_end",
    "auth_password_file_reload": FIRE + "test_catalogue.py::test_a_token_replaced_between_probe_and_fetch_is_used",
    "auth_askpass_url_sometimes_wrong": FIRE
    + "test_catalogue.py::test_a_token_replaced_between_probe_and_fetch_is_used",
    "auth_askpass_url_flaky": FIRE
    + "test_faults.py::test_a_refusal_at_any_exchange_is_told_as_what_it_is_and_nobody_else_is_asked",
    "sync_on_signal_sighup": WATCH + "test_watcher.py::test_a_hint_wakes_the_watcher_long_before_its_interval",
    "submodule_sync_off": SOURCES + "test_git_export.py::test_a_submodule_is_an_empty_directory",
    "submodule_sync_default": SOURCES
    + "git_submodules/test_fetching.py::test_a_submodule_comes_at_the_commit_that_is_named",
    "submodule_sync_relative": SOURCES + "git_submodules/test_fetching.py::test_a_submodule_below_the_url_is_found",
    "sparse_checkout": FIRE + "test_honest_trees.py::test_parts_of_a_commit_are_those_of_gits_sparse_checkout",
    "gc_default": SOURCES + "test_git_store.py::test_many_updates_do_not_make_it_grow_for_ever",
    "exechook_git_archive": FIRE
    + "test_honest_trees.py::test_a_snapshot_is_what_git_archive_makes_whichever_commit_came_before",
    "Flux: reconcileSource_emptyRepository": SOURCES
    + "test_git_following.py::test_a_repository_without_a_commit_says_so",
    "Flux: reconcileStorage, digest mismatch": FIRE
    + "test_damage.py::test_a_flipped_bit_in_a_snapshot_is_found_by_the_next_process_and_fetched_again",
    "Flux: credentials over http": SOURCES
    + "test_git_credentials.py::test_credentials_over_plain_http_are_refused_unless_allowed",
    "Flux: include, path escape": SOURCES + "test_writing.py::test_a_path_that_could_lead_elsewhere_is_refused",
    "Argo CD: cleanupOrphanedTempPackfiles": FIRE
    + "test_damage.py::test_locks_and_half_packs_that_somebody_left_are_in_nobodys_way",
    "Argo CD: CheckoutRevisionCanGetNonstandardRefs": SOURCES
    + "test_git_following.py::test_a_ref_of_any_kind_is_followed_by_its_full_name",
    "Argo CD: CheckoutRevisionPresentSkipFetch": SOURCES
    + "test_git_following.py::test_a_commit_that_was_fetched_is_served_with_the_remote_away",
    "Argo CD: SameRevision": SNAPSHOTS + "test_publishing.py::test_processes_that_want_one_revision_share_one_fetch",
    "rarely tested: a ref that is deleted, then back": FIRE
    + "test_catalogue.py::test_a_branch_that_is_deleted_and_comes_back_is_followed_again",
    "rarely tested: a force-push during a fetch": FIRE
    + "test_catalogue.py::test_a_commit_that_is_replaced_before_it_was_fetched_is_had_or_left_to_the_next_poll",
    "rarely tested: a cold start with the remote down": FIRE
    + "test_faults.py::test_with_the_remote_down_a_new_process_serves_the_last_tip_from_disk",
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as made:
        yield made


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_test(case: str) -> None:
    path, name = CASES[case].split("::")
    assert f"def {name}(" in (Path(__file__).parents[2] / path).read_text()


async def test_a_root_may_be_written_in_any_way_that_leads_there(here: Stage) -> None:
    source = GitRepository(here.url)
    (here.home / "a" / "b").mkdir(parents=True)
    (here.home / "link").symlink_to(here.home / "a")
    plain = await SnapshotCache(here.home / "a" / "cache").ensure(source, await source.resolve())
    for way in (here.home / "a" / "b" / ".." / "cache", here.home / "link" / "cache"):
        assert (await SnapshotCache(way).ensure(source, plain.revision)).root.samefile(plain.root)


async def test_a_root_inside_another_repository_is_ours_alone(here: Stage) -> None:
    with Repo.init(str(here.home)) as around:
        await here.ensure()
        assert list(around.refs.as_dict()) == []
    assert not list((here.home / ".git" / "objects" / "pack").iterdir())


@pytest.mark.parametrize("branch", [None, "main"])
async def test_what_is_followed_goes_forward_and_backward(here: Stage, branch: str | None) -> None:
    source = GitRepository(here.url, branch=branch)
    second = here.repository.commit_files({"flows.py": "ANSWER = 42\n"})
    for commit, answer in ((second, b"42"), (here.first, b"41"), (second, b"42")):
        here.repository.set_ref("refs/heads/main", commit)
        snapshot = await here.cache.ensure(source, await source.resolve())
        assert (snapshot.revision.id, files_in(snapshot.root)["flows.py"]) == (commit, b"ANSWER = %s\n" % answer)


async def test_another_branch_is_taken_on_the_same_cache(here: Stage) -> None:
    await here.ensure()
    other = here.repository.commit_files({"other.py": "\n"}, branch="other")
    source = GitRepository(here.url, branch="other")
    snapshot = await here.cache.ensure(source, await source.resolve())
    assert (snapshot.revision.id, files_in(snapshot.root)) == (other, {"other.py": b"\n"})


async def test_a_pinned_commit_stays_whatever_is_pushed(here: Stage) -> None:
    pinned = GitRepository(here.url, commit_sha=here.first)
    for number in range(3):
        assert (await here.cache.ensure(pinned, await pinned.resolve())).revision.id == here.first
        here.repository.commit_files({"flows.py": f"ANSWER = {number}\n"})


async def test_a_commit_that_is_no_tip_can_be_pinned(here: Stage) -> None:
    middle = here.repository.commit_files({"flows.py": "ANSWER = 42\n"})
    here.repository.commit_files({"flows.py": "ANSWER = 43\n"})
    await here.ensure()
    assert files_in((await here.ensure(middle)).root) == {"flows.py": b"ANSWER = 42\n"}
    assert "deep/down/data.txt" in files_in((await here.ensure(here.first)).root)


async def test_a_file_named_as_the_commit_is_a_file(here: Stage) -> None:
    commit = here.repository.commit_files({here.first: "a file\n", "complete": "another\n"})
    assert files_in((await here.ensure()).root) == {here.first: b"a file\n", "complete": b"another\n"}
    assert commit != here.first
    assert files_in((await here.ensure(here.first)).root).keys() == FILES.keys()


async def test_another_repository_at_the_same_address_is_taken_over(here: Stage) -> None:
    before = await here.ensure()
    shutil.rmtree(here.repository.path)
    other = FixtureRepository.create(here.repository.path)
    tip = other.commit_files({"elsewhere.py": "\n"})
    after = await here.ensure()
    assert (after.revision.id, files_in(after.root)) == (tip, {"elsewhere.py": b"\n"})
    assert await here.cache.verify(before) == ()


async def test_a_snapshot_that_somebody_removed_is_made_again(here: Stage) -> None:
    snapshot = await here.ensure()
    for gone in (snapshot.root.parent, snapshot.root):
        remove_tree(gone)
        assert files_in((await here.ensure()).root).keys() == FILES.keys()
    assert await unsound(here.cache) == []


async def test_a_slow_server_that_keeps_talking_is_waited_for(here: Stage) -> None:
    here.server.misbehave(Drip(every=0.0005), on="fetch")
    assert files_in((await here.ensure()).root).keys() == FILES.keys()


async def test_no_history_is_kept_across_updates(here: Stage) -> None:
    for number in range(4):
        here.repository.commit_files({"flows.py": f"ANSWER = {number}\n"})
    commits = set[str]()
    for number in range(3):
        commits.add(here.repository.commit_files({"flows.py": f"ANSWER = {10 + number}\n"}))
        snapshot = await here.ensure()
    with Repo(str(snapshot.root.parents[2] / "objects")) as store:
        kinds = {name.decode() for name in store.object_store if store.object_store[name].type_name == b"commit"}
    assert kinds == commits


async def test_a_token_replaced_between_probe_and_fetch_is_used(here: Stage, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    with git_server(here.repository.path.parent, login=("x-access-token", "first")) as private:
        source = GitRepository(private.url("flows.git"), credentials={"access_token_file": str(token)})
        revision = await source.resolve()
        private.login = ("x-access-token", "second")
        with pytest.raises(SourceError, match="refused the credentials"):
            await here.cache.ensure(source, revision)
        token.write_text("second")
        snapshot = await here.cache.ensure(source, revision)
    assert files_in(snapshot.root).keys() == FILES.keys()
    assert debris(snapshot.root.parents[2]) == []


async def test_a_branch_that_is_deleted_and_comes_back_is_followed_again(here: Stage) -> None:
    source = GitRepository(here.url, branch="main")
    good = await here.cache.ensure(source, await source.resolve())
    here.repository.set_ref("refs/heads/main", None)
    with pytest.raises(SourceError, match="main"):
        await source.resolve()
    assert await here.cache.verify(good) == ()
    back = here.repository.commit_files({"flows.py": "ANSWER = 42\n"})
    assert (await here.cache.ensure(source, await source.resolve())).revision.id == back


async def test_a_commit_that_is_replaced_before_it_was_fetched_is_had_or_left_to_the_next_poll(here: Stage) -> None:
    source = GitRepository(here.url, branch="main")
    for number in range(3):
        here.repository.commit_files({"flows.py": f"ANSWER = {number}\n"})
        lost = await source.resolve()
        here.repository.set_ref("refs/heads/main", here.first)
        os.unlink(here.repository.path / "objects" / lost.id[:2] / lost.id[2:])
        with pytest.raises(SourceUnavailable, match="the next poll takes the newer one"):
            await here.cache.ensure(source, lost)
        assert (await here.cache.ensure(source, await source.resolve())).revision.id == here.first
    assert await unsound(here.cache) == []
