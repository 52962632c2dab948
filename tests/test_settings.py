"""Where things are kept is read from the environment once, and everything that is wrong with it is told at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowsource.addresses import store_file
from flowsource.errors import InvalidSettings
from flowsource.settings import Settings

NOBODY = "~no-such-user-here"


def test_a_home_holds_the_database_and_the_cache() -> None:
    settings = Settings.load({"FLOWSOURCE_HOME": "/data/flows"})
    assert settings == Settings(
        state=Path("/data/flows"), cache=Path("/data/flows/cache"), store="sqlite:////data/flows/flowsource.db"
    )


def test_each_place_can_be_given_on_its_own(tmp_path: Path) -> None:
    given = {"FLOWSOURCE_HOME": "/home", "FLOWSOURCE_CACHE": "/cache", "FLOWSOURCE_STORE": f"sqlite:///{tmp_path}/x"}
    assert Settings.load(given) == Settings(state=Path("/home"), cache=Path("/cache"), store=f"sqlite:///{tmp_path}/x")


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
