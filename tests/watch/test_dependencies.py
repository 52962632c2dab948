"""Which dependency files a revision changes, and what is shown of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.deployments import Change
from flowsource.entrypoints import parse
from flowsource.sources.content import Entry, digest_of
from flowsource.watch.dependencies import changed_dependencies, described

AT_TOP = parse("flows.py:main")


def entries(tree: Path, files: dict[str, str | bytes]) -> list[Entry]:
    """What the directory `tree` holds, once it holds `files`."""
    listed = []
    for path, text in files.items():
        content = text.encode() if isinstance(text, str) else text
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
        listed.append(Entry(path, "0444", len(content), digest_of(content)))
    return listed


def changes(tmp_path: Path, before: dict[str, str | bytes], after: dict[str, str | bytes]) -> tuple[Change, ...]:
    then, now = entries(tmp_path / "then", before), entries(tmp_path / "now", after)
    return described(changed_dependencies(then, now, AT_TOP), tmp_path / "then", tmp_path / "now")


NAMES = """
pyproject.toml requirements.txt requirements-dev.txt uv.lock poetry.lock pdm.lock Pipfile Pipfile.lock
setup.py setup.cfg environment.yml environment.yaml pylock.toml pylock.dev.toml
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_a_file_that_names_dependencies_is_seen_when_it_changes_comes_or_goes(tmp_path: Path, name: str) -> None:
    assert [change.path for change in changes(tmp_path, {name: "a"}, {name: "b"})] == [name]
    assert [change.path for change in changes(tmp_path, {}, {name: "b"})] == [name]
    assert [change.path for change in changes(tmp_path, {name: "a"}, {})] == [name]
    assert changes(tmp_path, {name: "a"}, {name: "a"}) == ()


@pytest.mark.parametrize("name", ["flows.py", "my-requirements.txt", "docs/requirements.txt", "uv.lock.md"])
def test_another_file_is_none(tmp_path: Path, name: str) -> None:
    assert changes(tmp_path, {name: "a"}, {name: "b"}) == ()


@pytest.mark.parametrize("entrypoint", ["jobs/etl/flows.py:main", "jobs.etl.main"])
def test_those_on_the_way_to_the_code_count_and_those_beside_it_do_not(entrypoint: str) -> None:
    def tree(digest: str) -> list[Entry]:
        paths = ("uv.lock", "jobs/uv.lock", "jobs/etl/uv.lock", "jobs/etl/deep/er/uv.lock", "jobs/other/uv.lock")
        return [Entry(path, "0444", 1, digest) for path in paths]

    changed = changed_dependencies(tree("sha256:a"), tree("sha256:b"), parse(entrypoint))
    paths = {new.path for _, new in changed if new}
    assert {"uv.lock", "jobs/uv.lock", "jobs/etl/uv.lock"} <= paths
    assert not paths & {"jobs/etl/deep/er/uv.lock", "jobs/other/uv.lock"}


def test_the_lines_that_differ_are_shown(tmp_path: Path) -> None:
    [change] = changes(tmp_path, {"requirements.txt": "a\nb==1\nc\n"}, {"requirements.txt": "a\nb==2\nc\n"})
    assert change.diff is not None
    assert change.diff.splitlines()[3:] == [" a", "-b==1", "+b==2", " c"]


def test_of_many_lines_the_first_are_shown(tmp_path: Path) -> None:
    [change] = changes(tmp_path, {}, {"uv.lock": "\n".join(map(str, range(1000)))})
    assert change.diff is not None
    assert (len(change.diff.splitlines()), change.diff.splitlines()[-1]) == (41, "... and 963 lines more")


@pytest.mark.parametrize("content", [b"\xff\xfe", "x" * 300_000])
def test_what_is_no_text_or_too_long_is_named_only(tmp_path: Path, content: str | bytes) -> None:
    assert changes(tmp_path, {"uv.lock": "a"}, {"uv.lock": content}) == (Change("uv.lock", None),)


def test_a_password_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    [change] = changes(tmp_path, {}, {"requirements.txt": "--index-url https://me:hunter2@pypi.example.org/simple\n"})
    assert change.diff is not None
    assert "+--index-url https://***@pypi.example.org/simple" in change.diff


def test_of_a_long_file_a_small_difference_is_shown_and_a_great_one_named_only(tmp_path: Path) -> None:
    lines = [str(number % 150) for number in range(20_000)]
    [change] = changes(tmp_path, {"uv.lock": "\n".join(lines)}, {"uv.lock": "\n".join([*lines[:9000], *lines[9001:]])})
    assert change.diff is not None
    other = [str(number % 149) for number in range(20_000)]
    assert changes(tmp_path, {"uv.lock": "\n".join(lines)}, {"uv.lock": "\n".join(other)}) == (Change("uv.lock"),)


def test_a_line_that_is_long_is_cut(tmp_path: Path) -> None:
    [change] = changes(tmp_path, {}, {"uv.lock": "x" * 10_000})
    assert change.diff is not None
    assert max(map(len, change.diff.splitlines())) == 201


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "uv.lock").symlink_to("secret")
    link = Entry("uv.lock", "link", 6, digest_of(b"secret"))
    assert described(changed_dependencies([], [link], AT_TOP), tmp_path, tmp_path) == (Change("uv.lock", None),)
