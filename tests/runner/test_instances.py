"""Objects whose methods are served: kept in private files, and opened by the processes of their runs alone."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

import flowsource
from flowsource import RunnerDeployment, flow
from flowsource.errors import InvalidDeployment
from flowsource.runner import serving
from flowsource.runner.instances import keep_instance, stay_in_use, sweep_instances
from flowsource.runner.origin import Origin, origin_of
from flowsource.runner.processes.starter import Starter
from tests.support.orders import Heard, execute
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FLOWSOURCE_HOME", str(tmp_path / "home"))
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path / "home"
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@dataclass
class Greeter:
    word: str
    extra: dict[str, Any] = field(default_factory=dict)

    @flow
    def greet(self, name: str = "you") -> str:
        return f"{self.word} {name}"

    @flow
    @classmethod
    def kind(cls) -> str:
        return cls.__name__


class Polite(Greeter):
    pass


class Slotted:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()

    @flow
    def greet(self) -> None: ...


def test_each_instance_has_an_origin_of_its_own_in_a_file_for_us_alone(home: Path) -> None:
    first, second, again = (origin_of(Greeter(word).greet) for word in ("hello", "bye", "hello"))
    assert first.entrypoint.endswith("test_instances.py:Greeter.greet")
    assert first.entrypoint == second.entrypoint
    assert first.instance is not None
    assert first.instance == again.instance != second.instance
    assert first.instance.parent == home / "cache" / "instances"
    assert stat.S_IMODE(first.instance.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.instance.parent.stat().st_mode) == 0o700
    assert len(list(first.instance.parent.iterdir())) == 2


def test_served_alone_and_together_an_object_is_kept_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    together = [Greeter(word).greet.to_deployment(word) for word in ("hello", "bye")]
    alone: list[RunnerDeployment] = []
    monkeypatch.setattr(serving, "serve", lambda deployment, **_: alone.append(deployment))
    for word in ("hello", "bye"):
        Greeter(word).greet.serve(word)
    assert [entry.declared.instance for entry in alone] == [entry.declared.instance for entry in together]
    assert len({entry.declared.instance for entry in alone}) == 2


def test_a_method_is_looked_for_in_the_class_of_its_object_and_one_of_a_class_needs_no_object() -> None:
    assert origin_of(Polite("hello").greet).entrypoint.endswith("test_instances.py:Polite.greet")
    assert origin_of(Polite.kind).entrypoint.endswith("test_instances.py:Polite.kind")
    assert origin_of(Polite.kind).instance is None


@pytest.mark.parametrize(
    ("instance", "where"),
    [
        (Greeter("hello", {"tools": {"lock": threading.Lock()}}), "attribute 'extra.tools.lock' cannot be kept"),
        (Greeter("hello", {"call": lambda: 1}), "attribute 'extra.call' cannot be kept"),
        (Greeter("hello", {"all": [1, threading.Lock()]}), "attribute 'extra.all.1' cannot be kept"),
        (Slotted(), "attribute 'lock' cannot be kept"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_the_name_of_the_attribute(instance: Any, where: str) -> None:
    with pytest.raises(InvalidDeployment, match=f"{type(instance).__name__}: .* {where}"):
        origin_of(instance.greet)


def test_a_method_that_a_run_would_find_another_for_is_refused() -> None:
    with pytest.raises(InvalidDeployment, match=r"not what Greeter in test_instances\.py has under any name"):
        origin_of(Greeter("hello").greet.with_options(name="other"))

    class Inner(Greeter):
        pass

    with pytest.raises(InvalidDeployment, match="inside a function"):
        origin_of(Inner("hello").greet)


CODE = """
    from dataclasses import dataclass, field
    from flowsource import flow
    from near import Thing

    class Suffix(str):
        def __reduce__(self):
            return Suffix, (str(self),)

    @dataclass
    class Greeter:
        word: str
        suffix: Suffix = Suffix("!")
        thing: Thing = field(default_factory=Thing)
        kind: type = Suffix

        @flow
        def greet(self, name: str = "you") -> list:
            return [self.word, name, str(self.suffix), self.thing.n, __name__, self.kind is Suffix]
    """


def served(root: Path, make: str) -> Origin:
    """What serving a method in a program at `root` comes to; it writes `make` into the file that defines the class."""
    script = root / "flows.py"
    code = f"{script.read_text()}\nif __name__ == '__main__':\n    from flowsource.runner.origin import origin_of\n"
    script.write_text(f"{code}    origin = origin_of({make})\n    print(origin.entrypoint, origin.instance)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    entrypoint, instance = done.stdout.split()
    return Origin(source=None, entrypoint=entrypoint, instance=Path(instance))  # type: ignore[arg-type]  # not looked at


async def called(server: Starter, root: Path, origin: Origin, **more: Any) -> Heard:
    return await execute(server, root, origin.entrypoint, instance=str(origin.instance), **more)


async def test_a_run_has_the_object_and_its_class_as_the_code_is_by_then(server: Starter, write: Write) -> None:
    root = write(flows=CODE, near="class Thing:\n    def __init__(self): self.n = 5\n")
    origin = served(root, "Greeter('hello').greet")
    assert origin.entrypoint == "flows.py:Greeter.greet"
    heard = await called(server, root, origin, parameters={"name": "Ada"})
    assert heard.outcome["result"] == ["hello", "Ada", "!", 5, "flows", True]
    [facts] = (await called(server, root, origin, kind="inspect")).others
    assert list(facts["parameter_schema"]["properties"]) == ["name"]

    edited = (root / "flows.py").read_text().replace("return [self.word, name,", "return ['edited', self.word,")
    (root / "flows.py").write_text(edited)
    assert (await called(server, root, origin)).outcome["result"][:2] == ["edited", "hello"]

    (root / "flows.py").write_text(edited.replace("class Suffix", "class Gone").replace("Suffix", "Gone"))
    failure = (await called(server, root, origin)).outcome["failure"]
    assert failure["kind"] == "EntrypointLoadFailed"
    assert "the object whose method it is cannot be made again (AttributeError: " in failure["message"]


async def test_a_file_that_is_not_what_was_kept_is_not_opened(server: Starter, write: Write, tmp_path: Path) -> None:
    root = write(flows=CODE, near="class Thing: n = 5\n")
    origin = served(root, "Greeter('hello').greet")
    assert origin.instance is not None
    note = tmp_path / "note"
    origin.instance.chmod(0o644)
    failure = (await called(server, root, origin)).outcome["failure"]
    assert "can be reached by others" in failure["message"]
    origin.instance.chmod(0o600)
    origin.instance.write_bytes(f"cos\nsystem\n(S'touch {note}'\ntR.".encode())
    failure = (await called(server, root, origin)).outcome["failure"]
    assert "is not what was kept there; serve the method again" in failure["message"]
    link = origin.instance.with_name("link.pickle")
    os.symlink(origin.instance, link)
    failure = (await execute(server, root, origin.entrypoint, instance=str(link))).outcome["failure"]
    assert "cannot be made again (OSError" in failure["message"]
    assert not note.exists()


def test_objects_are_opened_by_the_process_of_a_run_and_nowhere_else() -> None:
    top = Path(flowsource.__file__).parent
    found = {}
    wanted = {"pickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal"}
    for file in top.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text) if any(word in text for word in wanted) else ast.Module([], [])
        names = {name for node in ast.walk(tree) for name in _imported(node) if name.partition(".")[0] in wanted}
        if names:
            found[file.relative_to(top).as_posix()] = names
    assert found == {
        "runner/child/loading.py": {"pickle"},
        "runner/instances.py": {"pickle"},
        # Bytecode that the process of a run wrote itself.
        "runner/child/modules.py": {"marshal"},
    }
    keeps = (top / "runner" / "instances.py").read_text(encoding="utf-8")
    assert not any(word in keeps for word in ("Unpickler", "pickle.load"))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


async def test_a_file_that_no_server_has_used_for_a_week_is_removed(tmp_path: Path) -> None:
    cache, now = tmp_path / "home" / "cache", datetime.now(UTC)
    sweep_instances(cache, now=now)
    here = sys.modules[__name__]
    used, left = (keep_instance(Greeter(word), here, cache) for word in ("hi", "ho"))
    long_ago = (now - timedelta(days=30)).timestamp()
    for file in (used, left):
        os.utime(file, (long_ago, long_ago))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stay_in_use, [used, tmp_path / "gone"])
        await until(lambda: used.stat().st_mtime > long_ago)
        tasks.cancel_scope.cancel()
    sweep_instances(cache, now=now)
    assert list(used.parent.iterdir()) == [used]
    sweep_instances(cache, now=now + timedelta(days=6))
    assert used.exists()
