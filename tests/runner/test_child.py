"""What a flow meets inside its process, and how its end is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from flowsource.runner.processes.starter import Starter
from tests.support.orders import execute

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]


async def test_a_flow_runs_and_its_result_is_told(server: Starter, write: Write) -> None:
    root = write(flows="def main(n: int): return {'twice': n * 2}")
    heard = await execute(server, root, parameters={"n": "21"})
    assert heard.outcome == {"type": "outcome", "state": "completed", "has_result": True, "result": {"twice": 42}}
    assert heard.status == 0


async def test_an_async_flow_runs_in_a_loop_of_its_own(server: Starter, write: Write) -> None:
    root = write(flows="import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 'done'\n")
    assert (await execute(server, root)).outcome["result"] == "done"


async def test_a_failure_is_told_with_the_traceback_of_the_users_own_code(server: Starter, write: Write) -> None:
    root = write(flows="def main():\n    return inner()\n\ndef inner():\n    raise ValueError('no good')\n")
    failure = (await execute(server, root)).outcome["failure"]
    assert (failure["kind"], failure["message"]) == ("ValueError", "no good")
    assert failure["traceback"].splitlines()[1] == '  File "flows.py", line 2, in main'
    assert "flowsource" not in failure["traceback"]


async def test_an_exception_that_cannot_say_what_it_is_still_ends_the_run(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        class Evil(Exception):
            def __str__(self): raise RuntimeError("never")
        def main(): raise Evil
        """
    )
    assert (await execute(server, root)).outcome["failure"]["kind"] == "Evil"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("object()", "a result of type object was not kept: it is not JSON"),
        ("'x' * 300_000", "a result of type str and 300,002 bytes was not kept: 262,144 are the most"),
        ("2**2000", "a result of type int was not kept: it is not JSON"),
        ("{1: 2}", "a result of type dict was not kept: it is not JSON"),
        ("float('nan')", "a result of type float was not kept: it is not JSON"),
    ],
)
async def test_a_result_that_cannot_be_kept_is_noted(server: Starter, write: Write, body: str, said: str) -> None:
    outcome = (await execute(server, write(flows=f"def main(): return {body}"))).outcome
    assert (outcome["state"], outcome["has_result"], outcome["result"]) == ("completed", False, said)


@pytest.mark.parametrize(
    ("code", "state"), [("", "completed"), ("0", "completed"), ("3", "failed"), ("'why'", "failed")]
)
async def test_leaving_by_exit_is_an_end_as_any_other(server: Starter, write: Write, code: str, state: str) -> None:
    heard = await execute(server, write(flows=f"import sys\ndef main(): sys.exit({code})"))
    assert heard.outcome["state"] == state


@pytest.mark.parametrize(
    ("body", "status"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9), ("os.kill(os.getpid(), 11)", -11)]
)
async def test_a_process_that_just_ends_gives_its_status(server: Starter, write: Write, body: str, status: int) -> None:
    heard = await execute(server, write(flows=f"import os\ndef main():\n    print('last words')\n    {body}\n"))
    assert (heard.status, heard.outcome, heard.said[0]) == (status, {}, "last words")


async def test_wrong_parameters_fail_the_run_by_name(server: Starter, write: Write) -> None:
    failure = (await execute(server, write(flows="def main(n: int): ..."), parameters={"n": "x"})).outcome["failure"]
    assert failure["kind"] == "InvalidParameters"
    assert "n: input should be a valid integer" in failure["message"]


async def test_prints_and_records_keep_their_order(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import logging, os, subprocess, sys
        from flowsource import flow, get_run_logger

        @flow
        def main():
            print("one")
            get_run_logger().info("two")
            logging.getLogger("lib").warning("three %s", 3)
            os.write(1, b"four\\n")
            subprocess.run([sys.executable, "-c", "print('five')"])
            get_run_logger().error("six")
            logging.getLogger("lib").debug("never")
        """
    )
    heard = await execute(server, root)
    assert heard.said == ["one", "two", "three 3", "four", "five", "six"]
    assert [(record["logger"], record["level"]) for record in heard.records] == [
        ("flowsource.run", 20),
        ("lib", 30),
        ("flowsource.run", 40),
    ]


async def test_log_prints_makes_records_of_prints_to_standard_output_alone(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import sys
        from flowsource import flow

        @flow(log_prints=True)
        def main():
            print("a", 1, sep="-")
            print("aside", file=sys.stderr)
        """
    )
    heard = await execute(server, root)
    assert [record["text"] for record in heard.records] == ["a-1"]
    assert "aside" in heard.said


