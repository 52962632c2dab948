"""Bare repositories of known sizes, the same on every machine, made by `git fast-import`."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_WORDS = 3000


@dataclass(frozen=True, slots=True)
class Shape:
    """A repository of `files` files, `size` bytes in all before they are compressed, and `commits` commits."""

    name: str
    files: int
    size: int
    commits: int


SHAPES = (
    Shape("small", 50, 150_000, 20),
    Shape("medium", 2_000, 8_000_000, 500),
    Shape("large", 20_000, 200_000_000, 2_000),
)


def make(shape: Shape, root: Path) -> Path:
    """The repository of that shape below `root`, made unless it is there."""
    path = root / f"{shape.name}.git"
    if path.exists():
        return path
    unfinished = path.with_suffix(".new")
    git = ["git", "-C", str(unfinished)]
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(unfinished)], check=True)
    with subprocess.Popen([*git, "fast-import", "--quiet"], stdin=subprocess.PIPE) as importing:
        assert importing.stdin is not None
        for part in _history(shape):
            importing.stdin.write(part)
    subprocess.run([*git, "repack", "-adq", "--threads=1", "-b"], check=True)
    subprocess.run([*git, "config", "uploadpack.allowFilter", "true"], check=True)
    unfinished.rename(path)
    return path


def change(path: Path, number: int) -> str:
    """Commit another content of one file, different for each `number`; the commit."""
    git = ["git", "-C", str(path)]
    commit = (
        f"commit refs/heads/main\ncommitter A <a@example.org> {1_800_000_000 + number} +0000\ndata 6\nchange\n"
        f"from refs/heads/main^0\nM 100644 inline {_path(number)}\ndata {len(str(number))}\n{number}\n"
    )
    subprocess.run([*git, "fast-import", "--quiet"], input=commit.encode(), check=True)
    return subprocess.run([*git, "rev-parse", "main"], check=True, capture_output=True, text=True).stdout.strip()


def _path(number: int) -> str:
    return f"part{number // 1000:02}/group{number // 50:03}/module_{number:05}.py"


def _history(shape: Shape) -> Iterator[bytes]:
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz_", k=chance.randint(2, 11))) for _ in range(_WORDS)]
    for commit in range(shape.commits):
        when = 1_700_000_000 + commit * 60
        yield b"commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 6\nchange\n" % when
        for number in range(shape.files) if commit == 0 else chance.sample(range(shape.files), 3):
            content = _content(
                chance, words, max(100, int(chance.lognormvariate(0, 0.8) * 0.73 * shape.size / shape.files))
            )
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (_path(number).encode(), len(content), content)


def _content(chance: random.Random, words: list[str], size: int) -> bytes:
    lines: list[str] = []
    length = 0
    while length < size:
        lines.append(f"    {' '.join(chance.choices(words, k=9))} = {chance.getrandbits(40)}\n")
        length += len(lines[-1])
    return "".join(lines).encode()
