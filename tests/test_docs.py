"""The examples that people read are run: those in docstrings as they stand, those on pages as far as compiling them.

What a page says of the code (a test, a command, a limit, another page) is there.
"""

from __future__ import annotations

import ast
import doctest
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

import flowsource
from flowsource import errors
from flowsource.addresses import store_file
from flowsource.cli.commands import commands
from flowsource.configuration import variable_of
from flowsource.deployments import GRACE, Declaration, DeploymentOptions
from flowsource.flows import Flow, FlowOptions
from flowsource.queries.deployments import KEYS as deployment_keys
from flowsource.queries.kinds import Keys
from flowsource.queries.runs import KEYS as run_keys
from flowsource.runner.asking import run_deployment
from flowsource.runs import RunState
from flowsource.settings import SETTINGS, Settings
from flowsource.source_status import SourceState
from flowsource.sources import limits, local_scan
from flowsource.sources.git import limits as git_limits

PACKAGE = Path(flowsource.__file__).parent
PROJECT = Path(__file__).parent.parent
SOURCES = PROJECT / "docs" / "where-code-lives.md"
FLOWS = PROJECT / "docs" / "writing-flows.md"
FINDING = PROJECT / "docs" / "finding-runs.md"
FAULTS = PROJECT / "docs" / "what-happens-when.md"
FAULTS_OF_RUNS = PROJECT / "docs" / "what-happens-to-runs.md"

FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
NAMED_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>[\w:]+)`")
COMMAND = re.compile(r"^\s*(?:\$ |- run: |if |! )*flowsource (?P<words>.+?)(?:; then)?$", re.MULTILINE)


def _modules_with_examples() -> list[str]:
    files = (file for file in sorted(PACKAGE.rglob("*.py")) if "    >>> " in file.read_text(encoding="utf-8"))
    return [
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for file in files
    ]


def _pages() -> list[Path]:
    return [*sorted(PROJECT.glob("*.md")), *sorted(PROJECT.glob("docs/**/*.md"))]


every_page = pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(PROJECT)))


def _blocks(page: str, *kinds: str) -> list[tuple[int, str]]:
    """What is fenced on a page as one of `kinds`, each piece with the number of its first line."""
    found = (match for match in FENCE.finditer(page) if match["kind"] in kinds)
    return [(page.count("\n", 0, match.start("code")) + 1, match["code"]) for match in found]


def _anchors(page: str) -> set[str]:
    """The names by which headings are linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def _tests_in(file: Path) -> frozenset[str]:
    """The tests of a module as `name`, those in classes as `Class::name`."""

    def named(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from named(node.body, f"{prefix}{node.name}::")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"{prefix}{node.name}"

    return frozenset(named(ast.parse(file.read_text(encoding="utf-8")).body)) if file.is_file() else frozenset()


def _rows(page: str) -> list[list[str]]:
    """The rows of all tables on a page, each as its cells, without headings."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in rows if row[0] != "when"]


@pytest.mark.parametrize("module", _modules_with_examples())
def test_examples_in_docstrings_are_true(module: str) -> None:
    result = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.attempted > 0
    assert result.failed == 0


@every_page
def test_python_on_a_page_compiles(page: Path) -> None:
    for line, code in _blocks(page.read_text(encoding="utf-8"), "python"):
        # Blank lines in front, so that an error names the line of the page.
        compile("\n" * (line - 1) + code, str(page), "exec")


@every_page
def test_what_python_on_a_page_imports_is_there(page: Path) -> None:
    for _, code in _blocks(page.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "flowsource":
                module = import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("line", [line for line, _ in _blocks(FLOWS.read_text(encoding="utf-8"), "python")])
def test_python_on_the_page_on_flows_can_be_imported(line: int) -> None:
    code = dict(_blocks(FLOWS.read_text(encoding="utf-8"), "python"))[line]
    # As a run imports a file: what stands under the guard is not executed, and every option is checked.
    exec(compile(code, f"{FLOWS.name}:{line}", "exec"), {"__name__": "flows"})


@every_page
def test_a_command_on_a_page_is_understood(page: Path) -> None:
    app = commands()
    for _, block in _blocks(page.read_text(encoding="utf-8"), "console", "sh", "yaml"):
        for match in COMMAND.finditer(block.replace("\\\n", " ")):
            # Raises for a command, an option or a value that there is not.
            app.parse_args(shlex.split(match["words"], comments=True), exit_on_error=False, print_error=False)


@every_page
def test_a_link_on_a_page_leads_somewhere(page: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if match["target"].startswith(("https://", "http://")):
            continue
        path, _, anchor = match["target"].partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), match["target"]
        assert target.is_relative_to(PROJECT), match["target"]
        assert not anchor or anchor in _anchors(target.read_text(encoding="utf-8")), match["target"]


@every_page
def test_a_test_that_a_page_names_is_there(page: Path) -> None:
    for match in NAMED_TEST.finditer(page.read_text(encoding="utf-8")):
        assert match["name"] in _tests_in(PROJECT / match["file"]), match[0]


@pytest.mark.parametrize(("page", "columns"), [(FAULTS, 3), (FAULTS_OF_RUNS, 4)], ids=["sources", "runs"])
def test_every_row_of_what_happens_names_its_tests(page: Path, columns: int) -> None:
    rows = [row for row in _rows(page.read_text(encoding="utf-8")) if len(row) > 2]

    assert len(rows) > 60
    assert [
        row[0]
        for row in rows
        if len(row) != columns or not NAMED_TEST.search(row[-1]) or "::" in NAMED_TEST.sub("", row[-1])
    ] == []


def test_the_page_on_runs_tells_of_each_state() -> None:
    page = FAULTS_OF_RUNS.read_text(encoding="utf-8")

    assert [state for state in RunState if f"| `{state}` |" not in page] == []


def test_the_page_on_flows_has_every_option_of_a_flow_with_its_default() -> None:
    told = _options_told("Options of a flow")
    plain = Flow(lambda: None)

    assert set(told) == set(FlowOptions.__annotations__)
    assert told["retries"] == str(plain.retries)
    assert told["validate_parameters"] == f"`{plain.should_validate_parameters}`"
    assert told["log_prints"] == f"`{plain.log_prints}`"
    assert (told["timeout_seconds"], plain.timeout_seconds) == ("no limit", None)


def test_the_page_on_flows_has_every_option_of_a_deployment_with_its_default() -> None:
    told = _options_told("Options of a deployment")
    plain = {field.name: field.default for field in fields(Declaration)}
    words = ("collision_strategy", "on_dependency_change", "catchup", "on_lost", "workdir", "freshness")

    assert set(told) == {"name", *DeploymentOptions.__annotations__}
    assert {word: told[word] for word in words} == {word: f'`"{plain[word]}"`' for word in words}
    assert told["pause_on_shutdown"] == f"`{plain['pause_on_shutdown']}`"
    assert told["grace_seconds"] == f"{GRACE.total_seconds():g}"
    for name in ("limit", "global_limit", "max_lateness", "preload"):
        assert told[name] == "none" and not plain.get(name)


def test_the_page_on_flows_has_every_argument_of_a_run_on_request() -> None:
    assert set(_options_told("Runs that ask for runs")) == set(signature(run_deployment).parameters)


def test_the_page_on_flows_has_every_variable_with_its_default() -> None:
    told = _options_told("Settings and variables")
    code = "\n".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))
    plain = Settings.load({})

    assert set(told) == set(re.findall(r"\bFLOWSOURCE_[A-Z_]+\b", code)) | {variable_of(name) for name in SETTINGS}
    assert told["FLOWSOURCE_START_METHOD"] == f"`{plain.start_method}`"
    assert told["FLOWSOURCE_LOG_FORMAT"] == f"`{plain.log_format}`"
    assert told["FLOWSOURCE_LOG_LINES"] == f"{plain.log_limits.lines:,}"
    assert told["FLOWSOURCE_LOG_MIB"] == f"{plain.log_limits.size >> 20}"
    assert timedelta(days=90) == plain.keeping.runs and told["FLOWSOURCE_KEEP_RUNS"] == "`90d`"
    assert timedelta(days=30) == plain.keeping.logs and told["FLOWSOURCE_KEEP_LOGS"] == "`30d`"
    assert timedelta(days=30) == plain.keeping.events and told["FLOWSOURCE_KEEP_EVENTS"] == "`30d`"
    assert told["FLOWSOURCE_STORE"] == f"`{store_file(plain.store).name}` in the home"


def _options_told(heading: str, *, page: Path = FLOWS) -> dict[str, str]:
    """The options in the table under a heading of a page, each with what it says first: on flows, the default."""
    _, _, section = page.read_text(encoding="utf-8").partition(f"# {heading}\n")
    rows = _rows(re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0])
    return {row[0].strip("`"): row[1] for row in rows if row[0].startswith("`")}


@pytest.mark.parametrize(("heading", "keys"), [("Keys of runs", run_keys), ("Keys of deployments", deployment_keys)])
def test_the_page_on_finding_runs_has_every_key(heading: str, keys: Keys) -> None:
    assert list(_options_told(heading, page=FINDING)) == list(keys)


def test_the_page_on_sources_tells_of_each_state_and_each_error() -> None:
    page = SOURCES.read_text(encoding="utf-8")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SourceError)]

    assert [state for state in SourceState if f"| `{state}` |" not in page] == []
    assert [kind.__name__ for kind in kinds if f"`{kind.__name__}`" not in page] == []


def test_the_page_on_sources_tells_the_limits_as_they_are() -> None:
    told = {row[0]: row[1] for row in _rows(SOURCES.read_text(encoding="utf-8"))}

    assert told["files and directories in a revision"] == f"{limits.MOST_ENTRIES:,}"
    assert told["all files of a revision together"] == f"{limits.MOST_BYTES >> 30} GiB"
    assert told["directories in one another"] == f"{limits.DEEPEST}"
    assert told["a name, a path"] == f"{limits.LONGEST_NAME} bytes, {limits.LONGEST_PATH:,} bytes"
    assert told["a file in Git"] == f"{git_limits.LARGEST_FILE >> 20} MiB"
    assert told["a commit, a tag or a directory in Git"] == f"{git_limits.LARGEST_RECORD >> 20} MiB"
    assert told["what a Git server sends in one answer"] == f"{git_limits.LARGEST_PACK >> 30} GiB of objects"
    assert told["what it says beside them"] == f"{git_limits.LONGEST_TALK >> 20} MiB"
    assert told["files in a directory of this machine"] == f"{local_scan.MAX_FILES:,}"


def test_the_readme_shows_python() -> None:
    assert _blocks((PROJECT / "README.md").read_text(encoding="utf-8"), "python")
