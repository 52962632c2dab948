"""`flowsource config show`: each setting, and what gave it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.calling import CommandLine


def test_where_each_setting_is_from_is_shown(alone: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("log_lines = 7\n")
    given = {"FLOWSOURCE_CONFIG": str(file), "FLOWSOURCE_LOG_FORMAT": "json"}
    rows = {row["name"]: row for row in alone.run("config", "show", "--json", environ=given).json}
    assert (rows["log_lines"]["value"], rows["log_lines"]["from"]) == ("7", f"{file}: log_lines")
    assert (rows["log_format"]["from"], rows["log_mib"]["from"]) == ("FLOWSOURCE_LOG_FORMAT", None)
    assert all(row["meaning"] in alone("config", "show").out for row in rows.values())
