"""Imports run downwards only, and what runs inside a run's process carries no more than it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

import flowsource
from tests.support.modules import modules_loaded_by

ROOT = Path(flowsource.__file__).parent

# Every module and package directly in flowsource is in one part; "flowsource" is the face of the package itself.
PARTS: Mapping[str, frozenset[str]] = {
    "doors": frozenset({"flowsource", "__main__", "cli", "server", "demo"}),
    "runner": frozenset({"runner"}),
    "sourced flows": frozenset({"sourced", "isolation"}),
    "watch": frozenset({"watch"}),
    "snapshots": frozenset({"snapshots"}),
    "sources": frozenset({"sources"}),
    "bulk acts": frozenset({"bulk"}),
    "logins": frozenset({"logins"}),
    "store": frozenset({"store"}),
    "flow": frozenset(
        {
            "flows",
            "calling",
            "parameters",
            "entrypoints",
            "context",
            "refusing",
        }
    ),
    "words": frozenset(
        {
            "errors",
            "revisions",
            "source_status",
            "runs",
            "deployments",
            "declaring",
            "promotions",
            "standing",
            "schedules",
            "retries",
            "hooks",
            "flow_options",
            "catching_up",
            "merging",
            "tokens",
            "chosen_revisions",
            "addresses",
            "server_access",
            "triggers",
            "events",
            "event_names",
            "queries",
            "retention",
            "settings",
            "configuration",
            "text",
            "json_values",
        }
    ),
}

# What a part may import beside itself.
BELOW: Mapping[str, frozenset[str]] = {
    "doors": frozenset(
        {"runner", "sourced flows", "watch", "snapshots", "sources", "bulk acts", "logins", "store", "flow", "words"}
    ),
    "runner": frozenset({"sourced flows", "logins", "watch", "snapshots", "sources", "store", "flow", "words"}),
    "sourced flows": frozenset({"watch", "snapshots", "sources", "flow", "words"}),
    "watch": frozenset({"snapshots", "sources", "store", "flow", "words"}),
    "snapshots": frozenset({"sources", "words"}),
    "sources": frozenset({"words"}),
    "bulk acts": frozenset({"store", "words"}),
    "logins": frozenset({"store", "words"}),
    "store": frozenset({"words"}),
    "flow": frozenset({"words"}),
    "words": frozenset(),
}

# A flow is code that a run carries, and also a door: `serve` is a method of it. As a door it imports inside functions
# only, so that a run's process never pays for it.
DOOR_INSIDE_FUNCTIONS = "flowsource.flows"

NOT_IN_A_RUN = {
    "the database": {"aiosqlite", "alembic", "psycopg", "sqlalchemy", "sqlite3"},
    "the network": {"fastapi", "fsspec", "httpx", "starlette", "urllib3", "uvicorn"},
    "Git": {"dulwich"},
    "the terminal": {"cyclopts", "rich"},
    "the server's clockwork": {"croniter", "watchfiles"},
}


class When(Enum):
    """When an import happens: as its module is loaded, when a function is called, or for type checkers alone."""

    LOAD = "at load"
    CALL = "in a function"
    TYPING = "for typing"


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    line: int
    when: When

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported} {self.when.value}"


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_name(file): file for file in sorted(ROOT.rglob("*.py"))}


def imports_of(module: str, text: str) -> list[Import]:
    """Every import statement of a module, wherever it stands."""
    return list(_walk(ast.parse(text, module), module, When.LOAD))


def _walk(node: ast.AST, module: str, when: When) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(module, alias.name, node.lineno, when) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module}:{node.lineno}: import by the full name"
        # `from package import name` may import a module of the package as well as a name in it.
        inside = (f"{node.module}.{alias.name}" for alias in node.names)
        names = {name if name in FILES else str(node.module) for name in inside}
        yield from (Import(module, name, node.lineno, when) for name in sorted(names))
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for statement in node.body:
            yield from _walk(statement, module, When.TYPING)
        for statement in node.orelse:
            yield from _walk(statement, module, when)
    else:
        inner = When.CALL if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else when
        for child in ast.iter_child_nodes(node):
            yield from _walk(child, module, inner)


def part_of(module: str) -> str | None:
    """The part that a module of ours belongs to; None for somebody else's."""
    package, _, rest = module.partition(".")
    if package != "flowsource":
        return None
    top = rest.partition(".")[0] or package
    found = [part for part, tops in PARTS.items() if top in tops]
    assert found, f"flowsource/{top} is new: say in tests/test_layers.py which part it belongs to"
    return found[0]