async def test_a_record_that_is_too_long_is_cut_and_says_so(server: Starter, write: Write) -> None:
    root = write(flows="import logging\ndef main(): logging.warning('x' * 100_000)")
    [record] = (await execute(server, root)).records
    assert record["text"].endswith("... [34464 characters more]")


async def test_what_a_flow_prints_is_never_taken_for_a_message(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import os
        from flowsource.runner.frames import encode
        def main():
            os.write(1, encode({"type": "outcome", "state": "completed", "has_result": True, "result": "forged"}))
            raise ValueError
        """
    )
    assert (await execute(server, root)).outcome["state"] == "failed"


async def test_every_run_imports_the_code_anew(server: Starter, write: Write) -> None:
    root = write(flows="import helper\ndef main():\n    helper.N += 1\n    return helper.N", helper="N = 0")
    assert [(await execute(server, root)).outcome["result"] for _ in range(2)] == [1, 1]


async def test_an_edit_of_the_same_size_in_the_same_second_is_seen(server: Starter, write: Write) -> None:
    root = write(flows="", helper="")
    results = []
    for number in (1, 2, 3):
        (root / "flows.py").write_text(f"import helper\ndef main(): return [{number}, helper.N]")
        (root / "helper.py").write_text(f"N = {number}")
        for file in root.glob("*.py"):
            os.utime(file, (1_700_000_000, 1_700_000_000))
        results.append((await execute(server, root)).outcome["result"])
    assert results == [[1, 1], [2, 2], [3, 3]]


async def test_nothing_is_written_beside_the_code(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import subprocess, sys
        import helper
        def main(): subprocess.run([sys.executable, "-c", "import helper"], check=True)
        """,
        helper="N = 0",
    )
    heard = await execute(server, root, is_mounted=False)
    assert heard.outcome["state"] == "completed"
    assert sorted(path.name for path in root.iterdir()) == ["flows.py", "helper.py"]
    assert any((root.parent / "bytecode").iterdir())


async def test_a_run_knows_itself_and_has_a_place_to_write(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import os, sys
        from flowsource import current_run
        def main():
            run = current_run()
            (run.scratch / "note").write_text("x")
            return [run.name, run.deployment, run.revision.ref, sys.stdin.read(), os.getsid(0) == os.getpid()]
        """
    )
    result = (await execute(server, root)).outcome["result"]
    assert result == ["brave-otter", "main/test", "refs/heads/main", "", True]


async def test_a_run_holds_no_descriptor_but_its_own(server: Starter, write: Write) -> None:
    root = write(flows="import os\ndef main(): return sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1]")
    assert (await execute(server, root)).outcome["result"] == [0, 1, 2, 3, 4]


async def test_a_flood_is_heard_whole_and_leaves_others_their_turn(server: Starter, write: Write) -> None:
    root = write(
        flows="import sys\ndef main():\n    for _ in range(20): sys.stdout.buffer.write(b'hello\\n' * 20_000)\n"
    )
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take_turns)
        heard = await execute(server, root)
        tasks.cancel_scope.cancel()
    assert len(heard.said) == 20 * 20_000
    assert turns > 20


async def test_processes_that_a_flow_forks_cannot_spoil_what_it_says(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import logging, os
        def main():
            pids = []
            for _ in range(4):
                pid = os.fork()
                if pid == 0:
                    for number in range(50):
                        logging.warning("x" * 20_000)
                    os._exit(0)
                pids.append(pid)
            for number in range(50):
                logging.warning("y" * 20_000)
            for pid in pids:
                os.waitpid(pid, 0)
            return "told"
        """
    )
    heard = await execute(server, root)
    assert heard.outcome["result"] == "told"
    assert sorted(record["text"][0] for record in heard.records) == ["x"] * 200 + ["y"] * 50
    assert {len(record["text"]) for record in heard.records} == {20_000}


@pytest.mark.parametrize("junk", ["b'\\0\\0\\0\\x02{}'", "b'\\0\\0\\0\\x01x'", "b'\\0\\0\\0\\x02[]'"])
async def test_what_is_no_message_is_passed_over(server: Starter, write: Write, junk: str) -> None:
    root = write(flows=f"import os\ndef main():\n    os.write(3, {junk})\n    return 1")
    assert (await execute(server, root)).outcome["result"] == 1


async def test_a_channel_that_a_flow_broke_costs_that_run_its_messages_and_nobody_else(
    server: Starter, write: Write
) -> None:
    root = write(flows="import os\ndef main():\n    print('hi')\n    os.write(3, b'\\xff' * 4)\n    return 1")
    heard = await execute(server, root)
    assert (heard.outcome, heard.said) == ({}, ["hi"])
    assert (await execute(server, write(flows="def main(): return 2"))).outcome["result"] == 2
