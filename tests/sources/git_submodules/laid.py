"""Repositories with submodules, laid out as a test says."""

from __future__ import annotations

from pathlib import Path

from flowsource.demo.repository import FixtureRepository
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import fetched, files_in
from tests.support.repositories import add_blob, add_tree

FILE, LINK, DIRECTORY, SUBMODULE = 0o100644, 0o120000, 0o40000, 0o160000


def section(path: str, url: str, *more: str, name: str | None = None) -> str:
    lines = [f'[submodule "{name or path}"]', f"path = {path}", f"url = {url}", *more]
    return "\n\t".join(lines) + "\n"


def library(served: Path, name: str = "library.git", content: str = "VALUE = 1\n") -> FixtureRepository:
    repository = FixtureRepository.create(served / name)
    repository.commit_files({"library.py": content, "deep/inner.py": "\n"})
    return repository


def commit_with(
    repository: FixtureRepository, gitmodules: str | bytes, submodules: dict[str, str], *, kind: int = FILE
) -> str:
    """A commit of a flow, of submodules by path (of one or two names), and what tells of them."""
    content = gitmodules.encode() if isinstance(gitmodules, str) else gitmodules
    top = [(kind, b".gitmodules", add_blob(repository, content)), (FILE, b"flows.py", add_blob(repository, b"\n"))]
    below: dict[str, list[tuple[int, bytes, str]]] = {}
    for path, commit in submodules.items():
        directory, _, name = path.rpartition("/")
        below.setdefault(directory, []).append((SUBMODULE, name.encode(), commit))
    top += below.pop("", [])
    top += [(DIRECTORY, name.encode(), add_tree(repository, *entries)) for name, entries in below.items()]
    return repository.commit_tree(add_tree(repository, *sorted(top, key=lambda entry: entry[1])))


def library_tip(served: Path) -> str:
    return FixtureRepository(served / "library.git").tip()


def flows(served: Path, gitmodules: str | bytes, submodules: dict[str, str]) -> FixtureRepository:
    repository = FixtureRepository.create(served / "flows.git")
    commit_with(repository, gitmodules, submodules)
    return repository


async def written(source: GitRepository, at: Path) -> set[str]:
    files = files_in(await fetched(source, await source.resolve(), at))
    return set(files) - {".gitmodules", "flows.py"}


LIBRARY = {"lib/library.py", "lib/deep/inner.py"}
