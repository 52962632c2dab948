"""Settings of a server: from a file beside it and from its arguments, and the same in its runs."""

from __future__ import annotations

from pathlib import Path

from tests.cli.calling import CommandLine
from tests.support.serving import serving

SCRIPT = """
from pathlib import Path
from flowsource import flow
from flowsource.settings import Settings

@flow
def told():
    settings = Settings.load()
    return {"store": settings.store, "lines": settings.log_limits.lines}

if __name__ == "__main__":
    told.serve("here", store=f"sqlite:///{Path(__file__).with_name('own.db')}")
"""


def test_a_run_has_the_settings_of_its_server_wherever_they_are_from(tmp_path: Path) -> None:
    script, home = tmp_path / "code" / "flows.py", tmp_path / "home"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    script.with_name("flowsource.toml").write_text("log_lines = 7\n")
    store = f"sqlite:///{script.with_name('own.db')}"
    with serving(script, home):
        ended = CommandLine(home).run("run", "told/here", "--watch", "--json", environ={"FLOWSOURCE_STORE": store})
        assert ended.code == 0, ended.err
        assert ended.json["result"] == {"store": store, "lines": 7}
