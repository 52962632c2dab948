"""Addresses of stores are told apart, read as their databases read them, and shown without what is secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from flowsource.addresses import (
    check_address,
    kind_of,
    postgres_address,
    secret_variables,
    short_name,
    shown,
    signs_of,
)
from flowsource.errors import InvalidSettings
from flowsource.settings import Settings

SECRET = "hunter2"
FULL = f"postgres://anna:{SECRET}@one:5432,two/flows?sslmode=verify-full&password={SECRET}&target_session_attrs=any"


def test_postgresql_has_two_spellings() -> None:
    assert kind_of("postgres://h/d") == kind_of("postgresql://h/d") == "postgresql"
    assert postgres_address("postgres://u@h/d?x=1") == "postgresql://u@h/d?x=1"


@pytest.mark.parametrize("address", ["", "postgresql", "mysql://h/d", f"redis://u:{SECRET}@h"])
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(InvalidSettings, match=r"is not a store\. Give sqlite:///PATH, postgresql://") as caught:
        check_address(address)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("password", "written"),
    [(f"x@{SECRET}", "%40"), (f"x/{SECRET}", "%2F"), (f"{SECRET}?/x", "%2F"), (f"x@y/{SECRET}", "%2F")],
)
def test_a_password_that_would_be_read_as_a_host_is_refused_without_repeating_it(password: str, written: str) -> None:
    with pytest.raises(InvalidSettings, match=written) as caught:
        check_address(f"postgresql://anna:{password}@h/d")
    assert SECRET not in str(caught.value)


_LETTERS = st.text("?#[]:&=+,ab", max_size=4)


@drawn(
    password=st.tuples(_LETTERS, _LETTERS).map(SECRET.join),
    rest=st.sampled_from(["h/d", "h", "one:1,two/d?sslmode=require", "[::1]:5432/d", "/d?host=/run", "h/d?user=a@b"]),
)
def test_no_password_is_shown_that_the_database_is_given(password: str, rest: str) -> None:
    address = f"postgresql://anna:{password}@{rest}"
    assert conninfo_to_dict(postgres_address(address))["password"] == password
    assert shown(address) == shown(f"postgresql://{rest}")


def test_an_address_is_shown_without_user_and_password() -> None:
    assert shown(FULL) == "postgresql://one:5432,two/flows?sslmode=verify-full&target_session_attrs=any"
    assert shown("postgresql:///d?host=/run/pg") == "postgresql:///d?host=/run/pg"


@pytest.mark.parametrize("name", ["Password", "sslpassword", "oauth_client_secret", "scram_client_key"])
def test_an_address_is_shown_without_what_else_is_secret(name: str) -> None:
    assert shown(f"postgresql://h/d?{name}={SECRET}&sslmode=require") == "postgresql://h/d?sslmode=require"


def test_settings_do_not_show_a_password(tmp_path: Path) -> None:
    settings = Settings.load({"FLOWSOURCE_HOME": str(tmp_path), "FLOWSOURCE_STORE": FULL})
    assert settings.store == FULL
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.signs)


def test_servers_of_one_host_and_store_show_that_they_live_in_one_place(tmp_path: Path) -> None:
    one, other = f"postgresql://anna:{SECRET}@h/d", "postgres://bert@h/d"
    assert signs_of(one, tmp_path) == signs_of(other, tmp_path)
    assert signs_of(one, tmp_path).is_relative_to(tmp_path)
    assert signs_of(one, tmp_path) != signs_of("postgresql://h/e", tmp_path)


def test_two_stores_that_are_named_by_variables_alone_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "one")
    one = short_name("postgresql:///")
    monkeypatch.setenv("PGDATABASE", "other")

    assert short_name("postgresql:///") != one


def test_what_lets_into_a_store_is_given_to_no_run() -> None:
    assert secret_variables(FULL) == {"FLOWSOURCE_STORE", "PGPASSWORD"}
    assert secret_variables("sqlite:///x.db") == frozenset()
