"""Whom a source trusts over https, who it says it is, and the proxy that it was given."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import AuthenticationFailed, InvalidInput, SourceUnavailable
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import fetched, files_in
from tests.support.git_server import GitServer, git_server
from tests.support.http_proxy import http_proxy
from tests.support.parts import requires

pytestmark = pytest.mark.anyio

SECRET = "Zz9SecretOfThisTest"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    requires("git")
    FixtureRepository.create(tmp_path / "served" / "flows.git").commit_files({"flows.py": "ANSWER = 42\n"})
    return tmp_path / "served"


@pytest.fixture
def server(served: Path, authority: trustme.CA) -> Iterator[GitServer]:
    with git_server(served, tls=context(authority)) as server:
        yield server


def context(authority: trustme.CA, *, expired: bool = False, host: str = "127.0.0.1") -> ssl.SSLContext:
    """What a server shows, under a certificate that `authority` gave out."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    authority.issue_cert(host, not_after=yesterday if expired else None).configure_cert(made)
    return made


class TestServer:
    async def test_one_whose_authority_is_given_is_trusted(
        self, server: GitServer, bundle: Path, tmp_path: Path
    ) -> None:
        source = GitRepository(server.url("flows.git"), ca_bundle=bundle)
        assert set(files_in(await fetched(source, await source.resolve(), tmp_path))) == {"flows.py"}

    async def test_one_of_an_authority_that_nobody_named_is_not(self, server: GitServer, tmp_path: Path) -> None:
        trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
        for source in (
            GitRepository(server.url("flows.git")),
            GitRepository(server.url("flows.git"), ca_bundle=tmp_path / "other.pem"),
        ):
            with pytest.raises(SourceUnavailable, match=r"cannot be trusted: .*certificate verify failed"):
                await source.resolve()
        assert server.log == []

    async def test_one_whose_certificate_has_expired_is_not(
        self, served: Path, authority: trustme.CA, bundle: Path
    ) -> None:
        with git_server(served, tls=context(authority, expired=True)) as server:
            with pytest.raises(SourceUnavailable, match=r"cannot be trusted: .*expired"):
                await GitRepository(server.url("flows.git"), ca_bundle=bundle).resolve()
            assert server.log == []

    async def test_one_of_another_name_is_not(self, served: Path, authority: trustme.CA, bundle: Path) -> None:
        with git_server(served, tls=context(authority, host="git.example.org")) as server:
            with pytest.raises(SourceUnavailable, match=r"cannot be trusted: .*127.0.0.1"):
                await GitRepository(server.url("flows.git"), ca_bundle=bundle).resolve()
            assert server.log == []


class TestClientCertificate:
    # With 1.3 a client hears that it was refused only when it reads.
    @pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
    def demanding(self, request: pytest.FixtureRequest, served: Path, authority: trustme.CA) -> Iterator[GitServer]:
        made = context(authority)
        made.minimum_version = made.maximum_version = request.param
        authority.configure_trust(made)
        made.verify_mode = ssl.CERT_REQUIRED
        with git_server(served, tls=made) as server:
            yield server

    @pytest.fixture
    def certificate(self, authority: trustme.CA, tmp_path: Path) -> Path:
        authority.issue_cert("ada@example.org").private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
        return tmp_path / "client.pem"

    async def test_a_server_that_demands_one_is_shown_it(
        self, demanding: GitServer, bundle: Path, certificate: Path
    ) -> None:
        source = GitRepository(demanding.url("flows.git"), ca_bundle=bundle, client_certificate=certificate)
        assert (await source.resolve()).ref == "refs/heads/main"

    async def test_its_key_may_be_in_a_file_of_its_own(
        self, demanding: GitServer, bundle: Path, authority: trustme.CA, tmp_path: Path
    ) -> None:
        made = authority.issue_cert("ada@example.org")
        made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        made.private_key_pem.write_to_path(tmp_path / "key.pem")
        pair = (tmp_path / "cert.pem", str(tmp_path / "key.pem"))
        source = GitRepository(demanding.url("flows.git"), ca_bundle=bundle, client_certificate=pair)
        assert (await source.resolve()).ref == "refs/heads/main"

    async def test_without_one_the_server_is_out_of_reach(self, demanding: GitServer, bundle: Path) -> None:
        with pytest.raises(SourceUnavailable, match=r"cannot be reached.*(alert|EOF|reset|closed)"):
            await GitRepository(demanding.url("flows.git"), ca_bundle=bundle).resolve()

    async def test_one_that_is_renewed_is_used_from_then_on(
        self, demanding: GitServer, bundle: Path, certificate: Path, authority: trustme.CA
    ) -> None:
        mine = certificate.read_bytes()
        trustme.CA().issue_cert("ada@example.org").private_key_and_cert_chain_pem.write_to_path(certificate)
        source = GitRepository(demanding.url("flows.git"), ca_bundle=bundle, client_certificate=certificate)
        with pytest.raises(SourceUnavailable):
            await source.resolve()
        certificate.write_bytes(mine)
        assert (await source.resolve()).ref == "refs/heads/main"

    def test_one_whose_key_waits_for_a_passphrase_is_refused(self, certificate: Path, tmp_path: Path) -> None:
        key = load_pem_private_key(certificate.read_bytes(), None)
        protected = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"correct horse"))
        (tmp_path / "key.pem").write_bytes(protected)
        with pytest.raises(InvalidInput, match=r"client_certificate: the key .*key.pem is protected with a passphrase"):
            GitRepository("https://example.org/r.git", client_certificate=(certificate, tmp_path / "key.pem"))


