"""`serve` from a file: schedules, runs on request, output, limits, and every way to stop."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from flowsource.errors import DeploymentNotFound, InvalidParameters
from flowsource.runner.requests import request_run
from flowsource.runs import Run, RunState
from tests.support.live import Serving, processes_below, serving

pytestmark = pytest.mark.anyio


def write(place: Path, text: str) -> Path:
    script = place / "flows.py"
    script.write_text(dedent(text))
    return script


async def runs_of(server: Serving, name: str) -> list[Run]:
    deployment = await server.store.deployment(name)
    return await server.store.runs(deployment_id=deployment.id)


async def until_running(server: Serving, run: Run) -> None:
    async def is_running() -> bool:
        return (await server.store.run(str(run.id))).state is RunState.RUNNING

    await server.until(is_running, f"{run.name} to start")


SLOW = """
    import time
    from flowsource import flow

    @flow
    def slow(seconds: float = 600, deaf: bool = False):
        import signal, subprocess, sys
        if deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("begun")
        time.sleep(seconds)
        return "slept"

    if __name__ == "__main__":
        slow.serve(name="nap", limit=2)
"""


async def test_a_schedule_creates_runs_and_a_save_is_used_by_the_next(tmp_path: Path) -> None:
    text = """
        from flowsource import flow

        @flow(log_prints=True)
        def tick(word: str = "one"):
            "Say something."
            print("the word is", word, "{}")

        if __name__ == "__main__":
            tick.serve(name="every-second", interval=1, tags=["ticking"], parameters={{"word": "two"}}, version="v1")
        """
    script = write(tmp_path, text.format("before"))
    async with serving(script, tmp_path / "home") as server:
        await server.until_said("the word is two before")
        script.write_text(dedent(text.format("after")))
        await server.until_said("the word is two after")
        deployment = await server.store.deployment("tick/every-second")
        assert (deployment.description, deployment.version) == ("Say something.", "v1")
        runs = await runs_of(server, "tick/every-second")
        # Those that were created at once are in no order; a slow machine makes up for the last that it missed alone.
        instants = sorted(run.scheduled_at for run in runs)
        assert len(set(instants)) == len(instants)
        assert {(later - earlier) % timedelta(seconds=1) for earlier, later in pairwise(instants)} == {timedelta(0)}
        assert all(run.tags == ("ticking",) and run.schedule for run in runs)


async def test_a_clean_stop_pauses_the_schedules_and_the_next_start_restores_them(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        from flowsource import flow, serve

        @flow
        def tick(): ...

        if __name__ == "__main__":
            serve(
                tick.to_deployment("pausing", interval=1),
                tick.to_deployment("going-on", interval=1, pause_on_shutdown=False),
            )
        """,
    )
    async with serving(script, tmp_path / "home") as server:

        async def both_ran() -> bool:
            return all([await runs_of(server, name) for name in ("tick/pausing", "tick/going-on")])

        await server.until(both_ran, "a run of each")
        anchors = {
            s.key: s.schedule for s in await server.store.schedules([d.id for d in await server.store.deployments()])
        }
        assert await server.stop(signal.SIGINT) == 0
        assert "Schedules are paused" in server.said
        stopped = {d.declared.name: d.stopped for d in await server.store.deployments()}
        assert stopped == {"pausing": True, "going-on": False}
    async with serving(script, tmp_path / "home") as server:
        deployments = await server.store.deployments()
        assert not any(deployment.stopped for deployment in deployments)
        again = {s.key: s.schedule for s in await server.store.schedules([d.id for d in deployments])}
        assert again == anchors, "an interval keeps counting from its first registration"


