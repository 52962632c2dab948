"""A place in a page that a program writes: what is between two comments, which readers do not see."""

from __future__ import annotations


def begin(name: str) -> str:
    """The comment that begins the place."""
    return f"<!-- {name}: written by `python -m benchmarks.peer`; edits are lost -->"


def end(name: str) -> str:
    """The comment that ends it."""
    return f"<!-- end of {name} -->"


def inserted(page: str, name: str, text: str) -> str:
    """The page with `text` between the two comments; raises ValueError for one that has not both, in this order."""
    before, found, rest = page.partition(begin(name))
    _, closed, after = rest.partition(end(name))
    if not found or not closed:
        raise ValueError(f"the page has no place {name!r}: it wants the lines {begin(name)} and {end(name)}")
    return f"{before}{found}\n\n{text.strip()}\n\n{closed}{after}"
