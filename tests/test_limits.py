"""What hangs ends, and is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

LIMITS = "[pytest]\ntimeout = 300\nfaulthandler_timeout = {cleaning_up}\nfaulthandler_exit_on_timeout = true\n"
COMMAND = [sys.executable, "-m", "pytest", "-p", "tests.support.limits", "-p", "no:cacheprovider"]


def judged(directory: Path, tests: str, *, cleaning_up: int = 400) -> subprocess.CompletedProcess[str]:
    """What pytest makes of a module of these tests, with our limits."""
    (directory / "pytest.ini").write_text(LIMITS.format(cleaning_up=cleaning_up))
    (directory / "test_it.py").write_text("import anyio, pytest, threading\n" + dedent(tests))
    root = Path(__file__).parents[1]
    return subprocess.run(
        [*COMMAND, "--rootdir", str(directory), "-c", str(directory / "pytest.ini"), str(directory / "test_it.py")],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_in_an_event_loop_fails_where_it_hangs_and_is_cleaned_up_after(tmp_path: Path) -> None:
    done = judged(
        tmp_path,
        """
        pytestmark = pytest.mark.anyio

        @pytest.fixture(params=["asyncio"])
        def anyio_backend(request):
            return request.param

        @pytest.fixture
        async def part():
            yield
            print("cleaned up")

        @pytest.mark.timeout(2)
        async def test_hangs(part):
            await anyio.sleep_forever()

        async def test_goes_on(part):
            pass
        """,
    )

    assert ("1 failed, 1 passed" in done.stdout, done.stdout.count("cleaned up")) == (True, 1), (
        done.stdout + done.stderr
    )
    assert ">       await anyio.sleep_forever()" in done.stdout


def test_what_hangs_while_it_is_cleaned_up_ends_the_process_and_is_told_where(tmp_path: Path) -> None:
    done = judged(
        tmp_path,
        """
        @pytest.fixture
        def part():
            yield
            threading.Event().wait()

        def test_fails(part):
            assert not "good"
        """,
        cleaning_up=15,
    )

    assert done.returncode == 1
    assert 'test_it.py", line 6 in part' in done.stderr, done.stdout + done.stderr
    assert "test_it.py::test_fails (call): AssertionError" in done.stdout
