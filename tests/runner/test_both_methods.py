"""What a flow may count on in its process, whichever way that was started."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from flowsource.runner.processes.starter import Starter, open_starter
from flowsource.settings import START_METHODS
from tests.support.orders import execute

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]

HOSTILE = "raise SystemExit('taken over')"


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """The directory `root` with these files, each by its path."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
    return root


async def result_of(starter: Starter, root: Path, entrypoint: str = "flows.py:main", **more: object) -> object:
    """What the flow returned; it must have completed."""
    heard = await execute(starter, root, entrypoint, **more)  # type: ignore[arg-type]  # what an order may say
    assert heard.outcome.get("state") == "completed", heard
    return heard.outcome["result"]


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
async def test_a_flow_has_processes_do_what_its_file_defines(starter: Starter, write: Write, context: str) -> None:
    root = write(
        flows="""
        import multiprocessing, os
        from concurrent.futures import ProcessPoolExecutor
        from dataclasses import dataclass
        from enum import Enum

        class Color(Enum):
            RED = 1

        @dataclass
        class Thing:
            n: int
            color: Color = Color.RED

            def twice(self):
                return Thing(self.n * 2)

        def twice(thing):
            assert thing.color is Color.RED
            return thing.twice(), os.getpid()

        def tell(queue):
            queue.put(Thing(3))

        def main(context: str):
            context = multiprocessing.get_context(context)
            with ProcessPoolExecutor(2, context) as pool:
                things, pids = zip(*pool.map(twice, [Thing(1), Thing(2)]))
            with context.Pool(1) as pool:
                more, _ = pool.apply(twice, [Thing(4)])
            queue = context.Queue()
            process = context.Process(target=tell, args=[queue])
            process.start()
            told = queue.get()
            process.join()
            assert os.getpid() not in pids
            return [thing.n for thing in (*things, more, told)]
        """
    )
    assert await result_of(starter, root, parameters={"context": context}) == [2, 4, 8, 3]


async def test_what_its_file_defines_is_pickled_by_its_real_name(starter: Starter, write: Write) -> None:
    root = write(
        flows="""
        import pickle

        class Thing: ...

        def main():
            assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
            assert pickle.loads(pickle.dumps(main)) is main
            return [__name__, Thing.__module__]
        """
    )
    assert await result_of(starter, root) == ["flows", "flows"]


async def test_a_package_imports_its_parts_by_relative_names(starter: Starter, tmp_path: Path) -> None:
    root = write_tree(
        tmp_path / "code",
        {
            "shared.py": "NAME = 'shared'",
            "etl/__init__.py": "from .parts.steps import step",
            "etl/parts/__init__.py": "",
            "etl/parts/steps.py": "from .. import config\nimport shared\ndef step(): return [shared.NAME, config.N]",
            "etl/config.py": "N = 7",
            "etl/flows.py": """
                from . import step
                from .config import N
                from etl.parts import steps

                def main():
                    assert steps.step is step
                    return [*step(), __name__]
            """,
        },
    )
    for entrypoint in ("etl/flows.py:main", "etl.flows.main"):
        assert await result_of(starter, root, entrypoint) == ["shared", 7, "etl.flows"]


async def test_modules_of_equal_names_in_two_sources_are_two(starter: Starter, tmp_path: Path) -> None:
    roots = [
        write_tree(
            tmp_path / str(number) / "code",
            {
                "flows.py": "import helper\nfrom lib import tools\ndef main(): return [helper.N, tools.N]",
                "helper.py": f"N = {number}",
                "lib/__init__.py": "",
                "lib/tools.py": f"N = {number}",
            },
        )
        for number in (1, 2)
    ]
    results = [await result_of(starter, root) for root in (*roots, *roots)]
    assert results == [[1, 1], [2, 2], [1, 1], [2, 2]]


