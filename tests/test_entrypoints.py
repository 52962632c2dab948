"""From the text of an entrypoint to a flow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowsource.entrypoints import load, parse
from flowsource.errors import (
    EntrypointFileMissing,
    EntrypointLoadFailed,
    EntrypointMalformed,
    EntrypointNotFound,
    InvalidInput,
)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def loaded_elsewhere(root: Path, entrypoint: str, call: str = "()") -> str:
    """What the flow at `entrypoint` returns, in a process of its own, as every load of it is meant to be."""
    code = (
        "from pathlib import Path; from flowsource.entrypoints import load, parse; "
        f"print(load(parse({entrypoint!r}), Path({str(root)!r})){call})"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flows.py",
        "flows.py:",
        ":name",
        "flows.py:1x",
        "/abs/flows.py:f",
        "../up.py:f",
        "a/../../b.py:f",
        "flows:a-b",
    ],
)
def test_what_names_no_flow_inside_the_source_is_refused(text: str) -> None:
    with pytest.raises(EntrypointMalformed, match="entrypoint:"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "file", "module", "path"),
    [
        ("flows/etl.py:nightly", "flows/etl.py", None, ("nightly",)),
        ("./flows.py:Class.method", "flows.py", None, ("Class", "method")),
        ("pkg.mod.nightly", None, "pkg.mod", ("nightly",)),
        ("pkg.mod:Class.method", None, "pkg.mod", ("Class", "method")),
    ],
)
def test_files_and_modules_are_told_apart(text: str, file: str | None, module: str | None, path: tuple[str]) -> None:
    entrypoint = parse(text)
    assert (entrypoint.file, entrypoint.module, entrypoint.path) == (file, module, path)


def test_a_missing_file_names_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, {"flows.py": "", "other/etl.py": ""})
    with pytest.raises(EntrypointFileMissing, match=r"no file 'flow\.py'; files there: flows\.py"):
        load(parse("flow.py:main"), tmp_path)


def test_a_missing_file_is_looked_for_in_no_environment_that_lies_there(tmp_path: Path) -> None:
    write(tmp_path, {"etl.py": "", "env/pyvenv.cfg": "", "env/lib/flows.py": ""})
    with pytest.raises(EntrypointFileMissing, match=r"no file 'flow\.py'; files there: etl\.py\."):
        load(parse("flow.py:main"), tmp_path)


def test_a_missing_flow_names_those_that_are_there(tmp_path: Path) -> None:
    write(
        tmp_path, {"here_are.py": "from flowsource import flow\n@flow\ndef one(): ...\n@flow\ndef two(): ...\nx = 1\n"}
    )
    with pytest.raises(
        EntrypointNotFound, match=r"no flow 'here_are\.py:three' in here_are\.py; flows there: one, two"
    ):
        load(parse("here_are.py:three"), tmp_path)
    with pytest.raises(EntrypointNotFound):
        load(parse("here_are.py:x"), tmp_path)


def test_a_file_that_fails_while_imported_is_told_apart_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"breaks.py": "import json\n\ndef helper():\n    return 1 / 0\n\nhelper()\n"})
    with pytest.raises(EntrypointLoadFailed) as caught:
        load(parse("breaks.py:main"), tmp_path)
    assert caught.value.reason == "ZeroDivisionError: division by zero (breaks.py:4)"
    assert caught.value.details.startswith('Traceback (most recent call last):\n  File "breaks.py", line 6')
    assert "importlib" not in caught.value.details


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", r"SyntaxError: .* \(odd_one\.py:1\)"),
        (
            "import no_such_module_here\n",
            r"ModuleNotFoundError: No module named 'no_such_module_here' \(odd_one\.py:1\)",
        ),
        ("import sys\nsys.exit(3)\n", r"SystemExit: 3 \(odd_one\.py:2\)"),
        (
            "class Evil(Exception):\n    def __str__(self): return 1 / 0\nraise Evil\n",
            r"Evil: <its text raised ZeroDivisionError> \(odd_one\.py:3\)",
        ),
    ],
)
def test_every_way_to_fail_is_a_failed_load(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path, {"odd_one.py": text})
    with pytest.raises(EntrypointLoadFailed) as caught:
        load(parse("odd_one.py:main"), tmp_path)
    import re

    assert re.fullmatch(reason, caught.value.reason)


def test_a_plain_function_and_any_callable_are_flows(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"plain.py": "def main(n: int = 2): return n * 2\nclass C:\n    def __call__(self): return 9\nobj = C()\n"},
    )
    assert loaded_elsewhere(tmp_path, "plain.py:main") == "4"
    assert loaded_elsewhere(tmp_path, "plain.py:main", "(n='4')") == "8"
    assert loaded_elsewhere(tmp_path, "plain.py:obj") == "9"


def test_a_flow_of_another_framework_is_called_with_the_signature_of_its_function(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "foreign.py": """
class Foreign:
    def __init__(self, fn): self.fn, self.name, self.description = fn, "its-name", "What it says."
    def __call__(self, *args, **kwargs): return ["foreign", self.fn(*args, **kwargs)]

