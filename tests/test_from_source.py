"""`flow.from_source`: a flow from elsewhere, called here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

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
