from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.peer.charts import Line, Scale, apart, chart, short

SVG = "{http://www.w3.org/2000/svg}"


def test_values_of_one_size_are_drawn_by_their_distance_from_nothing() -> None:
    scale = Scale.over([75, 303])
    assert scale.ticks() == [0, 100, 200, 300, 400]
    assert scale.part(200) == pytest.approx(0.5)


def test_values_of_many_sizes_are_drawn_by_their_ratios() -> None:
    scale = Scale.over([0.08, 3.4])
    assert scale.ticks() == pytest.approx([0.01, 0.1, 1, 10])
    assert scale.part(0.1) == pytest.approx(1 / 3)


@pytest.mark.parametrize("values", [[1], [0.3, 0.31], [1e-6, 1e6], [999, 1000], [7, 139]])
def test_all_values_lie_between_the_ends(values: list[float]) -> None:
    scale = Scale.over(values)
    assert all(0 <= scale.part(value) <= 1 for value in values)
    assert scale.part(scale.ticks()[0]) == pytest.approx(0)
    assert scale.part(scale.ticks()[-1]) == pytest.approx(1)


def test_what_grows_fills_the_width() -> None:
    scale = Scale.from_end_to_end([1, 50, 500])
    assert (scale.part(1), scale.part(500)) == (0, 1)


def test_names_that_would_cover_each_other_are_moved_apart() -> None:
    assert apart([100, 101, 10], 15) == [100, 115, 10]


def test_a_picture_is_well_formed_and_has_a_line_for_each_that_has_points() -> None:
    lines = [Line("ours", [(1, 0.1), (50, 0.2)]), Line("<peer>", [(50, 9), (1, 3)]), Line("none", [])]
    drawn = ElementTree.fromstring(chart("Cost & more", "deployments", lines))
    assert drawn.findtext(f"{SVG}title") == "Cost & more"
    first, second = drawn.findall(f"{SVG}polyline")
    places = [float(point.split(",")[0]) for point in second.attrib["points"].split()]
    assert places == sorted(places)
    assert len(first.attrib["points"].split()) == 2
    assert [text.text for text in drawn.iter(f"{SVG}text") if "end " in text.attrib.get("class", "")] == [
        "ours 0.2",
        "<peer> 9",
    ]


def test_a_picture_says_how_it_looks_in_the_dark() -> None:
    assert "prefers-color-scheme: dark" in chart("Cost", "runs", [Line("ours", [(1, 1), (2, 2)])])


def test_nothing_is_no_point_of_a_picture_of_ratios() -> None:
    drawn = ElementTree.fromstring(chart("Cost", "runs", [Line("ours", [(1, 0), (10, 1), (100, 500)])]))
    assert len(drawn.findall(f"{SVG}circle")) == 2


@pytest.mark.parametrize(("value", "said"), [(20_000, "20,000"), (0.01, "0.01"), (3.456, "3.46"), (0, "0")])
def test_numbers_at_an_axis_are_short(value: float, said: str) -> None:
    assert short(value) == said
