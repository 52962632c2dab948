"""Where the token of a private repository is found while both serve from it, and after."""

from __future__ import annotations

import os
import re
import secrets
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peer.bench import Bench
from benchmarks.peer.figures import Seen
from benchmarks.peer.products import Deployment, Git, Manner, Product
from benchmarks.peer.remotes import Remote
from benchmarks.peer.scenes import INTERVAL, files, seen_by_both
from benchmarks.peer.speaking import Place, Speaking, finished
from benchmarks.peer.started import wait_until
from benchmarks.processes import command_of, tree_of
from tests.support.git_server import git_server

if TYPE_CHECKING:
    import trustme

POLLS = 4
_IS_RANDOM, _PLACEHOLDER = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4,}){3,}|tmp\w{8}"), "..."


def take(bench: Bench) -> Iterator[Seen]:
    """For both at the same time."""
    yield seen_by_both(bench, "the token of a private repository is looked for", found)


def found(bench: Bench, product: Product) -> str:
    """Where it is: in the words by which processes are started, in files, in logs, in what a run has in its memory."""
    # Only those who change flowsource have it.
    import trustme

    place, token = Place.fresh(bench, product), f"canary-{secrets.token_hex(16)}"
    remotes, authority = place.root / "remotes", place.root / "authority.pem"
    remotes.mkdir()
    remote = Remote.create(remotes / "flows.git", files(place, "first"))
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    said = {"REPOSITORY_TOKEN": token, "GIT_SSL_CAINFO": str(authority)}
    with (
        git_server(remotes, login=("robot", token), tls=_context(ca)) as server,
        _watching(token) as words,
        product.world(place.root / "world", **said) as world,
    ):
        source = Git(server.url("flows.git"), INTERVAL, token=True, authority=authority)
        deployments = [Deployment(flow, "compared", source) for flow in ("speak", "hold")]
        with world.serve(deployments, Manner(is_fastest=True)) as served:
            speaking = Speaking(served, source, place)
            speaking.ask_and_hear()
            remote.push(files(place, "second"))
            asked = len(server.log)
            wait_until("polls", lambda: len(server.log) > asked + 3 * POLLS, within=60)
            before, heard = set(served.processes()), len(speaking.heard())
            run = served.ask(speaking.deployment("hold"))
            speaking.hear(heard)
            has_it = any(token in _environment(pid) for pid in served.processes() if pid not in before)
            in_files = _files_with(token, place.root / "world")
            place.open_gate()
            finished(served, run)
    return _told(words, _files_with(token, place.root / "world") | in_files, has_it)


def _told(words: Sequence[str], files: set[str], has_it: bool) -> str:
    found = [f"in the arguments of `{word}`" for word in sorted(set(words))]
    found += [f"in the file `{file}`" for file in sorted(files)]
    found += ["in the environment of a run"] if has_it else []
    return ", ".join(found) if found else "nowhere: not in arguments, files, logs, the database, or a run's environment"


@contextmanager
def _watching(token: str) -> Iterator[list[str]]:
    """The programs that have the token among their arguments, looked at over and over until the block ends."""
    seen: list[str] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.002):
            commands = [command_of(pid) for pid in tree_of(os.getpid())]
            seen.extend(_shortly(words) for words in commands if any(token in word for word in words))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


def _shortly(words: Sequence[str]) -> str:
    return " ".join([Path(words[0]).name, *(word for word in words[1:2] if not word.startswith("http"))])


def _files_with(token: str, root: Path) -> set[str]:
    """The files below `root` that hold the token, by names in which what is different each time is left out."""
    files = (file for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    return {_named(file.relative_to(root)) for file in files if token.encode() in file.read_bytes()}


def _named(file: Path) -> str:
    return str(Path(*(_PLACEHOLDER if _IS_RANDOM.fullmatch(part) else part for part in file.parts)))


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context
