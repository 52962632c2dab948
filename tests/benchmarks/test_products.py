from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.peer import of_flowsource, of_prefect
from benchmarks.peer.environments import digest_of, without
from benchmarks.peer.products import Deployment, Directory, Git, Manner, State
from flowsource.runs import RunState

BY_GIT = Deployment("speak", "one", Git("https://127.0.0.1/flows.git", 2, token=True, authority=Path("ca.pem")))
BY_HAND = Deployment("hold", "two", Directory(Path("/flows")))


def _calls(script: str) -> list[str]:
    """What is called in the script, innermost last, with its arguments."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("state", RunState)
def test_each_state_of_ours_is_known_as_final_or_not(state: RunState) -> None:
    assert of_flowsource.state_of(state) == State(state, state.is_final, state is RunState.COMPLETED)


@pytest.mark.parametrize(
    ("kind", "name", "state"),
    [
        ("SCHEDULED", "Late", State("late", is_final=False, is_good=False)),
        ("PENDING", "Submitting", State("submitting", is_final=False, is_good=False)),
        ("RUNNING", "Running", State("running", is_final=False, is_good=False)),
        ("FAILED", "TimedOut", State("timedout", is_final=True, is_good=False)),
        ("CRASHED", "Crashed", State("crashed", is_final=True, is_good=False)),
        ("COMPLETED", "Completed", State("completed", is_final=True, is_good=True)),
    ],
)
def test_a_state_of_the_peer_is_told_by_its_name_and_judged_by_its_type(kind: str, name: str, state: State) -> None:
    assert of_prefect.state_of({"type": kind, "name": name}) == state


def test_ours_serves_what_is_asked_for() -> None:
    calls = _calls(of_flowsource.script_of([BY_GIT, BY_HAND], Manner(limit=4, asks_before_runs=True)))
    source = "GitRepository('https://127.0.0.1/flows.git', pull_interval=2, "
    source += "credentials=GitCredentials(username='robot', access_token_env='REPOSITORY_TOKEN'), ca_bundle='ca.pem')"
    assert f"deployment('speak', 'one', {source})" in calls
    assert "deployment('hold', 'two', LocalStorage('/flows'))" in calls
    assert any("freshness='every_run'" in call for call in calls)
    assert any("'limit': 4" in call for call in calls)


def test_the_peer_serves_what_is_asked_for() -> None:
    calls = _calls(of_prefect.script_of([BY_GIT, BY_HAND], Manner(limit=None)))
    source = "GitRepository('https://127.0.0.1/flows.git', pull_interval=2, "
    source += "credentials={'username': 'robot', 'access_token': Secret.load('repository')})"
    assert f"deployment('speak', 'one', {source})" in calls
    assert "deployment('hold', 'two', '/flows')" in calls
    assert any("'limit': None" in call for call in calls)


@pytest.mark.parametrize("product", [of_flowsource, of_prefect])
def test_what_is_usual_is_left_to_the_product(product: ModuleType) -> None:
    script = product.script_of([Deployment("speak", "one", Git("http://127.0.0.1/flows.git"))], Manner())
    assert "limit" not in script
    assert "interval" not in script


def test_no_variable_of_either_product_reaches_what_is_measured() -> None:
    environ = {"PATH": "/bin", "PREFECT_API_URL": "x", "FLOWSOURCE_HOME": "y", "PYTHONDONTWRITEBYTECODE": "1"}
    assert without(environ, "PREFECT_", "FLOWSOURCE_") == {"PATH": "/bin"}


def test_an_environment_is_made_anew_when_a_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("ANSWER = 41\n")
    before = digest_of([file])
    assert digest_of([file]) == before
    file.write_text("ANSWER = 42\n")
    assert digest_of([file]) != before
