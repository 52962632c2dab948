"""A flow in a class binds as a method does."""

# pyright: strict
from __future__ import annotations

from typing import assert_type

from flowsource import flow


class Report:
    @flow
    def write(self, day: str, *, pages: int = 1) -> list[str]:
        return [day] * pages

    @flow(name="send a report")
    async def send(self, to: str) -> bool:
        return bool(to)

    @staticmethod
    @flow
    def count(pages: list[str]) -> int:
        return len(pages)


def bound_methods_lose_self_and_nothing_else() -> None:
    report = Report()
    assert_type(report.write("monday"), list[str])
    assert_type(report.write("monday", pages=2), list[str])
    assert_type(Report.write(report, "monday"), list[str])
    assert_type(Report.count(["a page"]), int)


async def bound_async_methods_too() -> None:
    assert_type(await Report().send("somebody"), bool)


def wrong_calls_are_seen() -> None:
    report = Report()
    report.write(1)  # wrong
    report.write()  # wrong
    report.write(report, "monday")  # wrong
    report.write("monday", pages="2")  # wrong
    Report.write("monday")  # wrong
    Report.count("a page", "another")  # wrong
