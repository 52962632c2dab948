"""Where things are kept is read from the environment once, and everything that is wrong with it is told at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowsource.addresses import store_file
from flowsource.errors import InvalidSettings
from flowsource.settings import LogLimits, Settings

NOBODY = "~no-such-user-here"


def test_a_home_holds_the_database_and_the_cache() -> None:
    settings = Settings.load({"FLOWSOURCE_HOME": "/data/flows"})
    assert settings == Settings(
        state=Path("/data/flows"), cache=Path("/data/flows/cache"), store="sqlite:////data/flows/flowsource.db"
    )


def test_each_place_can_be_given_on_its_own(tmp_path: Path) -> None:
    given = {"FLOWSOURCE_HOME": "/home", "FLOWSOURCE_CACHE": "/cache", "FLOWSOURCE_STORE": f"sqlite:///{tmp_path}/x"}
    assert Settings.load(given) == Settings(state=Path("/home"), cache=Path("/cache"), store=f"sqlite:///{tmp_path}/x")


def test_runs_of_two_stores_work_apart_where_they_share_a_cache() -> None:
    places = [
        Settings.load({"FLOWSOURCE_HOME": "/home", "FLOWSOURCE_STORE": store}).scratch
        for store in ("sqlite:////a/x.db", "sqlite:////b/x.db", "postgresql://anna:secret@h/d", "https://h")
    ]
    assert len(set(places)) == len(places)
    assert {place.parent for place in places} == {Path("/home/cache/scratch")}


def test_what_is_empty_counts_as_not_given() -> None:
    empty = {"FLOWSOURCE_HOME": "", "FLOWSOURCE_CACHE": "", "FLOWSOURCE_STORE": ""}
    assert Settings.load(empty) == Settings.load({})


def test_a_tilde_is_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings.load({"FLOWSOURCE_HOME": "~/flows", "FLOWSOURCE_CACHE": "~/cache"})
    assert (settings.state, settings.cache) == (tmp_path / "flows", tmp_path / "cache")
    assert store_file("sqlite:///~/x.db") == Path(os.path.realpath(tmp_path / "x.db"))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.load(
            {"FLOWSOURCE_HOME": f"{NOBODY}/x", "FLOWSOURCE_CACHE": "cache", "FLOWSOURCE_STORE": "mysql://h/d"}
        )
    told = str(caught.value)
    assert f"FLOWSOURCE_HOME: '{NOBODY}/x' is in the home of a user who is not known" in told
    assert "FLOWSOURCE_CACHE: 'cache' is not an absolute path" in told
    assert "FLOWSOURCE_STORE: 'mysql' is not a store" in told


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("sqlite:///", "is not a store"),
        ("mysql://user:hunter2@host/db", "is not a store"),
        ("sqlite:////", "is a directory"),
        (f"sqlite:///{NOBODY}/x.db", "is in the home of a user who is not known"),
    ],
)
def test_an_address_that_names_no_file_is_refused_before_anything_is_opened(address: str, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why):
        store_file(address)
    with pytest.raises(InvalidSettings, match=f"FLOWSOURCE_STORE: .*{why}") as caught:
        Settings.load({"FLOWSOURCE_STORE": address})
    assert "hunter2" not in str(caught.value)


def test_links_are_followed_so_that_one_file_has_one_path(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    assert store_file(f"sqlite:///{tmp_path}/link.db") == Path(os.path.realpath(tmp_path)) / "real.db"


def test_how_runs_are_started_is_one_of_the_methods_that_there_are() -> None:
    assert Settings.load({}).start_method == "fork-server"
    assert Settings.load({"FLOWSOURCE_START_METHOD": "spawn"}).start_method == "spawn"
    with pytest.raises(InvalidSettings, match="FLOWSOURCE_START_METHOD: 'threads' is no way to start runs"):
        Settings.load({"FLOWSOURCE_START_METHOD": "threads"})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_in_the_working_directory_says_what_the_environment_does_not(here: Path) -> None:
    (here / "flowsource.toml").write_text('home = "/of/file"\ncache = "/of/file"\nlog_lines = 7\n')
    settings = Settings.load({"FLOWSOURCE_CACHE": "/of/environment"}, log_format="json")
    assert (settings.state, settings.cache) == (Path("/of/file"), Path("/of/environment"))
    assert (settings.log_limits.lines, settings.log_format) == (7, "json")


def test_the_file_can_be_named_and_is_the_only_one_then(here: Path) -> None:
    (here / "flowsource.toml").write_text("log_lines = 7\n")
    (here / "other.toml").write_text("log_mib = 7\n")
    limits = Settings.load({"FLOWSOURCE_CONFIG": "other.toml"}).log_limits
    assert (limits.lines, limits.size) == (LogLimits().lines, 7 << 20)


def test_all_that_is_wrong_with_a_file_is_told_with_the_rest(here: Path) -> None:
    (here / "flowsource.toml").write_text('hom = "/x"\nlog_lines = true\ncache = "x"\n')
    with pytest.raises(InvalidSettings) as caught:
        Settings.load({"FLOWSOURCE_START_METHOD": "threads"})
    assert "flowsource.toml: hom: there is no such setting; home may be meant." in str(caught.value)
    assert "flowsource.toml: log_lines: the value is neither text nor a whole number." in str(caught.value)
    assert "flowsource.toml: cache: 'x' is not an absolute path." in str(caught.value)
    assert "FLOWSOURCE_START_METHOD: 'threads' is no way" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"home = ", "this is not TOML"), (b"\xff", "this is not text in UTF-8"), (None, "No such file")],
)
def test_a_file_that_cannot_be_used_is_told_by_its_name(here: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (here / "own.toml").write_bytes(content)
    with pytest.raises(InvalidSettings, match=rf"own\.toml.*{why}"):
        Settings.load({"FLOWSOURCE_CONFIG": "own.toml"})


def test_another_process_comes_to_the_same_settings_wherever_it_is(here: Path) -> None:
    settings = Settings.load({"FLOWSOURCE_HOME": "/data", "FLOWSOURCE_LOG_LINES": "7"}, log_format="json")
    (here / "flowsource.toml").write_text("log_lines = 8\n")
    assert Settings.load(settings.as_variables()) == settings
