"""`flow.from_source`: a flow from elsewhere, called here."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import fsspec
import pytest

from flowsource import GitRepository, flow
from flowsource.demo.repository import FixtureRepository
from flowsource.errors import (
    EntrypointFileMissing,
    EntrypointLoadFailed,
    EntrypointNotFound,
    InvalidInput,
    RefNotFound,
    SourceMissing,
)
from flowsource.sources.remote import storage

GREET = """
from flowsource import flow

@flow(name="greet-all")
def greet(name: str = "you"):
    "Greet."
    return f"hi {name}"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FLOWSOURCE_HOME", str(tmp_path / "home"))
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def directory(tmp_path: Path, text: str = GREET) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "greetings_here.py").write_text(text)
    return tmp_path / "code"


@pytest.mark.parametrize("as_text", [True, False])
def test_a_directory_is_given_as_text_or_path(tmp_path: Path, as_text: bool) -> None:
    place = directory(tmp_path)
    loaded = flow.from_source(str(place) if as_text else place, "greetings_here.py:greet")
    assert loaded("Ada") == "hi Ada"
    assert (loaded.name, loaded.description) == ("greet-all", "Greet.")
    assert loaded.parameter_schema["properties"]["name"]["default"] == "you"


def test_a_repository_is_given_by_its_url_or_as_an_object(tmp_path: Path) -> None:
    repository = FixtureRepository.create(tmp_path / "repo.git")
    repository.commit_files({"here/greetings_there.py": GREET})
    for source in (str(repository.path), f"file://{repository.path}", GitRepository(repository.path, branch="main")):
        assert flow.from_source(source, "here/greetings_there.py:greet")(name="you") == "hi you"


def test_a_place_that_fsspec_reaches_is_given_by_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_SETTLE", 0.001)
    fsspec.filesystem("memory").pipe("/team/here/greetings_remote.py", GREET.encode())
    assert flow.from_source("memory://team", "here/greetings_remote.py:greet")(name="you") == "hi you"


def test_it_works_where_an_event_loop_runs(tmp_path: Path) -> None:
    place = directory(tmp_path)

    async def both() -> tuple[str, str]:
        blocking = flow.from_source(place, "greetings_here.py:greet")
        awaited = await flow.afrom_source(place, "greetings_here.py:greet")
        return blocking(), awaited()

    assert asyncio.run(both()) == ("hi you", "hi you")


def test_the_code_is_imported_when_it_is_needed_and_not_before(tmp_path: Path) -> None:
    place = directory(tmp_path, "raise RuntimeError('imported')\n")
    loaded = flow.from_source(place, "greetings_here.py:greet")
    assert repr(loaded).startswith("<Flow 'greetings_here.py:greet' of ")
    with pytest.raises(EntrypointLoadFailed, match=r"RuntimeError: imported \(greetings_here\.py:1\)"):
        loaded()


def test_wrong_input_is_told_apart(tmp_path: Path) -> None:
    place = directory(tmp_path)
    repository = FixtureRepository.create(tmp_path / "repo.git")
    repository.commit_files({"flows.py": GREET})
    repository.set_ref("refs/heads/release-1", repository.tip())
    with pytest.raises(SourceMissing, match="code"):
        flow.from_source(tmp_path / "cod", "x.py:y")
    with pytest.raises(EntrypointFileMissing, match=r"files there: greetings_here\.py"):
        flow.from_source(place, "greetings_her.py:greet")
    with pytest.raises(EntrypointNotFound, match="flows there: greet"):
        flow.from_source(place, "greetings_here.py:great")()
    with pytest.raises(RefNotFound, match="release-1"):
        flow.from_source(GitRepository(repository.path, branch="release-2"), "flows.py:greet")
    with pytest.raises(InvalidInput, match="int is not a source"):
        flow.from_source(5, "x.py:y")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="options of a flow from a source"):
        flow.from_source(place, "greetings_here.py:greet").with_options(name="other")
    with pytest.raises(InvalidInput, match="hooks of a flow from a source"):
        flow.from_source(place, "greetings_here.py:greet").on_failure(lambda *_: None)