class TestArguments:
    @pytest.mark.parametrize("name", ["ca_bundle", "client_certificate"])
    @pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), ("junk", "certificate")])
    def test_a_file_that_cannot_be_used_is_refused_by_its_name(
        self, tmp_path: Path, name: str, content: str | None, why: str
    ) -> None:
        if content is not None:
            (tmp_path / "file.pem").write_text(content)
        with pytest.raises(InvalidInput, match=f"^{name}: .*file.pem.*{why}"):
            GitRepository("https://example.org/r.git", **dict[str, Any]({name: tmp_path / "file.pem"}))

    @pytest.mark.parametrize("given", [17, "", ("a", "b", "c"), ()])
    def test_what_is_no_path_is_refused(self, given: Any) -> None:
        with pytest.raises(InvalidInput, match=r"^client_certificate: "):
            GitRepository("https://example.org/r.git", client_certificate=given)

    @pytest.mark.parametrize("given", [17, "", f"socks5://ada:{SECRET}@h:1", f"http://ada:{SECRET}@h:port", "http://"])
    def test_what_is_no_proxy_is_refused_and_not_repeated(self, given: Any) -> None:
        with pytest.raises(InvalidInput, match=r"^proxy: ") as caught:
            GitRepository("https://example.org/r.git", proxy=given)
        assert SECRET not in "".join(traceback.format_exception(caught.value))

    def test_sources_that_are_reached_in_different_ways_are_apart(self, bundle: Path) -> None:
        url = "https://example.org/r.git"
        ways = [
            GitRepository(url),
            GitRepository(url, ca_bundle=bundle),
            GitRepository(url, proxy="http://one:3128"),
            GitRepository(url, proxy="http://two:3128"),
        ]
        assert len({source.key for source in ways}) == len(ways)
        again = GitRepository(url, proxy=f"http://ada:{SECRET}@two:3128/")
        assert again.key == ways[-1].key


class TestProxy:
    async def test_the_one_that_was_given_goes_before_that_of_the_environment(
        self, served: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        with (
            git_server(served) as server,
            http_proxy({"git.example.org": server.port}) as other,
            http_proxy({"git.example.org": server.port}, login=("ada", SECRET)) as proxy,
        ):
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other.port}")
            monkeypatch.setenv("no_proxy", "git.example.org")
            given = f"http://ada:{SECRET}@127.0.0.1:{proxy.port}"
            source = GitRepository("http://git.example.org/flows.git", proxy=given)
            await source.resolve()
            assert (len(proxy.asked), other.asked) == (len(server.log), [])
            assert all("Proxy-Authorization" not in exchange.headers for exchange in server.log)
            assert SECRET not in caplog.text + repr(source) + source.label + source.key + repr(source._settings)

    async def test_wrong_credentials_for_it_are_never_printed(self, served: Path) -> None:
        with git_server(served) as server, http_proxy({"h.org": server.port}, login=("ada", "right")) as proxy:
            source = GitRepository("http://h.org/flows.git", proxy=f"http://ada:{SECRET}@127.0.0.1:{proxy.port}")
            with pytest.raises(AuthenticationFailed, match=r"the proxy http://127\.0\.0\.1:\d+ asks for") as caught:
                await source.resolve()
        assert SECRET not in "".join(traceback.format_exception(caught.value))
