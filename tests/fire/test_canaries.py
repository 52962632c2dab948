"""A secret in each kind of credential is nowhere that it must not be, after success and after each kind of failure."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import threading
import traceback
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowsource.errors import SourceError
from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from flowsource.sources.git.credentials import GitCredentials
from flowsource.sources.git.repository import GitRepository
from tests.fire.length import some
from tests.fire.serving import Stage, stage
from tests.support.git_server import Cut, Misbehaviour, Refuse
from tests.support.live import serving

pytestmark = pytest.mark.anyio

USER = "x-access-token"
VARIABLE = "FIRE_TOKEN"

FAILURES: Mapping[str, Misbehaviour | None] = {
    "nothing": None,
    "401": Refuse(status=401, headers={"WWW-Authenticate": "Basic"}),
    "403": Refuse(status=403),
    "404": Refuse(status=404),
    "429": Refuse(status=429, headers={"Retry-After": "1"}),
    "503": Refuse(status=503),
    "a redirect": Refuse(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    "half an answer": Cut(after=30),
    "nonsense": Refuse(status=200, headers={"Content-Type": "application/x-git-upload-pack-result"}, body=b"zzzz"),
}


@pytest.fixture
def secret() -> str:
    # With what is written in another way in a URL.
    return f"ghp_{secrets.token_hex(12)}/+&% ä"


@pytest.fixture
def here(tmp_path: Path, secret: str) -> Iterator[Stage]:
    with stage(tmp_path, login=(USER, secret)) as made:
        yield made


def value(secret: str, here: Stage, _: pytest.MonkeyPatch) -> GitRepository:
    return GitRepository(here.url, credentials=GitCredentials(access_token=secret))


def variable(secret: str, here: Stage, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    monkeypatch.setenv(VARIABLE, secret)
    return GitRepository(here.url, credentials=GitCredentials(access_token_env=VARIABLE))


def file(secret: str, here: Stage, _: pytest.MonkeyPatch) -> GitRepository:
    path = here.home.parent / "token"
    path.write_text(secret + "\n")
    return GitRepository(here.url, credentials=GitCredentials(access_token_file=path))


def mapping(secret: str, here: Stage, _: pytest.MonkeyPatch) -> GitRepository:
    return GitRepository(here.url, credentials={"username": USER, "password": secret})


def function(secret: str, here: Stage, _: pytest.MonkeyPatch) -> GitRepository:
    def current() -> dict[str, str]:
        return {"token": secret}

    return GitRepository(here.url, credentials=current)


def userinfo(secret: str, here: Stage, _: pytest.MonkeyPatch) -> GitRepository:
    quoted = urllib.parse.quote(secret, safe="")
    return GitRepository(here.url.replace("://", f"://{USER}:{quoted}@"))


KINDS = [value, variable, file, mapping, function, userinfo]


def forms(secret: str) -> list[bytes]:
    """The ways in which a secret may be written somewhere."""
    raw = secret.encode()
    basic = base64.b64encode(f"{USER}:{secret}".encode())
    quoted = [urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret), urllib.parse.quote_plus(secret)]
    encoded = [base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode(), repr(secret)[1:-1].encode()]
    # The part that is written in one way only, whatever is done to the others.
    plain = secret.partition("/")[0].encode()
    return [raw, raw[::-1], basic, basic.rstrip(b"="), plain, *encoded, *(one.encode() for one in quoted)]


@contextmanager
def watched_arguments(secret: str) -> Iterator[list[str]]:
    """Looks at the arguments of all processes all the time; what of them held the secret."""
    found, stop = list[str](), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    said = path.read_bytes()
                except OSError:
                    continue
                if any(form in said for form in forms(secret)):
                    found.append(repr(said))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def files_with(secret: str, directory: Path) -> list[str]:
    """The files below a directory whose content or name has the secret."""
    found = list[str]()
    for path in directory.rglob("*"):
        said = os.fsencode(path.name)
        if path.is_symlink():
            said += os.fsencode(path.readlink())
        elif path.is_file():
            said += path.read_bytes()
        if any(form in said for form in forms(secret)):
            found.append(str(path))
    return found


def assert_clean(text: str, secret: str) -> None:
    said = text.encode(errors="surrogateescape")
    assert [form for form in forms(secret) if form in said] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_a_secret_is_nowhere_after_success_and_after_each_failure(
    here: Stage,
    secret: str,
    kind: Callable[[str, Stage, pytest.MonkeyPatch], GitRepository],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    errors, failures = 0, some("failures with a secret", list(FAILURES), every=3)
    with watched_arguments(secret) as in_arguments:
        for number, name in enumerate(failures):
            how = FAILURES[name]
            source = kind(secret, here, monkeypatch)
            here.server.behave()
            here.repository.commit_files({"flows.py": f"ANSWER = {number}\n"})
            revision = await source.resolve()
            for on in ("ls-refs", "fetch") if how is not None else ("",):
                if how is not None:
                    here.server.misbehave(how, on=on)
                try:
                    await source.resolve()
                    snapshot = await here.cache.ensure(source, revision)
                    await here.cache.remember_tip(source, snapshot.revision)
                except SourceError as error:
                    errors += 1
                    assert_clean("".join(traceback.format_exception(error)), secret)
                    assert_clean(repr(vars(error)), secret)
                else:
                    assert how is None, name
                here.server.behave()
            for said in (repr(source), str(source), source.key, source.label, source.url, source.selector):
                assert_clean(said, secret)
    assert errors == 2 * (len(failures) - 1)
    # Else nothing of this would prove anything.
    assert any(base64.b64encode(f"{USER}:{secret}".encode()).decode() in one for one in here.server.authorizations)
    assert in_arguments == []
    assert_clean(caplog.text + "".join(repr(vars(record)) for record in caplog.records), secret)
    assert_clean("".join(capfd.readouterr()), secret)
    assert files_with(secret, here.home) == []


SCRIPT = """
from flowsource import GitCredentials, GitRepository, flow
if __name__ == "__main__":
    flow.from_source(
        GitRepository({url!r}, credentials=GitCredentials(access_token_env={variable!r}), pull_interval=0.3),
        "flows.py:tell",
    ).serve(name="canary")