def work(day: str, n: int = 2): return [day, n]

main = Foreign(work)
"""
        },
    )
    assert loaded_elsewhere(tmp_path, "foreign.py:main", "('monday')") == "['foreign', ['monday', 2]]"
    assert loaded_elsewhere(tmp_path, "foreign.py:main", ".name") == "its-name"
    assert loaded_elsewhere(tmp_path, "foreign.py:main", ".description") == "What it says."
    assert loaded_elsewhere(tmp_path, "foreign.py:main", ".parameter_schema['required']") == "['day']"


def test_an_object_that_can_be_called_is_named_by_its_variable(tmp_path: Path) -> None:
    write(tmp_path, {"objects.py": "class C:\n    def __call__(self): ...\nmy_object = C()\n"})
    assert loaded_elsewhere(tmp_path, "objects.py:my_object", ".name") == "my-object"


def test_a_callable_that_does_not_tell_its_parameters_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"no_signature.py": "main = dict\n"})
    with pytest.raises(InvalidInput, match="does not tell its parameters"):
        load(parse("no_signature.py:main"), tmp_path)


def test_neighbours_packages_and_relative_imports_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "top.py": "WORD = 'top'\n",
            "flows/etl.py": "import near, top\ndef main(): return near.WORD + top.WORD + __name__\n",
            "flows/near.py": "WORD = 'near'\n",
            "pkg/__init__.py": "",
            "pkg/sub/__init__.py": "",
            "pkg/sub/mod.py": "from . import other\nfrom ..helper import X\ndef main(): return other.Y, X, __name__\n",
            "pkg/sub/other.py": "Y = 1\n",
            "pkg/helper.py": "X = 2\n",
        },
    )
    assert loaded_elsewhere(tmp_path, "flows/etl.py:main") == "neartopetl"
    assert loaded_elsewhere(tmp_path, "pkg/sub/mod.py:main") == "(1, 2, 'pkg.sub.mod')"
    assert loaded_elsewhere(tmp_path, "pkg.sub.mod.main") == "(1, 2, 'pkg.sub.mod')"


def test_a_file_named_like_a_module_in_use_does_not_take_its_place(tmp_path: Path) -> None:
    write(tmp_path, {"re.py": "def main():\n    import re\n    return re.sub('a', 'b', 'aa')\n"})
    assert loaded_elsewhere(tmp_path, "re.py:main") == "bb"


def test_a_missing_module_is_no_failed_import(tmp_path: Path) -> None:
    write(tmp_path, {"pkg_b/__init__.py": ""})
    with pytest.raises(EntrypointFileMissing, match=r"no module 'pkg_b\.gone'"):
        load(parse("pkg_b.gone.main"), tmp_path)
