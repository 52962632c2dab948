"""A file system that misbehaves in every way that fsspec lets one: nothing it says is believed."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem

from flowsource import RemoteStorage
from flowsource.errors import (
    AuthenticationFailed,
    SourceError,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
    UnsafeTree,
)
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.remote import fetching, file_systems, storage
from tests.sources.caching import newest, published
from tests.sources.contract import files_in

pytestmark = pytest.mark.anyio

SECRET = "c4nary-in-every-message"


class Odd:
    """What the file system has, and what happens at each call."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"a.py": b"a = 1", "b.py": b"b = 1"}
        self.facts: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.opened: list[dict[str, Any]] = []
        self.read: list[str] = []
        self.on_open: Callable[[], None] = lambda: None
        self.on_find: Callable[[], None] = lambda: None
        self.on_read: Callable[[str], bytes | None] = lambda name: None

    def put(self, name: str, content: bytes) -> None:
        """Replace a file."""
        self.files[name] = content
        self.versions[name] = self.versions.get(name, 0) + 1


class OddFileSystem(AbstractFileSystem):  # type: ignore[misc]  # its base has no types
    odd: ClassVar[Odd]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.odd.opened.append(settings)
        self.odd.on_open()

    def find(self, path: str, **options: Any) -> Mapping[str, Any]:
        self.odd.on_find()
        return {
            f"place/{name}": {
                "type": "file",
                "size": len(content),
                "etag": f"{self.odd.versions.get(name, 0)}",
                **self.odd.facts.get(name, {}),
            }
            for name, content in self.odd.files.items()
        }

    def info(self, path: str, **options: Any) -> Mapping[str, Any]:
        return {"name": path, "type": "file", "size": len(self.odd.files[path.removeprefix("place/")])}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        name = path.removeprefix("place/")
        self.odd.read.append(name)
        answer = self.odd.on_read(name)
        if answer is not None:
            return answer
        if name not in self.odd.files:
            raise FileNotFoundError(f"{path} {SECRET}")
        return self.odd.files[name][start:end]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Odd:
    monkeypatch.setattr(storage, "_SETTLE", 0.001)
    OddFileSystem.odd = Odd()
    fsspec.register_implementation("odd", OddFileSystem, clobber=True)
    return OddFileSystem.odd


def source(**settings: Any) -> RemoteStorage:
    return RemoteStorage("odd://place", **settings)


async def test_an_honest_one_is_a_source(odd: Odd, cache: SnapshotCache) -> None:
    assert files_in((await newest(cache, source(token=SECRET))).root) == odd.files
    assert odd.opened == [{"token": SECRET, "use_listings_cache": False}]


async def test_what_is_replaced_while_it_is_read_is_not_published(odd: Odd, cache: SnapshotCache) -> None:
    one = source()
    odd.on_read = lambda name: odd.put("a.py", b"a = 2") if name == "b.py" else None
    with pytest.raises(SourceUnavailable, match="changed before all of it was read"):
        await newest(cache, one)
    assert published(cache) == []
    odd.on_read = lambda name: None
    assert files_in((await newest(cache, one)).root) == {"a.py": b"a = 2", "b.py": b"b = 1"}


async def test_a_torn_read_of_another_length_is_done_again(odd: Odd, cache: SnapshotCache) -> None:
    torn = iter([b"a =", b"a = 1 and more"])
    odd.on_read = lambda name: next(torn, None) if name == "a.py" else None
    assert files_in((await newest(cache, source())).root) == odd.files
    assert odd.read.count("a.py") == 3


async def test_a_file_that_never_has_the_length_it_is_listed_with_is_named(odd: Odd, cache: SnapshotCache) -> None:
    odd.facts["a.py"] = {"size": 4}
    odd.on_read = lambda name: odd.files[name]
    with pytest.raises(SourceUnavailable, match=r"'a\.py' is not what the listing tells of it"):
        await newest(cache, source())
    assert published(cache) == []