def points_up(one: Import) -> bool:
    """Whether an import goes where the part of its module must not reach."""
    importer, imported = part_of(one.importer), part_of(one.imported)
    if importer is None or imported is None or importer == imported:
        return False
    if one.importer == DOOR_INSIDE_FUNCTIONS and one.when is not When.LOAD:
        importer = "doors"
        if imported == "doors":
            return False
    return imported not in BELOW[importer]


def all_imports() -> Iterator[Import]:
    for module, file in FILES.items():
        yield from imports_of(module, file.read_text(encoding="utf-8"))


def modules_of_a_run() -> list[str]:
    """What a run's process loads, whatever the flow: what it is forked from, the child's side, and what a flow is."""
    of_runner = ("flowsource.runner.child", "flowsource.runner.processes.fork")
    return [name for name in FILES if name.startswith(of_runner) or part_of(name) == "flow"]


def loaded_with(modules: list[str]) -> dict[str, Import | None]:
    """Every module that loading `modules` loads, ours and others', each with the import that first led to it."""
    reached: dict[str, Import | None] = {}
    waiting: list[tuple[str, Import | None]] = [(module, None) for module in modules]
    while waiting:
        module, cause = waiting.pop()
        if module in reached:
            continue
        reached[module] = cause
        if "." in module:
            waiting.append((module.rpartition(".")[0], cause))
        if module in FILES:
            text = FILES[module].read_text(encoding="utf-8")
            waiting += [(one.imported, one) for one in imports_of(module, text) if one.when is When.LOAD]
    return reached


def test_imports_run_downwards_only() -> None:
    assert [str(one) for one in all_imports() if points_up(one)] == []


def test_the_parts_stand_in_an_order() -> None:
    order = list(PARTS)

    assert list(BELOW) == order
    for part, below in BELOW.items():
        assert all(order.index(part) < order.index(other) for other in below)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("flowsource.errors", "import flowsource.runs.x; import flowsource.store"),
        ("flowsource.store.sql", "def claim():\n    from flowsource.runner import supervise"),
        ("flowsource.watch.poll", "if TYPE_CHECKING:\n    from flowsource.runner.serving import Server"),
        ("flowsource.sources.local", "from flowsource.snapshots import cache"),
        ("flowsource.runner.claim", "from flowsource import serve"),
        ("flowsource.flows", "from flowsource.runner.serving import serve"),
        ("flowsource.parameters", "def f():\n    from flowsource.runner.serving import serve"),
    ],
)
def test_an_import_that_points_up_is_seen(module: str, text: str) -> None:
    assert any(points_up(one) for one in imports_of(module, text))


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("flowsource.deployments", "from flowsource.schedules import Schedule"),
        ("flowsource.snapshots.cache", "from flowsource.sources.base import Source"),
        ("flowsource.runner.serving", "from flowsource.watch import watcher"),
        ("flowsource.flows", "def serve():\n    from flowsource.runner.serving import serve"),
        ("flowsource.cli.app", "import rich"),
    ],
)
def test_an_import_that_points_down_is_fine(module: str, text: str) -> None:
    assert not any(points_up(one) for one in imports_of(module, text))


@pytest.mark.parametrize("what", NOT_IN_A_RUN)
def test_what_a_run_loads_leads_to_none_of(what: str) -> None:
    reached = loaded_with(modules_of_a_run())

    assert [str(cause) for name, cause in reached.items() if name in NOT_IN_A_RUN[what]] == []


@pytest.mark.parametrize(
    ("module", "library"),
    [("flowsource.store.sql", "sqlalchemy"), ("flowsource.sources.git.repository", "dulwich")],
)
def test_a_library_that_is_reached_by_way_of_other_modules_is_seen(module: str, library: str) -> None:
    assert library in loaded_with([module])


def test_a_process_that_loads_it_holds_none_of_them() -> None:
    loaded = modules_loaded_by("\n".join(f"import {module}" for module in modules_of_a_run()))

    assert set(modules_of_a_run()) <= loaded
    assert {name.partition(".")[0] for name in loaded} & set().union(*NOT_IN_A_RUN.values()) == set()
