"""Random histories of honest repositories: odd names, modes and links, and changes from each of these to any other."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

FILE, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"

# Kind (or mode), and content.
Listing = dict[bytes, tuple[str, bytes]]
Tree = dict[bytes, tuple[str, bytes]]

NAMES = (
    b"flows.py",
    b"Flows.py",
    b"with space",
    b'quo"te',
    b"new\nline",
    b"tab\there",
    b"back\\slash",
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    b"latin-\xe9",
    b"\xff\xfe",
    b"-dash",
    b"*",
    b"#hash",
    b"a.lock",
    b"gitmodules",
    b".hidden",
    b"tmp_1",
    b"CACHEDIR.TAG",
    b"complete",
    b"tree",
    b"n" * 255,
)
ATTRIBUTES = b"""* text=auto eol=crlf
*.py export-subst ident
with* export-ignore
*.txt working-tree-encoding=UTF-16 filter=canary
dir export-ignore
"""
CONTENTS = (b"", b"\n", b"line\r\nline\n", b"$Id$ $Format:%H$\n", "ümlaut\n".encode("utf-16"), bytes(range(256)) * 50)


def change(tree: Tree, chance: random.Random) -> None:
    """Change `tree` in some places: new, gone, renamed, of another mode or kind."""
    for _ in range(chance.randint(3, 12)):
        path = b"/".join(chance.choice(NAMES) for _ in range(chance.choice((1, 1, 2, 2, 3, 6))))
        match chance.randrange(6):
            case 0 if tree:
                del tree[chance.choice(sorted(tree))]
            case 1 if tree:
                put(tree, path, tree.pop(chance.choice(sorted(tree))))
            case 2 if tree:
                put(tree, path, tree[chance.choice(sorted(tree))])
            case 3:
                put(tree, path, (LINK, chance.choice((b"flows.py", b"../..", b"/etc/passwd", b"loop", b"\xff", path))))
            case 4:
                put(tree, path, (SUBMODULE, b"ab" * 20))
            case _:
                mode = chance.choice((FILE, FILE, EXECUTABLE))
                put(tree, path, (mode, chance.choice(CONTENTS) + chance.choice((b"", chance.randbytes(20)))))
    if chance.random() < 0.7:
        put(tree, b".gitattributes", (FILE, ATTRIBUTES))


def put(tree: Tree, path: bytes, entry: tuple[str, bytes]) -> None:
    """Put a file at a path, instead of whatever is in its way."""
    above = [path[:place] for place, byte in enumerate(path) if byte == ord("/")]
    for other in list(tree):
        if other in above or other.startswith(path + b"/"):
            del tree[other]
    tree[path] = entry


def write_history(repository: Path, trees: list[Tree]) -> list[str]:
    """Add a commit for each of `trees` to the branch main, by git itself; their ids."""
    stream = io.BytesIO()
    for number, tree in enumerate(trees, 1):
        stream.write(b"commit refs/heads/main\nmark :%d\n" % number)
        stream.write(b"committer Ada <ada@example.org> %d +0000\ndata 0\n" % (1735732800 + number))
        stream.write(b"from :%d\n" % (number - 1) if number > 1 else b"")
        stream.write(b"deleteall\n")
        for path, (mode, content) in tree.items():
            if mode == SUBMODULE:
                stream.write(b"M 160000 %s %s\n" % (content, _quoted(path)))
            else:
                stream.write(b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), _quoted(path), len(content), content))
    marks = repository / "marks"
    command = ["git", "-C", str(repository), "fast-import", "--quiet", "--force", f"--export-marks={marks}"]
    subprocess.run(command, input=stream.getvalue(), check=True)
    found = dict(line.split() for line in marks.read_text().splitlines())
    return [found[f":{number}"] for number in range(1, len(trees) + 1)]


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def archived(repository: Path, commit: str) -> Listing:
    """What `git archive` makes of a commit, with all attributes disabled."""
    attributes = repository / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("* -text !eol -ident !filter !working-tree-encoding -export-ignore -export-subst\n")
    command = ["git", "-C", str(repository), "archive", "--format=tar", commit]
    packed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    found: Listing = {}
    with tarfile.open(fileobj=io.BytesIO(packed), errors="surrogateescape") as archive:
        for member in archive:
            path = os.fsencode(member.name)
            if member.isdir():
                found[path] = "directory", b""
            elif member.issym():
                found[path] = "link", os.fsencode(member.linkname)
            else:
                file = archive.extractfile(member)
                assert file is not None
                found[path] = "0555" if member.mode & stat.S_IXUSR else "0444", file.read()
    return found


def listing(directory: Path) -> Listing:
    """What there is below `directory`."""
    found: Listing = {}
    top = os.fsencode(directory)
    for where, directories, files in os.walk(top):
        for name in directories + files:
            place = os.path.join(where, name)
            facts, path = os.lstat(place), os.path.relpath(place, top)
            if stat.S_ISLNK(facts.st_mode):
                found[path] = "link", os.readlink(place)
            elif stat.S_ISDIR(facts.st_mode):
                assert stat.S_IMODE(facts.st_mode) == 0o555
                found[path] = "directory", b""
            else:
                with open(place, "rb") as file:
                    found[path] = f"{stat.S_IMODE(facts.st_mode):04o}", file.read()
    return found


def as_json(found: Mapping[bytes, tuple[str, bytes]]) -> dict[str, tuple[str, str]]:
    """A listing as text alone."""
    return {path.hex(): (kind, content.hex()) for path, (kind, content) in sorted(found.items())}