async def test_a_run_on_request_starts_at_once_and_tells_all_about_itself(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        from flowsource import flow, get_run_logger

        @flow
        def add(first: int, second: int = 2):
            print("adding")
            get_run_logger().warning("slowly")
            return {"sum": first + second}

        @flow
        def fail():
            raise ValueError("no good")

        if __name__ == "__main__":
            from flowsource import serve
            serve(add.to_deployment("sums", parameters={"first": 1}), fail.to_deployment("failing"))
        """,
    )
    async with serving(script, tmp_path / "home") as server:
        run = await server.until_final(await request_run(server.store, "add/sums", {"second": 5}))
        assert (run.state, run.result, run.parameters) == (RunState.COMPLETED, {"sum": 6}, {"first": 1, "second": 5})
        assert [(line.seq, line.level, line.text) for line in await server.store.lines(run.id)] == [
            (1, 20, "adding"),
            (2, 30, "slowly"),
        ]
        assert run.claimed_at and run.started_at and run.ended_at
        # Woken, not polled: far less than the five seconds after which a runner looks by itself.
        assert run.claimed_at - run.created_at < timedelta(seconds=2)

        failed = await server.until_final(await request_run(server.store, "fail/failing", {}))
        assert failed.state is RunState.FAILED
        assert failed.failure is not None
        assert (failed.failure.kind, failed.failure.message) == ("ValueError", "no good")
        assert 'in fail\n    raise ValueError("no good")' in failed.failure.traceback

        with pytest.raises(InvalidParameters, match="second: should be integer"):
            await request_run(server.store, "add/sums", {"second": "many"})
        with pytest.raises(InvalidParameters, match="third: is not a parameter of this flow"):
            await request_run(server.store, "add/sums", {"third": 1})
        with pytest.raises(DeploymentNotFound, match="did you mean add/sums"):
            await request_run(server.store, "add/sum", {})
        assert len(await runs_of(server, "add/sums")) == 1


async def test_no_more_runs_go_on_at_once_than_the_limit(tmp_path: Path) -> None:
    async with serving(write(tmp_path, SLOW), tmp_path / "home") as server:
        runs = [await request_run(server.store, "slow/nap", {}) for _ in range(3)]
        await until_running(server, runs[0])
        await until_running(server, runs[1])
        assert (await server.store.run(str(runs[2].id))).state is RunState.SCHEDULED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_waits_for_runs_to_end(tmp_path: Path, number: signal.Signals) -> None:
    async with serving(write(tmp_path, SLOW), tmp_path / "home") as server:
        run = await request_run(server.store, "slow/nap", {"seconds": 1})
        await until_running(server, run)
        assert await server.stop(number) == 0
        assert "waiting up to 30 s for 1 run" in server.said
        assert (await server.store.run(str(run.id))).state is RunState.COMPLETED
    assert processes_below(tmp_path / "home") == []


async def test_the_second_signal_ends_runs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with serving(write(tmp_path, SLOW), tmp_path / "home") as server:
        polite, deaf = [await request_run(server.store, "slow/nap", {"deaf": deaf}) for deaf in (False, True)]
        for run in (polite, deaf):
            await until_running(server, run)
            lines = server.store.lines

            async def has_begun(run: Run = run, lines: object = lines) -> bool:
                return bool(await server.store.lines(run.id))

            await server.until(has_begun, "it to begin")
        server.process.send_signal(signal.SIGTERM)
        await server.until_said("waiting up to 30 s for 2 runs")
        assert await server.stop() == 0
        for run in (polite, deaf):
            ended = await server.store.run(str(run.id))
            assert ended.state is RunState.CANCELLED
            assert ended.failure is not None
            assert ended.failure.message == "its server was stopped before it ended"
    assert processes_below(tmp_path / "home") == []
    assert list((tmp_path / "home" / "cache" / "scratch").glob("*/*")) == []


async def test_a_killed_server_takes_its_runs_along(tmp_path: Path) -> None:
    async with serving(write(tmp_path, SLOW), tmp_path / "home") as server:
        run = await request_run(server.store, "slow/nap", {})
        await until_running(server, run)
        server.process.kill()
        await server.ended()
        while processes_below(tmp_path / "home"):  # noqa: ASYNC110 - other processes set no event for us
            await anyio.sleep(0.02)
        # Nothing is set up for it: whoever looks next finds out.
        looked = await anyio.run_process(
            [sys.executable, "-m", "flowsource", "runs", "show", run.name],
            env={**os.environ, "FLOWSOURCE_HOME": str(tmp_path / "home")},
        )
        assert "crashed" in looked.stdout.decode()
        assert "its server ended while it ran" in looked.stdout.decode()
        assert (await server.store.run(str(run.id))).state is RunState.CRASHED


async def test_a_run_whose_process_is_killed_has_crashed_and_serving_goes_on(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        import os, signal
        from flowsource import flow

        @flow
        def die(how: str):
            print("last words", flush=True)
            os.kill(os.getpid(), signal.SIGKILL) if how == "kill" else os._exit(3)

        if __name__ == "__main__":
            die.serve(name="young")
        """,
    )
    async with serving(script, tmp_path / "home") as server:
        for how, said in (("kill", "was killed by SIGKILL"), ("exit", "left with exit code 3")):
            run = await server.until_final(await request_run(server.store, "die/young", {"how": how}))
            assert run.state is RunState.CRASHED
            assert run.failure is not None
            assert said in run.failure.message
            assert [line.text for line in await server.store.lines(run.id)] == ["last words"]