async def test_a_large_file_that_is_torn_is_not_published(
    odd: Odd, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_PIECE", 2)
    odd.on_read = lambda name: b"x"
    with pytest.raises(SourceUnavailable, match=r"'a\.py' was replaced while it was read"):
        await newest(cache, source())
    assert published(cache) == []


async def test_a_listed_file_that_is_not_there_is_never_left_out(odd: Odd, cache: SnapshotCache) -> None:
    def vanish(name: str) -> None:
        raise FileNotFoundError(SECRET)

    odd.on_read = vanish
    with pytest.raises(SourceUnavailable, match="is not what the listing tells of it"):
        await newest(cache, source())
    assert published(cache) == []


async def test_a_listing_that_changes_without_end_is_not_taken(odd: Odd) -> None:
    odd.on_find = lambda: odd.put("a.py", b"a = 3")
    with pytest.raises(SourceUnavailable, match="is being written to"):
        await source().resolve()


async def test_a_place_that_holds_nothing_is_missing(odd: Odd) -> None:
    odd.files.clear()
    with pytest.raises(SourceMissing, match="nothing is at odd://place"):
        await source().resolve()


@pytest.mark.parametrize("facts", [{"etag": None}, {"size": None, "etag": None}])
async def test_a_place_that_does_not_tell_of_changes_is_refused(odd: Odd, facts: dict[str, Any]) -> None:
    odd.facts["a.py"] = facts
    with pytest.raises(SourceInvalid, match=r"does not tell when 'a\.py' changes"):
        await source().resolve()


@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/abs", "a//b", "./a", "a\\b", "nul\0", "x" * 256, "half a pair \ud800"]
)
async def test_a_hostile_key_is_refused_before_anything_is_read(odd: Odd, cache: SnapshotCache, name: str) -> None:
    odd.files[name] = b"evil"
    with pytest.raises(UnsafeTree, match="the revision was not written"):
        await newest(cache, source())
    assert odd.read == []
    assert published(cache) == []


@pytest.mark.parametrize("kind", ["link", "other", "directory"])
async def test_what_is_no_file_is_refused(odd: Odd, cache: SnapshotCache, kind: str) -> None:
    odd.facts["a.py"] = {"type": kind}
    with pytest.raises(UnsafeTree, match=rf"'a\.py': it is a {kind}; a source holds files only"):
        await newest(cache, source())


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RuntimeError(SECRET), SourceUnavailable),
        (KeyError(SECRET), SourceUnavailable),
        (OSError(5, SECRET), SourceUnavailable),
        (TimeoutError(SECRET), SourceUnavailable),
        (ConnectionResetError(SECRET), SourceUnavailable),
        (EOFError(SECRET), SourceUnavailable),
        (PermissionError(SECRET), AuthenticationFailed),
        (FileNotFoundError(SECRET), SourceMissing),
        (StopIteration(SECRET), SourceUnavailable),
    ],
)
async def test_whatever_is_raised_is_told_in_our_words(odd: Odd, failure: Exception, kind: type[SourceError]) -> None:
    def fail() -> None:
        raise failure

    odd.on_find = fail
    with pytest.raises(kind, match=r"odd://place .*\.") as caught:
        await source().resolve()
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


async def test_one_that_failed_is_opened_anew(odd: Odd) -> None:
    """As one whose connection was lost must be."""
    one = source()
    await one.resolve()
    await one.resolve()
    assert len(odd.opened) == 1

    def fail() -> None:
        raise EOFError

    odd.on_find = fail
    with pytest.raises(SourceUnavailable):
        await one.resolve()
    odd.on_find = lambda: None
    await one.resolve()
    assert len(odd.opened) == 2


async def test_other_settings_open_it_anew(odd: Odd) -> None:
    tokens = iter(["old", "old", "new"])
    one = source(token=lambda: next(tokens))
    for _ in range(3):
        await one.resolve()
    assert [settings["token"] for settings in odd.opened] == ["old", "new"]


async def test_a_package_that_is_missing_is_named_with_what_to_install(odd: Odd) -> None:
    def fail() -> None:
        raise ModuleNotFoundError("No module named 'paramiko'", name="paramiko")

    odd.on_open = fail
    with pytest.raises(SourceInvalid, match="install what fsspec needs for odd://"):
        await source().resolve()


async def test_one_that_hangs_is_not_waited_for_for_ever(
    odd: Odd, cache: SnapshotCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hang() -> None:
        over.wait()

    one = source()
    revision = await one.resolve()
    monkeypatch.setattr(file_systems, "LISTING", 0.1)
    monkeypatch.setattr(file_systems, "REQUEST", 0.1)
    try:
        odd.on_read = lambda name: b"late" if over.wait() else None
        with pytest.raises(SourceUnavailable, match="did not answer in time"):
            await cache.ensure(one, revision)
        odd.on_find = hang
        with pytest.raises(SourceUnavailable, match="did not answer in time"):
            await one.resolve()
    finally:
        over.set()
