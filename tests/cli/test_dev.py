"""`flowsource dev`: flows as they are being written."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.cli.dev_flows import flows_in, place_of
from flowsource.errors import EntrypointNotFound
from tests.cli.calling import CommandLine
from tests.cli.served import going_on
from tests.support.serving import READY

GOOD = "from flowsource import flow\n\n@flow\ndef greet():\n    print('good')\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "place"
    directory.mkdir()
    return directory


def test_it_waits_until_a_broken_file_is_mended(alone: CommandLine, place: Path) -> None:
    file = place / "etl.py"
    file.write_text(GOOD.replace("greet():", "greet(:"))
    with going_on(place, alone.home, "dev", "etl.py") as served:
        served.wait_until_said("(etl.py:4)")
        served.wait_until_said("Waiting for you to save a repair")
        file.write_text(GOOD.replace("'good'", "'mended'"))
        served.wait_until_said(READY)
        done = alone.run("run", "greet/dev", "--watch")
        assert (done.code, "mended" in done.out) == (0, True)


def test_an_error_is_told_when_it_is_saved_and_so_is_its_repair(alone: CommandLine, place: Path) -> None:
    file = place / "etl.py"
    file.write_text(GOOD)
    with going_on(place, alone.home, "dev", "etl.py:greet") as served:
        served.wait_until_said(READY)
        file.write_text(f"{GOOD}1 / 0\n")
        served.wait_until_said("ZeroDivisionError: division by zero (etl.py:6)")
        served.wait_until_said("runs fail until this is mended")
        file.write_text(GOOD.replace("'good'", "'again'"))
        served.wait_until_said("greet/dev now serves")
        done = alone.run("run", "greet/dev", "--watch")
        assert (done.code, "again" in done.out) == (0, True)


def test_all_flows_below_a_directory_are_found_without_an_import(place: Path) -> None:
    (place / "sub").mkdir()
    (place / ".venv").mkdir()
    for file in ("a.py", "sub/b.py", ".venv/c.py"):
        (place / file).write_text(
            "import not_there\n@flow\ndef greet(): ...\n@not_there.flow(retries=1)\nasync def x(): ..."
        )
    assert place_of(str(place)) == (place, ["a.py:greet", "a.py:x", "sub/b.py:greet", "sub/b.py:x"])
    assert place_of(f"{place}:sub/b.py:other")[1] == ["sub/b.py:other"]
    assert place_of(f"{place}/sub/b.py:other") == (place / "sub", ["b.py:other"])


def test_a_file_in_a_package_is_imported_from_above_it(place: Path) -> None:
    (place / "pkg").mkdir()
    (place / "pkg" / "__init__.py").touch()
    (place / "pkg" / "etl.py").write_text(GOOD)
    assert place_of(f"{place}/pkg/etl.py") == (place, ["pkg/etl.py:greet"])


def test_what_only_looks_like_a_flow_is_none() -> None:
    assert (
        flows_in(b"@task\ndef a(): ...\n@flows\ndef b(): ...\ndef flow(): ...\nclass C:\n  @flow\n  def d(s): ...", "x")
        == []
    )


def test_a_file_without_flows_is_refused(place: Path) -> None:
    (place / "etl.py").write_text("x = 1\n")
    with pytest.raises(EntrypointNotFound):
        place_of(str(place / "etl.py"))


@pytest.mark.parametrize("given", ["not_there.py", "notes.txt"])
def test_what_is_no_python_is_refused(alone: CommandLine, place: Path, given: str) -> None:
    (place / "notes.txt").touch()
    done = alone("dev", str(place / given))
    assert (done.code, "PATH: " in done.err) == (2, True)
