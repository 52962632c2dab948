"""A server is asked through the proxy that the environment names, as Git does."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from flowsource.errors import AuthenticationFailed, InvalidInput, SourceUnavailable
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import fetched, files_in
from tests.sources.served import FILES
from tests.support.git_server import GitServer
from tests.support.http_proxy import http_proxy

pytestmark = pytest.mark.anyio

SECRET = "Zz9SecretOfThisTest"
URL = "http://git.example.org/flows.git"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
async def test_a_server_is_asked_through_it(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, form: str
) -> None:
    with http_proxy({"git.example.org": server.port}) as proxy:
        monkeypatch.setenv(variable, form.format(proxy.port))
        source = GitRepository(URL)
        assert set(files_in(await fetched(source, await source.resolve(), tmp_path))) == set(FILES)
        assert proxy.asked[0] == f"GET {URL}/info/refs?service=git-upload-pack"
        assert len(proxy.asked) == len(server.log)


async def test_its_credentials_go_to_it_and_nowhere_else(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_proxy({"git.example.org": server.port}, login=("ada", f"{SECRET}:@/ä")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://ada:{SECRET}%3A%40%2F%C3%A4@127.0.0.1:{proxy.port}")
        await GitRepository(URL).resolve()
        assert server.authorizations == []
        assert all("Proxy-Authorization" not in exchange.headers for exchange in server.log)


async def test_wrong_credentials_for_it_are_said_to_be_its_own_and_never_printed(
    server: GitServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with http_proxy({"git.example.org": server.port}, login=("ada", "right")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://ada:{SECRET}@127.0.0.1:{proxy.port}")
        with pytest.raises(AuthenticationFailed, match=f"the proxy http://127.0.0.1:{proxy.port} asks for") as caught:
            await GitRepository(URL).resolve()
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text


async def test_for_https_it_is_asked_for_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_proxy({}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:{SECRET}@127.0.0.1:{proxy.port}")
        where = f"through the proxy http://127.0.0.1:{proxy.port} cannot be reached: Tunnel connection failed: 403"
        with pytest.raises(SourceUnavailable, match=where) as caught:
            await GitRepository("https://git.example.org/flows.git").resolve()
        assert proxy.asked == ["CONNECT git.example.org:443"]
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("exempt", ["git.example.org", ".example.org", "example.org", "*", "git.example.org:80"])
async def test_a_server_that_is_exempt_is_asked_directly(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    with http_proxy({}) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", exempt)
        with pytest.raises(SourceUnavailable, match=r"flows\.git cannot be reached: its name is not known"):
            await GitRepository("http://git.example.org:80/flows.git").resolve()
        assert proxy.asked == []


async def test_a_server_on_this_machine_is_asked_directly(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_proxy({}) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        await GitRepository(server.url("flows.git")).resolve()
        assert proxy.asked == []


@pytest.mark.parametrize("given", [f"socks5://ada:{SECRET}@h:1", f"http://ada:{SECRET}@h:port", f"http://{SECRET}@"])
async def test_what_is_no_http_proxy_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("https_proxy", given)
    with pytest.raises(InvalidInput, match="https_proxy, or all_proxy, is not the URL of an HTTP proxy") as caught:
        GitRepository("https://git.example.org/flows.git")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
