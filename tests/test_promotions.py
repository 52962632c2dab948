"""Which revision a person means, and which one served before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flowsource.errors import InvalidInput
from flowsource.promotions import HistoryEntry, Kind, named_revision, revision_before
from flowsource.revisions import Revision

NOW = datetime(2030, 1, 1, tzinfo=UTC)
A, B, C = (Revision(id=sign * 40) for sign in "abc")
NEAR_A = Revision(id="aaaa" + "0" * 36, content="part")


def promoted(*revisions: Revision) -> list[HistoryEntry]:
    """A history in which `revisions` were promoted, the newest first."""
    return [HistoryEntry(kind=Kind.PROMOTED, at=NOW, revision=revision) for revision in revisions]


def test_a_revision_is_named_by_its_first_digits() -> None:
    assert named_revision("aaaaa", [A, B, NEAR_A, A]) == A
    assert named_revision("AAAA0", [A, B, NEAR_A]) == NEAR_A


def test_a_directory_in_a_work_tree_is_named_by_its_commit_too() -> None:
    mounted = Revision(id="d" * 64, commit="e" * 40)
    assert named_revision("eeee", [mounted]) == mounted


def test_a_full_id_is_taken_as_it_is_with_the_part_of_the_source_that_serves() -> None:
    assert named_revision("f" * 40, [NEAR_A, B]) == Revision(id="f" * 40, content="part")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aaaa", "the beginning of more than one: aaaaaaaaaaaa, aaaa00000000"),
        ("aaa", "none of those that are known here"),
        ("main", "none of those that are known here"),
        ("f" * 39, "none of those that are known here"),
        ("", "none of those that are known here"),
        ("../../etc", "none of those that are known here"),
    ],
)
def test_what_names_none_or_more_than_one_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^revision: .*{said}"):
        named_revision(text, [A, B, NEAR_A])


@pytest.mark.parametrize(
    ("history", "active", "refused", "before"),
    [
        ((C, B, A), C, (), B),
        ((B, C, B, A), B, (C,), A),
        ((C, B, A), B, (C,), A),
        ((A,), A, (), None),
        ((), A, (), None),
    ],
)
def test_what_served_before_is_the_last_that_is_neither_active_nor_refused(
    history: tuple[Revision, ...], active: Revision, refused: tuple[Revision, ...], before: Revision | None
) -> None:
    assert revision_before(promoted(*history), active, refused) == before
