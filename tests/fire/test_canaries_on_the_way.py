"""What a runner knows of its sources and of its host comes to no server: not in a request, a database or an answer."""

from __future__ import annotations

import json
import os
import threading
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

import pytest

from flowsource.runner.requests import request_run
from flowsource.runs import RunState
from flowsource.server_access import TOKEN
from flowsource.store import open_store
from tests.fire.mixture import token_of
from tests.fire.serving import Stage
from tests.fire.test_canaries import (
    FLOW,
    USER,
    VARIABLE,
    assert_clean,
    files_with,
    forms,
    here,
    secret,
    watched_arguments,
)
from tests.support.git_server import Refuse
from tests.support.http_way import Answer, Ask, Request, http_way
from tests.support.live import serving
from tests.support.servers import ServerProcess, server_process
from tests.support.waiting import PATIENCE

__all__ = ("here", "secret")

pytestmark = pytest.mark.anyio

SCRIPT = """
from flowsource import GitCredentials, GitRepository, flow, serve
if __name__ == "__main__":
    hidden = GitCredentials(access_token_env={variable!r})
    sources = [GitRepository({url!r}, credentials=hidden, pull_interval=0.3), GitRepository({with_login!r})]
    serve(*[
        flow.from_source(source, "flows.py:tell").to_deployment(name)
        for name, source in zip(("by-variable", "by-address"), sources)
    ])
"""


@dataclass
class Recorder:
    """Passes requests on, and keeps all that was said."""

    said: list[bytes] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, ask: Ask) -> Answer:
        """What is answered."""
        answer = ask()
        headers = [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "authorization"]
        assert isinstance(answer.body, bytes)
        with self._lock:
            self.said += [request.path.encode(), "\n".join(headers).encode(), request.body, answer.body]
        return answer


async def test_no_request_no_database_and_no_answer_has_a_secret_of_a_runner(
    here: Stage, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.repository.commit_files({"flows.py": FLOW})
    place = tmp_path / "of-user"
    place.mkdir()
    in_netrc = "n3trc-canary-4f7a"
    (place / ".netrc").write_text(f"machine 127.0.0.1 login ada password {in_netrc}\n")
    (place / ".netrc").chmod(0o600)
    script, recorder = place / "serve.py", Recorder()
    quoted = urllib.parse.quote(secret, safe="")
    with_login = here.url.replace("://", f"://{USER}:{quoted}@")
    script.write_text(SCRIPT.format(url=here.url, with_login=with_login, variable=VARIABLE))
    with (
        server_process(here.home / "server") as server,
        http_way(server.port, recorder) as url,
        watched_arguments(secret) as in_arguments,
    ):
        token = await token_of(server, "fleet", "runner")
        monkeypatch.setenv(TOKEN, await token_of(server, "anna", "admin"))
        environ = {TOKEN: token, VARIABLE: secret, "HOME": str(place), "NETRC": str(place / ".netrc")}
        async with (
            open_store(server.url) as people,
            serving(script, here.home / "runner", address=url, environ=environ) as runner,
        ):
            commit = here.repository.commit_files({"flows.py": FLOW + "# newer\n"})
            await runner.until_active("tell/by-variable", commit)
            for name in ("by-variable", "by-address"):
                run = await runner.until_final(await request_run(people, f"tell/{name}", {}))
                assert run.state is RunState.COMPLETED, run.failure
            here.server.misbehave(Refuse(status=401))
            here.repository.commit_files({"flows.py": FLOW + "# newest\n"})
            await runner.until_said("refused the credentials")
            answers = [answer_of(server, path) for path in ("/metrics", *lists_of(server))]
            assert await runner.stop() == 0
        said = [*recorder.said, *answers, runner.said.encode(), server.said.encode()]
    assert b"by-address" in b"".join(recorder.said), "else nothing of this would prove anything"
    for hidden in (secret, in_netrc, token):
        found = {form for form in forms(hidden) if any(form in one for one in said)}
        assert found == set()
        assert files_with(hidden, here.home) == []
    assert in_arguments == []
    assert_clean(runner.said, secret)


def lists_of(server: ServerProcess) -> list[str]:
    """The paths of all that can be looked at without naming it."""
    document = json.loads(answer_of(server, "/api/v1/openapi.json"))
    return [
        path
        for path, ways in document["paths"].items()
        if "get" in ways
        and not any(given.get("required") for given in ways["get"].get("parameters", ()))
        and "text/event-stream" not in ways["get"]["responses"]["200"]["content"]
    ]


def answer_of(server: ServerProcess, path: str) -> bytes:
    """What the server answers to a person who may see everything."""
    request = urllib.request.Request(f"{server.url}{path}", headers={"Authorization": f"Bearer {os.environ[TOKEN]}"})
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except HTTPError as refusal:
        answer = refusal  # It may say more than it should as well.
    with answer:
        data: bytes = answer.read()
        return data