async def test_two_servers_of_one_deployment_share_its_runs(tmp_path: Path) -> None:
    script = write(tmp_path, SLOW)
    async with serving(script, tmp_path / "home") as one, serving(script, tmp_path / "home") as other:
        runs = [await request_run(one.store, "slow/nap", {"seconds": 0.2}) for _ in range(6)]
        ended = [await one.until_final(run) for run in runs]
        assert {run.state for run in ended} == {RunState.COMPLETED}
        assert await one.stop() == 0
        assert not (await other.store.deployment("slow/nap")).stopped, "the other still serves it"
        assert await other.stop() == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("f.serve(name='a', interval=60, cron='* * * * *')", "interval, cron: only one of these may be given"),
        ("serve(f.to_deployment('a'), f.to_deployment('a'))", "'f/a' is declared more than once"),
        ("f.serve(name='a', parameters={'n': 'x'})", "n: input should be a valid integer"),
        ("f.serve(name='a/b')", "name: 'a/b' contains '/'"),
        ("f.serve(name='a', tags='etl')", "tags: 'etl' is not a list"),
        ("f.serve(name='a', cron='nonsense')", "cron: 'nonsense'"),
        ("f.serve(name='a', limit=0)", "limit: 0 is not 1 or more"),
        ("f.serve(name='a', crom='* * * * *')", "crom: not an option of a deployment"),
        ("serve()", "there is no deployment to serve"),
        ("flow.from_source('no/such/directory', 'flows.py:f').serve()", "there is no directory"),
        ("flow.from_source('gopher://x/y', 'flows.py:f').serve()", "gopher:// is not a kind of source"),
        ("flow.from_source('.', 'flows.py').serve()", "entrypoint: 'flows.py' does not name a flow"),
    ],
)
async def test_bad_input_is_one_clear_message_and_nothing_is_registered(tmp_path: Path, call: str, said: str) -> None:
    text = (
        f"from flowsource import flow, serve\n@flow\ndef f(n: int = 1): ...\nif __name__ == '__main__':\n    {call}\n"
    )
    async with serving(write(tmp_path, text), tmp_path / "home", until_started=False) as server:
        assert await server.ended() == 1
        assert said in server.said.splitlines()[-1]
        assert await server.store.deployments() == []


async def test_serving_without_a_main_guard_is_told_at_once(tmp_path: Path) -> None:
    text = "from flowsource import flow\n@flow\ndef f(): ...\nf.serve(name='a')\n"
    async with serving(write(tmp_path, text), tmp_path / "home", until_started=False) as server:
        assert await server.ended() == 1
        assert 'put the call under `if __name__ == "__main__":`' in server.said


def test_the_home_of_a_server_is_for_its_owner_alone(tmp_path: Path) -> None:
    async def serve_once() -> None:
        async with serving(write(tmp_path, SLOW), tmp_path / "home") as server:
            assert await server.stop() == 0

    anyio.run(serve_once)
    for directory, _, _ in os.walk(tmp_path / "home"):
        assert Path(directory).stat().st_mode & 0o077 == 0, directory
    assert (tmp_path / "home" / "flowsource.db").stat().st_mode & 0o077 == 0
