"""Where a submodule is, from what `.gitmodules` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.errors import SourceInvalid
from flowsource.sources.git.credentials import GitCredentials
from flowsource.sources.git.remotes import Remote
from flowsource.sources.git.submodules import parse_gitmodules, resolve_url
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire.http_settings import HttpSettings
from flowsource.sources.git.wire.proxies import Proxy
from tests.sources.git_submodules.laid import section
from tests.sources.served import SECRET

pytestmark = pytest.mark.anyio


class TestUrls:
    @pytest.mark.parametrize(
        ("parent", "url", "expected"),
        [
            ("https://host/org/repo.git", "../lib.git", "https://host/org/lib.git"),
            ("https://host/org/repo.git", "../../other/lib.git/", "https://host/other/lib.git"),
            ("https://host/org/repo.git", "./lib", "https://host/org/repo.git/lib"),
            ("https://host:8443/org/repo", "../lib", "https://host:8443/org/lib"),
            ("https://host/org/repo.git", "git@host:org/lib.git", "git@host:org/lib.git"),
            ("ssh://git@host:2222/org/repo.git", "../lib.git", "ssh://git@host:2222/org/lib.git"),
            ("git@host:org/repo.git", "../lib.git", "git@host:org/lib.git"),
            ("git@host:org/repo.git", "../../lib.git", "git@host:lib.git"),
            ("https://host/org/repo.git", "https://Other/x.git", "https://other/x.git"),
            ("/srv/flows.git", "../lib.git", "file:///srv/lib.git"),
            ("/srv/flows.git", "/else/lib.git", "file:///else/lib.git"),
            ("/srv/flows.git", "https://host/x.git", "https://host/x.git"),
        ],
    )
    def test_a_url_is_resolved_as_git_does(self, parent: str, url: str, expected: str) -> None:
        assert resolve_url(url, parse_url(parent)[0]).url == expected

    @pytest.mark.parametrize("url", ["../../../x", "../..", "lib.git", "~/lib.git", "git://host/x", ""])
    def test_one_that_leads_nowhere_is_refused(self, url: str) -> None:
        with pytest.raises(SourceInvalid):
            resolve_url(url, parse_url("https://host/org/repo.git")[0])

    def test_a_server_elsewhere_cannot_name_one_on_this_machine(self) -> None:
        remote = Remote(parse_url("https://host/org/repo.git")[0])
        with pytest.raises(SourceInvalid, match="on this machine"):
            remote.at(parse_url("http://127.0.0.1:8080/x.git")[0])

    def test_another_server_is_shown_nothing_of_ours(self) -> None:
        settings = HttpSettings(Proxy("http://proxy", {}), Path("/ca"), (Path("/certificate"), Path("/key")))
        remote = Remote(parse_url("https://host/org/x.git")[0], GitCredentials(access_token=SECRET), settings)
        same = remote.at(parse_url("https://host:443/org/y.git")[0])
        assert (same.credentials, same.settings) == (remote.credentials, settings)
        for url in ("https://other/x.git", "https://host:444/x.git", "http://host/x.git", "https://host.other/x.git"):
            other = remote.at(parse_url(url)[0])
            assert other.credentials is None
            assert other.settings == HttpSettings(settings.proxy, settings.ca_bundle)

    def test_a_stale_section_does_no_harm(self) -> None:
        text = section("gone", "git://host/x") + '[submodule "half"]\n\tpath = half\n[other]\n\tx = y\n'
        assert parse_gitmodules(text.encode()) == {b"gone": "git://host/x"}
