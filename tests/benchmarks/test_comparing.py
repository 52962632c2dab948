from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.peer.drawing import pictures, slug
from benchmarks.peer.figures import Row, Seen, Taken, keep, read
from benchmarks.peer.git_traces import processes_in
from benchmarks.peer.insertion import begin, end, inserted
from benchmarks.peer.tables import number, ratio, report
from benchmarks.peer.turns import in_turns

ROW = Row(what="a | b", unit="s", ours=[1, 2, 3], peer=[40, 50, 60], beside=[0.5], beside_is="nothing", note="as it is")
TAKEN = Taken(
    part="latency",
    at="2026-11-30 12:00 UTC",
    seconds=12.3,
    command="python -m benchmarks.peer latency",
    machine="a machine",
    versions={"flowsource": "1"},
    rows=(ROW,),
    seen=(Seen(what="it fails", ours="It goes on.", peer="It ends."),),
)


def test_a_ratio_above_one_is_in_favour_of_ours_for_costs_and_for_rates() -> None:
    assert ratio(ROW) == 25
    assert ratio(replace(ROW, is_rate=True)) == 1 / 25


@pytest.mark.parametrize("row", [replace(ROW, ours=()), replace(ROW, peer=()), replace(ROW, ours=[0])])
def test_there_is_no_ratio_to_what_was_not_taken_or_is_nothing(row: Row) -> None:
    assert ratio(row) is None


def test_a_table_has_medians_with_the_least_and_the_most() -> None:
    text = report([TAKEN])
    assert "| a &#124; b | s | 2.00 (1.00 to 3.00) | 50.0 (40.0 to 60.0) | 25.0 x | nothing 0.500 |" in text
    assert "- a | b: as it is." in text
    assert "| it fails | It goes on. | It ends. |" in text


def test_a_table_says_when_and_how_and_on_what_it_was_taken() -> None:
    other = replace(TAKEN, part="import", machine="another")
    text = report([TAKEN, other])
    assert "Taken on 2026-11-30 12:00 UTC by `python -m benchmarks.peer latency`, in 12 s." in text
    assert "latency: a machine; flowsource 1." in text
    assert "import: another; flowsource 1." in text


def test_what_was_not_taken_is_told() -> None:
    assert "| not taken |" in report([replace(TAKEN, rows=(replace(ROW, peer=()),))])


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.03914, "0.0391"), (9.0, "9.00"), (99.96, "100"), (100, "100"), (2528, "2,528")]
)
def test_numbers_have_three_digits_that_count(value: float, said: str) -> None:
    assert number(value) == said


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    keep(tmp_path / "new" / "figures.json", TAKEN)
    [read_again] = read(tmp_path / "new" / "figures.json").values()
    assert read_again == replace(TAKEN, rows=(replace(ROW, ours=[1, 2, 3]),))


def test_a_portion_replaces_its_part_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    keep(file, TAKEN)
    keep(file, replace(TAKEN, part="import"))
    keep(file, replace(TAKEN, seconds=1))
    assert {name: part.seconds for name, part in read(file).items()} == {"latency": 1, "import": 12.3}
    # A line for each row, so that differences can be read.
    assert sum('"what": "a | b"' in line for line in file.read_text().splitlines()) == 2


def test_nothing_was_taken_where_there_is_no_file(tmp_path: Path) -> None:
    assert read(tmp_path / "none.json") == {}


def test_only_the_place_of_a_page_is_written() -> None:
    page = f"before\n{begin('figures')}\nold\n{end('figures')}\nafter\n"
    once = inserted(page, "figures", "new\n")
    assert once == f"before\n{begin('figures')}\n\nnew\n\n{end('figures')}\nafter\n"
    assert inserted(once, "figures", "new") == once


@pytest.mark.parametrize("page", ["", begin("figures"), end("figures"), f"{end('figures')}{begin('figures')}"])
def test_a_page_without_its_place_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="no place 'figures'"):
        inserted(page, "figures", "new")


def test_a_series_of_two_places_or_more_is_drawn() -> None:
    row = replace(ROW, series="Idle CPU, %", over="deployments", beside_is="python -c pass")
    rows = [replace(row, at=at) for at in (1, 50)]
    [picture] = pictures([*rows, ROW, replace(ROW, series="Once", over="runs", at=1)])
    assert (picture.title, picture.file) == ("Idle CPU, %, by deployments", "idle-cpu-by-deployments.svg")
    assert "Prefect 50" in picture.text
    assert "python 0.5<" in picture.text


def test_a_file_is_called_after_its_title() -> None:
    assert slug("Seconds: limit 4 / none") == "seconds-limit-4-none"


def test_processes_of_git_are_counted_by_their_starts() -> None:
    trace = '{"event":"version"}\n{"event":"start","argv":["git"]}\n{"event":"exit"}\n{"event":"start"}\n{"event":"sta'
    assert processes_in(trace) == 2


def test_the_first_turn_does_not_count() -> None:
    done: list[str] = []

    def turn(name: str) -> int:
        done.append(name)
        return len(done)

    taken = in_turns(lambda: turn("ours"), lambda: turn("peer"), lambda: turn("beside"), rounds=2)
    assert taken == ([4, 7], [5, 8], [6, 9])
    assert done == ["ours", "peer", "beside"] * 3
