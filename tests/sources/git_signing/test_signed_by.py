"""Whose signatures count is said in a way that can be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource import SignedBy
from flowsource.errors import InvalidInput
from flowsource.sources.git.repository import GitRepository

pytestmark = pytest.mark.anyio


class TestArguments:
    def test_somebody_must_count(self) -> None:
        with pytest.raises(InvalidInput, match="verify: nobody's signature counts"):
            SignedBy()

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"verify: gpg_keys .*absent\.asc cannot be read"):
            SignedBy(gpg_keys=tmp_path / "absent.asc")

    def test_what_is_no_path_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="verify: ssh_allowed_signers 7 is not a path"):
            SignedBy(ssh_allowed_signers=7)  # type: ignore[arg-type]  # refused at run time too

    def test_an_unknown_requirement_is_refused(self, signers: Path) -> None:
        with pytest.raises(InvalidInput, match="require 'both' is unknown"):
            SignedBy(ssh_allowed_signers=signers, require="both")  # type: ignore[arg-type]  # refused at run time too

    def test_a_tag_can_be_required_only_where_one_is_followed(self, signers: Path) -> None:
        verify = SignedBy(ssh_allowed_signers=signers, require="tag")
        with pytest.raises(InvalidInput, match="give tag="):
            GitRepository("https://example.org/x.git", branch="main", verify=verify)
        GitRepository("https://example.org/x.git", ref="refs/tags/v1", verify=verify)

    def test_anything_else_says_nothing_of_signatures(self) -> None:
        with pytest.raises(InvalidInput, match=r"verify: bool says nothing of signatures; give SignedBy"):
            GitRepository("https://example.org/x.git", verify=True)  # type: ignore[arg-type]  # refused at run time too