THEIRS = {"same_here", "helper_here", "later_here"}
HELPING = """
import asyncio
from flowsource import flow
import helper_here

@flow
def word():
    import later_here
    return helper_here.WORD + later_here.WORD

@flow
async def word_async():
    await asyncio.sleep(0.001)
    import later_here
    return helper_here.WORD + later_here.WORD

@flow
def words():
    for _ in range(2):
        import later_here
        yield helper_here.WORD + later_here.WORD

@flow
async def words_async():
    for _ in range(2):
        await asyncio.sleep(0)
        import later_here
        yield helper_here.WORD + later_here.WORD
"""


def two_sources(tmp_path: Path) -> tuple[Path, Path]:
    """Two directories with the same module names, and other things in them."""
    for name in ("one", "two"):
        (tmp_path / name / "flows").mkdir(parents=True)
        (tmp_path / name / "flows" / "same_here.py").write_text(HELPING)
        (tmp_path / name / "flows" / "helper_here.py").write_text(f"WORD = {name!r}")
        (tmp_path / name / "later_here.py").write_text(f"WORD = ' later {name}'")
    return tmp_path / "one", tmp_path / "two"


def test_two_sources_with_the_same_module_names_give_two_flows(tmp_path: Path) -> None:
    one, two = (flow.from_source(place, "flows/same_here.py:word") for place in two_sources(tmp_path))
    path, modules = list(sys.path), dict(sys.modules)
    assert [one(), two(), one()] == ["one later one", "two later two", "one later one"]
    assert sys.path == path
    assert THEIRS.isdisjoint(sys.modules)
    assert {name: sys.modules[name] for name in modules} == modules


def test_modules_of_the_caller_by_the_same_names_are_neither_used_nor_replaced(tmp_path: Path) -> None:
    one, _ = two_sources(tmp_path)
    own = sys.modules["helper_here"] = ModuleType("helper_here")
    assert flow.from_source(one, "flows/same_here.py:word")() == "one later one"
    assert sys.modules["helper_here"] is own


def test_async_flows_of_two_sources_go_on_side_by_side(tmp_path: Path) -> None:
    flows = [flow.from_source(place, "flows/same_here.py:word_async") for place in two_sources(tmp_path)]

    async def both() -> list[str]:
        return list(await asyncio.gather(*(each() for each in flows)))

    assert asyncio.run(both()) == ["one later one", "two later two"]
    assert THEIRS.isdisjoint(sys.modules)


def test_generators_of_two_sources_are_gone_through_in_turns(tmp_path: Path) -> None:
    places = two_sources(tmp_path)
    one, two = (flow.from_source(place, "flows/same_here.py:words")() for place in places)
    assert [next(one), next(two), next(one), next(two)] == ["one later one", "two later two"] * 2

    async def all_of() -> list[str]:
        return [word async for word in flow.from_source(places[0], "flows/same_here.py:words_async")()]

    assert asyncio.run(all_of()) == ["one later one"] * 2
    assert THEIRS.isdisjoint(sys.modules)


def test_nothing_is_written_into_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = FixtureRepository.create(tmp_path / "repo.git")
    repository.commit_files({"here/greetings_there.py": GREET})
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    loaded = flow.from_source(str(repository.path), "here/greetings_there.py:greet")
    assert loaded() == "hi you"
    assert not list((tmp_path / "home").rglob("tree/**/__pycache__"))
    assert not sys.dont_write_bytecode


def test_a_direct_call_is_told_of_at_the_terminal(tmp_path: Path) -> None:
    place = directory(
        tmp_path, "from flowsource import flow\n@flow(log_prints=True)\ndef hello(): print('Hello world!')"
    )
    code = f"from flowsource import flow\nflow.from_source({str(place)!r}, 'greetings_here.py:hello')()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = [line.partition(" | ")[2] for line in done.stderr.splitlines()]
    name = said[0].partition("'")[2].partition("'")[0]
    assert said == [
        f"INFO    | flowsource.engine - Created flow run '{name}' for flow 'hello'",
        f"INFO    | Flow run '{name}' - Hello world!",
        f"INFO    | Flow run '{name}' - Finished in state Completed()",
    ]
