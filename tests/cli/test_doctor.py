"""`flowsource doctor`: a line for each thing it looks at."""

from __future__ import annotations

from pathlib import Path

from tests.cli.calling import CommandLine
from tests.cli.keeping import keep
from tests.store.words import Server


def levels(found: list[dict[str, str]]) -> dict[str, str]:
    return {one["check"]: one["level"] for one in found}


def test_where_all_is_well_it_says_so(served: CommandLine) -> None:
    done = served("doctor", "--json")
    assert levels(done.json) == dict.fromkeys(
        ("python", "settings", "home", "cache", "store", "clock", "ssh", "sources", "deployments", "runs"), "ok"
    )
    assert done.code == 0
    assert "✔ ok    store" in served("doctor").out


def test_before_the_first_use_there_is_nothing_to_complain_of_and_nothing_is_made(alone: CommandLine) -> None:
    done = alone("doctor", "--json")
    assert (done.code, set(levels(done.json).values())) == (0, {"ok"})
    assert not alone.home.exists()


def test_a_warning_tells_what_helps_and_is_no_failure(alone: CommandLine) -> None:
    async def leave(server: Server) -> None:
        await server.store.retire(server.id, now=server.store.now())

    keep(alone, leave)
    done = alone("doctor")
    assert (done.code, "! warn  deployments  nobody serves etl/nightly" in done.out) == (0, True)
    assert "-> Start what serves them, or `flowsource deployments delete etl/nightly`." in done.out


def test_a_store_that_cannot_be_used_is_a_failure(alone: CommandLine) -> None:
    alone.home.mkdir()
    (alone.home / "flowsource.db").write_text("this is no database, and long enough to be looked at as one" * 20)
    done = alone("doctor", "--json")
    assert (done.code, levels(done.json)["store"]) == (1, "fail")


def test_settings_and_tokens_that_cannot_be_used_are_failures(alone: CommandLine, tmp_path: Path) -> None:
    done = alone.run("doctor", "--json", environ={"FLOWSOURCE_LOG_LINES": "many"})
    assert (done.code, levels(done.json)["settings"]) == (1, "fail")
    token = tmp_path / "token"
    token.write_text("fs_" + "x" * 43)
    token.chmod(0o644)
    done = alone.run("doctor", "--json", environ={"FLOWSOURCE_TOKEN_FILE": str(token)})
    assert (done.code, levels(done.json)["token"]) == (0, "warn")