"""
FLOW = """
import os
def tell():
    print(dict(os.environ))
    return [dict(os.environ), open(f"/proc/{os.getppid()}/environ", errors="replace").read()]
"""


async def test_a_run_its_parent_and_the_database_know_nothing_of_the_token_that_fetched_them(
    here: Stage, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.repository.commit_files({"flows.py": FLOW})
    monkeypatch.setenv(VARIABLE, secret)
    script = here.home.parent / "serve.py"
    script.write_text(SCRIPT.format(url=here.url, variable=VARIABLE))
    home = here.home / "data"
    with watched_arguments(secret) as in_arguments:
        async with serving(script, home) as server:
            commit = here.repository.commit_files({"flows.py": FLOW + "# newer\n"})
            await server.until_active("tell/canary", commit)
            run = await server.until_final(await request_run(server.store, "tell/canary", {}))
            assert run.state is RunState.COMPLETED, run.failure
            here.server.misbehave(Refuse(status=401))
            here.repository.commit_files({"flows.py": FLOW + "# newest\n"})
            await server.until_said("refused the credentials")
            said = server.said
    assert "PATH" in str(run.result)
    assert_clean(str(run.result), secret)
    assert_clean(said, secret)
    assert in_arguments == []
    assert files_with(secret, here.home) == []


def test_the_search_finds_what_is_there(tmp_path: Path, secret: str) -> None:
    for number, form in enumerate(forms(secret)):
        (tmp_path / str(number)).write_bytes(b"before" + form + b"after")
    assert len(files_with(secret, tmp_path)) == len(forms(secret))
    with watched_arguments(secret) as found:
        command = [sys.executable, "-c", "import sys; sys.stdin.read()", f"https://{secret.partition('/')[0]}@host/"]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            while not found:
                assert process.poll() is None
            process.kill()
    assert found
