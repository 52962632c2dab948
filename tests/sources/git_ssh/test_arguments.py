"""What belongs to an address of SSH, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from flowsource.errors import AuthenticationFailed, InvalidInput
from flowsource.sources.git.repository import GitRepository

pytestmark = pytest.mark.anyio


class TestArguments:
    def test_a_token_is_of_no_use_over_ssh_and_a_key_of_none_over_http(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"an access token is of no use for git@h\.org:r\.git"):
            GitRepository("git@h.org:r.git", credentials={"token": "s3cret"})
        with pytest.raises(InvalidInput, match=r"an SSH key is of no use for https://h\.org/r\.git"):
            GitRepository("https://h.org/r.git", credentials={"ssh_key_file": str(tmp_path)})

    async def test_a_callable_that_gives_the_wrong_kind_is_told_so(self) -> None:
        with pytest.raises(AuthenticationFailed, match="asked over SSH, where no token is of use"):
            await GitRepository("git@h.org:r.git", credentials=lambda: {"token": "s3cret"}).resolve()
        with pytest.raises(AuthenticationFailed, match="asked over HTTP, not SSH"):
            await GitRepository("https://h.org/r.git", credentials=lambda: {"ssh_key_file": "x"}).resolve()

    def test_equal_spellings_have_one_key_and_other_identities_another(self) -> None:
        spellings = ["ssh://git@h.org/o/r.git", "ssh://git@H.org:22/o/r.git/", "git@h.org:/o/r.git"]
        assert len({GitRepository(url).key for url in spellings}) == 1
        others = ["git@h.org:o/r.git", "ssh://h.org/o/r.git", "ssh://git@h.org:23/o/r.git"]
        assert len({GitRepository(url).key for url in (*spellings, *others)}) == 4
        keys = {GitRepository("git@h.org:r.git", credentials={"ssh_key_file": f"/{name}"}).key for name in "ab"}
        assert len(keys) == 2

    @pytest.mark.parametrize("name", ["proxy", "ca_bundle", "client_certificate"])
    def test_what_is_for_https_is_refused(self, tmp_path: Path, name: str) -> None:
        trustme.CA().issue_cert("h.org").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
        given: dict[str, Any] = {name: "http://proxy:1" if name == "proxy" else tmp_path / "both.pem"}
        with pytest.raises(InvalidInput, match=r"are for https, and git@h\.org:r\.git is reached otherwise"):
            GitRepository("git@h.org:r.git", **given)
