"""What a flow prints and logs is heard whole and in order, whatever the flow does to its streams."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from flowsource.runner.processes.starter import Starter
from tests.support.orders import execute

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]


async def test_records_keep_their_level_logger_extras_and_exception(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import logging
        from datetime import date

        class Sulky:
            def __repr__(self): raise RuntimeError("no")

        def main():
            extra = {"rows": 3, "day": date(2026, 1, 2), "odd": Sulky(), "tags": ["a"], "nan": float("nan")}
            logging.getLogger("etl.load").warning("loaded", extra=extra)
            logging.info("big", extra={"text": "x" * 30_000, "more": 1})
            try:
                1 / 0
            except ZeroDivisionError:
                logging.exception("failed")
        """
    )
    loaded, big, failed = (await execute(server, root)).records
    assert (loaded["level"], loaded["logger"], loaded["text"]) == (logging.WARNING, "etl.load", "loaded")
    assert loaded["extra"] == {
        "rows": 3,
        "day": "datetime.date(2026, 1, 2)",
        "odd": "<Sulky whose repr raised RuntimeError>",
        "tags": ["a"],
        "nan": "nan",
    }
    assert len(big["extra"]["text"]) < 16_500
    assert big["extra"]["..."] == "1 more were left out"
    assert failed["text"].splitlines()[0] == "failed"
    assert failed["text"].splitlines()[-1] == "ZeroDivisionError: division by zero"


async def test_a_record_that_cannot_be_formatted_is_heard_all_the_same(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import logging
        class Evil:
            def __str__(self): raise RuntimeError("no")
            __repr__ = __str__
        def main():
            logging.error("%d rows", "x")
            logging.error(Evil())
            logging.error("and on")
        """
    )
    assert [record["text"] for record in (await execute(server, root)).records] == [
        "%d rows [its arguments cannot be shown: TypeError]",
        "<Evil whose repr raised RuntimeError> [its arguments cannot be shown: RuntimeError]",
        "and on",
    ]


async def test_records_of_threads_and_of_forked_processes_are_whole_and_each_in_its_order(
    server: Starter, write: Write
) -> None:
    root = write(
        flows="""
        import logging, os
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
        from multiprocessing import get_context

        def talk(name):
            for number in range(50):
                logging.getLogger(name).warning("%d " % number + "x" * 10_000 * (number % 2), extra={"n": number})
                print(name, number)

        def shout(name):
            logging.getLogger(name).warning("from another interpreter")

        def main():
            with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, get_context("fork")) as forks:
                list(forks.map(talk, ["fork-1", "fork-2"]))
                list(threads.map(talk, ["thread-1", "thread-2", "thread-3"]))
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                pool.submit(shout, "spawned").result()
        """
    )
    heard = await execute(server, root)
    for name in ("fork-1", "fork-2", "thread-1", "thread-2", "thread-3"):
        mine = [record for record in heard.records if record["logger"] == name]
        assert [record["extra"]["n"] for record in mine] == list(range(50))
        assert {len(record["text"]) for record in mine[1::2]} <= {10_002, 10_003}
    assert "from another interpreter" in heard.said


async def test_what_a_flow_does_to_its_streams_costs_no_record_and_no_other_file(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import io, logging, os, sys
        from flowsource import current_run

        def main():
            sys.stdout = io.StringIO()
            logging.warning("standard output is replaced")
            sys.stdout = None
            logging.warning("there is none")
            os.close(1)
            logging.warning("its descriptor is closed")
            os.close(4)
            mine = os.open(current_run().scratch / "mine", os.O_RDWR | os.O_CREAT)
            assert mine == 1 and os.dup2(mine, 4)
            logging.warning("ours is another file")
            return os.fstat(mine).st_size
        """
    )
    heard = await execute(server, root)
    assert heard.said == [
        "standard output is replaced",
        "there is none",
        "its descriptor is closed",
        "ours is another file",
    ]
    assert heard.outcome["result"] == 0


async def test_an_output_that_does_not_wait_loses_no_record(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import logging, os
        def main():
            os.set_blocking(1, False)
            for number in range(3000):
                logging.info("%d" % number + "x" * 500)
        """
    )
    assert len((await execute(server, root)).records) == 3000


async def test_lines_of_c_stand_where_they_were_written(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import ctypes
        def main():
            c = ctypes.CDLL(None)
            print("python")
            c.puts(b"c")
            print("python again")
            c.printf(b"half a line of c")
        """
    )
    assert (await execute(server, root)).said == ["python", "c", "python again", "half a line of c"]


@pytest.mark.parametrize(
    ("end", "status", "says"),
    [("os._exit(3)", 3, ""), ("os.kill(os.getpid(), 9)", -9, ""), ("ctypes.string_at(0)", -11, "line 7 in crash")],
)
async def test_the_last_words_of_a_process_are_heard_also_half_a_line(
    server: Starter, write: Write, end: str, status: int, says: str
) -> None:
    root = write(
        flows=f"""
        import ctypes, os, sys
        def main():
            print("first")
            print("half a line", end="")
            crash()
        def crash(): {end}
        """
    )
    heard = await execute(server, root)
    assert (heard.status, heard.said[0], heard.said[1][:11]) == (status, "first", "half a line")
    assert any(line.endswith(says) for line in heard.said)


async def test_text_of_any_kind_is_heard_in_a_c_locale(server: Starter, write: Write) -> None:
    root = write(
        flows="""
        import logging, os, subprocess, sys
        def main():
            logging.warning("rec \\udcff \\0 \\U0001f433")
            print("print \\ud800 \\u20ac")
            os.write(1, b"bytes \\xff \\0 \\x1b[31mred\\x1b[0m\\n")
            os.environ["LC_ALL"] = "C"
            subprocess.run([sys.executable, "-c", "print('child \\u20ac')"])
        """
    )
    heard = await execute(server, root)
    assert heard.said == [
        "rec \udcff \0 🐳",
        "print \\ud800 €",
        "bytes \\xff \\x00 \x1b[31mred\x1b[0m",
        "child €",
    ]
