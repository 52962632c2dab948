"""`flowsource demo` does what it says, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

from flowsource.demo.trees import commit_trees
from tests.support.repositories import FIXTURES


@contextmanager
def start(tmp_path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The demo in a process of its own, whose temporary directory is `tmp_path`, with no `git` within reach; it is gone
    after the block."""
    # Where it must not look: had it been touched, it would be an error.
    elsewhere = {"FLOWSOURCE_HOME": "not/absolute", "FLOWSOURCE_STORE": "nonsense"}
    environ = {**os.environ, **elsewhere, "TMPDIR": str(tmp_path), "PATH": "/nowhere"}
    with subprocess.Popen(
        [sys.executable, "-m", "flowsource", "demo", *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def flowsource(words: str, environ: Mapping[str, str]) -> str:
    """What the command of these words prints, beside a demo."""
    command = [sys.executable, "-m", "flowsource", *words.split()]
    return subprocess.run(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True, check=True).stdout


def processes_with(marker: str) -> Mapping[int, str]:
    """The command lines of the processes in whose environment `marker` stands."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def test_the_trees_are_those_of_the_fixtures() -> None:
    assert [tree.name for tree in commit_trees()] == [tree.name for tree in sorted((FIXTURES / "demo").iterdir())]


def test_it_shows_pushes_taken_over_a_bad_one_rejected_and_its_repair(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        out, err = process.communicate()

    assert process.returncode == 0, err
    header, *rows = [line.split("  ") for line in out.splitlines()]
    facts = [[part.strip() for part in row if part.strip()] for row in rows]
    assert [part.strip() for part in header if part.strip()] == ["RUN", "COMMIT", "OUTPUT"]
    subjects = [commit.partition(" ")[2] for _, commit, _ in facts]
    assert subjects == [
        "Say hello",
        "Greet more warmly",
        "Greet more warmly",
        "Repair the import and say thanks",
    ]
    assert [output.split()[0] for *_, output in facts] == ["Hello,", "A", "A", "Good"]
    assert err.endswith("To try it by hand: flowsource demo --keep\n")
    assert "Rejected: 'flows.py:hello' fails while it is imported: ImportError: cannot import name 'datetim'" in err
    assert list(tmp_path.iterdir()) == []
    assert processes_with(str(tmp_path)) == {}


def test_ctrl_c_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        assert process.stderr is not None
        # The first line is said once the serving process has begun to start.
        process.stderr.readline()
        assert len(processes_with(str(tmp_path))) >= 2
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert processes_with(str(tmp_path)) == {}


def test_when_the_server_dies_the_reason_is_said(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        assert process.stderr is not None
        process.stderr.readline()
        [server] = [pid for pid, line in processes_with(str(tmp_path)).items() if "flowsource.demo.served" in line]
        os.kill(server, signal.SIGKILL)
        _, err = process.communicate()

    assert process.returncode == 1
    assert "error: the serving process ended with exit code -9. The last that the serving process said:" in err
    assert list(tmp_path.iterdir()) == []


def test_kept_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    with start(tmp_path, "--keep") as process:
        assert process.stderr is not None
        said = ""
        while "git clone" not in (line := process.stderr.readline()):
            assert line, "it ended without a word on how to talk to it"
            said += line
        home = dict([said.split("export ")[1].split()[0].split("=")])
        listed = flowsource("runs ls", home)
        link = said.split("in a browser:\n")[1].split()[0]
        with build_opener(HTTPCookieProcessor()).open(link) as page:
            assert b"hello/demo" in page.read()
        for words in ("run hello/demo -p seconds=600 --name long", "runs cancel long --wait", "deployments pause demo"):
            assert f"flowsource {words}".removesuffix(" --wait").removesuffix(" demo") in said
            flowsource(words, home)
        [long] = [run for run in json.loads(flowsource("runs ls --json", home)) if run["name"] == "long"]
        assert (long["parameters"]["seconds"], long["state"]) == (600, "cancelled")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()

    assert process.returncode == 0, err
    assert len(listed.splitlines()) == len(out.splitlines()) == 5
    assert list(tmp_path.iterdir()) == []