@pytest.mark.parametrize("preload", [[], ["random", "numpy"]])
async def test_what_is_drawn_by_chance_differs_from_run_to_run(
    starter: Starter, write: Write, preload: list[str]
) -> None:
    root = write(
        flows="""
        import random, secrets, uuid
        import numpy

        def main():
            return [
                random.random(),
                numpy.random.random(),
                numpy.random.default_rng().random(),
                secrets.token_hex(),
                str(uuid.uuid4()),
            ]
        """
    )
    one, other = [await result_of(starter, root, preload=preload) for _ in range(2)]
    assert isinstance(one, list) and isinstance(other, list)
    assert [a for a, b in zip(one, other, strict=True) if a == b] == []


async def test_a_value_that_a_file_has_from_its_import_is_of_the_run(starter: Starter, write: Write) -> None:
    root = write(
        flows="""
        import os, time
        from datetime import date
        import helper

        TODAY, BEGAN, PID = date.today(), time.monotonic_ns(), os.getpid()

        def main():
            assert PID == os.getpid()
            return [BEGAN, helper.BEGAN, TODAY.isoformat()]
        """,
        helper="import time\nBEGAN = time.monotonic_ns()\n",
    )
    first, second = [await result_of(starter, root) for _ in range(2)]
    assert isinstance(first, list) and isinstance(second, list)
    assert first[1] < first[0] < second[1] < second[0]


async def test_nothing_in_a_snapshot_takes_part_in_what_the_runtime_imports(starter: Starter, tmp_path: Path) -> None:
    names = ["json", "logging", "socket", "signal", "asyncio", "pydantic", "sitecustomize", "usercustomize"]
    root = write_tree(
        tmp_path / "code",
        {
            **{f"{name}.py": HOSTILE for name in names},
            "flowsource/__init__.py": HOSTILE,
            "flowsource/runner/__init__.py": HOSTILE,
            "evil.pth": "import os; os._exit(66)",
            "site-packages/evil.pth": "import os; os._exit(66)",
            "flows.py": """
                from flowsource import flow, get_run_logger

                @flow(log_prints=True)
                def main(n: int):
                    get_run_logger().info("here")
                    print("and there")
                    return {"n": n}
            """,
        },
    )
    heard = await execute(starter, root, parameters={"n": "5"})
    assert (heard.outcome["state"], heard.outcome["result"]) == ("completed", {"n": 5})
    assert heard.said == ["here", "and there"]


@pytest.mark.parametrize("method", START_METHODS)
async def test_variables_of_python_hold_for_runs_and_the_code_of_a_run_comes_first(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = write_tree(tmp_path / "shared", {"both.py": "N = 'theirs'", "extra.py": "N = 'extra'"})
    root = write_tree(
        tmp_path / "code",
        {
            "both.py": "N = 'ours'",
            "flows.py": """
                import os, subprocess, sys
                import both, extra

                def main():
                    command = [sys.executable, "-c", "import extra; print(extra.N)"]
                    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                    return [both.N, extra.N, said.strip(), sys.flags.optimize]
            """,
        },
    )
    startup = tmp_path / "startup.py"
    startup.write_text(HOSTILE)
    monkeypatch.setenv("PYTHONPATH", str(shared))
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))
    monkeypatch.setenv("PYTHONINSPECT", "1")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    async with open_starter(method) as starter:
        assert await result_of(starter, root) == ["ours", "extra", "extra", 1]


@pytest.mark.parametrize("method", START_METHODS)
async def test_an_edit_is_seen_at_once_also_where_the_path_of_python_leads_to_the_code(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "code"
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    results = []
    async with open_starter(method) as starter:
        for number in (1, 2):
            write_tree(root, {"flows.py": "import helper\ndef main(): return helper.N", "helper.py": f"N = {number}"})
            for file in root.glob("*.py"):
                os.utime(file, (1_700_000_000, 1_700_000_000))
            results.append(await result_of(starter, root))
    assert results == [1, 2]
    assert not (root / "__pycache__").exists()
