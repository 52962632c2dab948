"""What a server or a repository may bring is bounded, and known to be too much before it is taken."""

from __future__ import annotations

import random
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from dulwich.object_format import SHA1, SHA256
from dulwich.objects import Blob
from dulwich.pack import create_delta, pack_object_header, write_pack_objects
from dulwich.protocol import pkt_line
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import SourceInvalid, SourceUnavailable, UnsafeTree
from flowsource.sources import limits as tree_limits
from flowsource.sources.git import export, limits
from flowsource.sources.git.limits import LARGEST_FILE
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.store import objects, packs
from flowsource.sources.git.store.packs import PackReader, parse_header, size_at
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire import patience
from flowsource.sources.git.wire.exchange import GitWire
from flowsource.sources.git.wire.patience import Patience
from tests.sources.contract import fetched, files_in
from tests.sources.fetching import fetch_into
from tests.sources.served import FILES
from tests.support.git_server import Endless, GitServer
from tests.support.repositories import add_blob, add_tree

pytestmark = pytest.mark.anyio

FILE, DIRECTORY = 0o100644, 0o40000
ADVERTISEMENT = {"Content-Type": "application/x-git-upload-pack-advertisement"}
RESULT = {"Content-Type": "application/x-git-upload-pack-result"}
VERSION_2 = pkt_line(b"version 2\n") + pkt_line(b"ls-refs\n") + pkt_line(b"fetch=shallow\n") + b"0000"
OLDER = pkt_line(b"# service=git-upload-pack\n") + b"0000" + pkt_line(b"0" * 40 + b" capabilities^{}\0shallow\n")
REF = pkt_line(b"a" * 40 + b" refs/heads/main\n")
PROGRESS = pkt_line(b"\2Counting objects\r")


def at(server: GitServer, patience: Patience) -> GitWire:
    return GitWire(parse_url(server.url("flows.git"))[0], patience)


def fetch(wire: GitWire, commit: str, into: Path) -> None:
    with Repo.init_bare(str(into), mkdir=True) as store:
        fetch_into(store, wire, commit, into.with_name("tree"))


class TestTalk:
    """Whatever is no object must come to an end."""

    @pytest.mark.parametrize(
        "answer",
        [
            Endless(headers=ADVERTISEMENT, first=OLDER, again=REF * 1000),
            Endless(headers=ADVERTISEMENT, first=VERSION_2[:-4], again=pkt_line(b"agent=x\n") * 1000),
        ],
        ids=["refs", "capabilities"],
    )
    async def test_a_server_that_never_stops_talking_is_not_listened_to(
        self, server: GitServer, monkeypatch: pytest.MonkeyPatch, answer: Endless
    ) -> None:
        monkeypatch.setattr(patience, "LONGEST_TALK", 1 << 20)
        server.misbehave(answer)
        with pytest.raises(SourceInvalid, match="more than the 1 MiB that are listened to"):
            await GitRepository(server.url("flows.git")).resolve()

    async def test_a_listing_of_version_2_that_never_ends_is_not_listened_to(
        self, server: GitServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(patience, "LONGEST_TALK", 1 << 20)
        source = GitRepository(server.url("flows.git"))
        await source.resolve()
        server.misbehave(Endless(headers=RESULT, again=REF * 1000))
        with pytest.raises(SourceInvalid, match="more than the 1 MiB that are listened to"):
            await source.resolve()

    @pytest.mark.parametrize("first", [b"", pkt_line(b"\1PACK")], ids=["before", "among"])
    async def test_progress_without_end_does_not_keep_a_fetch_alive(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path, first: bytes
    ) -> None:
        chatter = Endless(headers=RESULT, first=pkt_line(b"packfile\n") + first, again=PROGRESS * 10, every=0.01)
        server.misbehave(chatter, on="fetch")
        with pytest.raises(SourceUnavailable, match="too slowly to ever be done"):
            fetch(at(server, Patience(prepare=0.3)), repository.tip(), tmp_path / "store")

    async def test_progress_as_fast_as_it_comes_is_bounded_too(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(patience, "LONGEST_TALK", 1 << 20)
        chatter = Endless(headers=RESULT, first=pkt_line(b"packfile\n"), again=PROGRESS * 1000)
        server.misbehave(chatter, on="fetch")
        with pytest.raises(SourceInvalid, match="more than the 1 MiB that are listened to"):
            fetch(at(server, Patience()), repository.tip(), tmp_path / "store")

    async def test_objects_are_not_counted_as_talk(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(patience, "LONGEST_TALK", 1_000_000)
        files: dict[str, str | bytes] = {f"{n}.bin": random.Random(n).randbytes(50_000) for n in range(60)}
        repository.commit_files(files)
        source = GitRepository(server.url("flows.git"))
        assert files_in(await fetched(source, await source.resolve(), tmp_path)) == files


class TestObjects:
    """What would unpack to too much is refused before it is unpacked."""

    @pytest.mark.parametrize(
        ("limit", "value", "why"),
        [
            ("LARGEST_PACK", 1000, r"sends more than .* GiB for one commit"),
            ("LARGEST_FILE", 1000, r"holds a file of more than .* MiB"),
            ("MOST_BYTES", 5000, r"holds files of more than .* GiB in all"),
            ("MOST_ENTRIES", -97, r"sends 4 objects for one commit, more than"),
        ],
    )
    async def test_a_pack_beyond_a_limit_is_refused_while_it_arrives(
        self, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, why: str
    ) -> None:
        monkeypatch.setattr(packs, limit, value)
        source = GitRepository(server.url("flows.git"))
        with pytest.raises(UnsafeTree, match=f"flows.git {why}.*make the repository smaller"):
            await fetched(source, await source.resolve(), tmp_path)
        assert list((tmp_path / "fetched").iterdir()) == []
        assert list((tmp_path / "workspace").rglob("*.pack")) == []

    async def test_a_pack_of_a_few_bytes_is_measured_too(
        self, repository: FixtureRepository, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(packs, "LARGEST_FILE", 1000)
        repository.commit_files({"zeros.bin": bytes(1001)})
        source = GitRepository(server.url("flows.git"))
        with pytest.raises(UnsafeTree, match="holds a file of more than"):
            await fetched(source, await source.resolve(), tmp_path)

    @pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
    async def test_a_file_beyond_the_limit_is_refused_by_its_path(
        self, repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
    ) -> None:
        if packed:
            with Repo(str(repository.path)) as repo:
                repo.object_store.pack_loose_objects()
        monkeypatch.setattr(export, "LARGEST_FILE", 4999)
        source = GitRepository(repository.path)
        with pytest.raises(UnsafeTree, match=r"'data\.bin': it is larger than .* MiB"):
            await fetched(source, await source.resolve(), tmp_path)

    async def test_it_is_refused_for_what_its_header_says_without_looking_at_the_rest(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        name = add_blob(repository, b"small")
        repository.commit_tree(add_tree(repository, (FILE, b"huge.bin", name)))
        loose = repository.path / "objects" / name[:2] / name[2:]
        loose.chmod(0o600)
        loose.write_bytes(zlib.compress(b"blob %d\0" % (LARGEST_FILE + 1)) + b"this is nothing that inflates")
        source = GitRepository(repository.path)
        with pytest.raises(UnsafeTree, match=r"'huge\.bin': it is larger than 512 MiB"):
            await fetched(source, await source.resolve(), tmp_path)

    async def test_a_tree_beyond_the_limit_is_refused(
        self, repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "LARGEST_RECORD", 1000)
        blob = add_blob(repository, b"")
        repository.commit_tree(add_tree(repository, *((FILE, b"%03d" % n, blob) for n in range(100))))
        source = GitRepository(repository.path)
        with pytest.raises(SourceInvalid, match="which no tree, commit or tag may be"):
            await fetched(source, await source.resolve(), tmp_path)

    async def test_sizes_are_found_in_the_store_that_another_one_borrows_from(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        borrower = FixtureRepository.create(tmp_path / "borrower.git")
        with Repo(str(borrower.path)) as repo:
            repo.object_store.add_alternate_path(str(repository.path / "objects"))
        borrower.set_ref("refs/heads/main", repository.tip())
        source = GitRepository(borrower.path)
        assert files_in(await fetched(source, await source.resolve(), tmp_path))["data.bin"] == FILES["data.bin"]

    def test_the_limits_are_those_that_are_documented(self) -> None:
        assert (tree_limits.MOST_ENTRIES, tree_limits.DEEPEST, tree_limits.MOST_BYTES) == (1_000_000, 256, 20 * 1024**3)
        assert (limits.LARGEST_FILE, limits.LARGEST_RECORD) == (512 * 1024**2, 64 * 1024**2)
        assert (limits.LARGEST_PACK, limits.LONGEST_TALK) == (4 * 1024**3, 64 * 1024**2)


class TestReader:
    """A pack is read as it arrives, in whatever pieces, and measured before it is inflated."""

    CONTENTS = (
        *(b"".join(b"line %d of many\n" % n for n in range(500)) + b"%d" % n for n in range(20)),
        b"",
        bytes(200_000),
        random.Random(3).randbytes(70_000),
    )

    def pack(self, *, deltify: bool = False) -> bytes:
        """A pack with what compresses well and badly."""
        packed = BytesIO()
        blobs: list[tuple[Blob, None]] = [(Blob.from_string(content), None) for content in self.CONTENTS]
        write_pack_objects(packed, blobs, deltify=deltify, object_format=SHA1)
        return packed.getvalue()

    @pytest.mark.parametrize("piece", [1, 7, 4096, 65_515, 1 << 30])
    def test_its_objects_come_out_as_they_went_in(self, piece: int) -> None:
        pack, reader = self.pack(), PackReader("it", id_size=20)
        found = [one for place in range(0, len(pack), piece) for one in reader.feed(pack[place : place + piece])]
        assert reader.finish() == pack[-20:]
        assert [one.data for one in found] == list(self.CONTENTS)
        ends = [one.offset for one in found[1:]] + [len(pack) - 20]
        assert [one.crc32 for one in found] == [
            zlib.crc32(pack[one.offset : end]) for one, end in zip(found, ends, strict=True)
        ]

    @pytest.mark.parametrize("piece", [100, 1 << 30])
    def test_a_large_object_comes_out_in_pieces(self, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
        monkeypatch.setattr(packs, "LARGE", 100_000)
        pack, reader = self.pack(), PackReader("it", id_size=20)
        found = [one for place in range(0, len(pack), piece) for one in reader.feed(pack[place : place + piece])]
        large = [one for one in found if one.header.stored == 200_000]
        assert len(large) > 1 or piece > 200_000
        assert b"".join(one.data for one in large) == bytes(200_000)
        assert [one.is_last for one in large] == [*[False] * (len(large) - 1), True]

    def test_a_pack_beyond_the_limit_is_refused_before_it_is_inflated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        total = sum(map(len, self.CONTENTS))
        for most, fits in ((total, True), (total - 1, False)):
            monkeypatch.setattr(packs, "MOST_BYTES", most)
            reader = PackReader("it", id_size=20)
            try:
                list(reader.feed(self.pack()))
            except UnsafeTree:
                assert not fits
            else:
                assert fits

    def test_a_delta_is_as_large_as_what_comes_of_it(self) -> None:
        base, wanted = b"0" * 1000, b"0" * 1000 + b"1" * 234
        delta = b"".join(create_delta(base, wanted))
        for kind, before, ids in ((6, 300, SHA1), (7, b"x" * 20, SHA1), (7, b"x" * 32, SHA256)):
            packed = bytes(pack_object_header(kind, before, len(delta), ids)) + zlib.compress(delta)
            header = parse_header(packed, 0, ids.oid_length)
            assert (header.base, header.stored) == (before, len(delta))
            assert zlib.decompress(packed[header.length :]) == delta
            assert size_at(packed, ids.oid_length) == 1234

    def test_a_file_that_is_only_said_to_be_too_large_is_refused_at_once(self) -> None:
        said = bytes(pack_object_header(3, None, LARGEST_FILE + 1, SHA1))
        with pytest.raises(UnsafeTree, match="more than 512 MiB"):
            list(PackReader("it", id_size=20).feed(b"PACK\0\0\0\2\0\0\0\1" + said + bytes(5000)))

    @pytest.mark.parametrize("length", [4, 11, 13, 100, 20_000])
    def test_a_pack_that_ends_in_the_middle_is_no_pack(self, length: int) -> None:
        reader = PackReader("it", id_size=20)
        list(reader.feed(self.pack()[:length]))
        with pytest.raises(ValueError, match="ends in the middle"):
            reader.finish()

    @pytest.mark.parametrize("said", [9, 11])
    def test_an_object_that_is_not_as_long_as_its_header_says_is_no_object(self, said: int) -> None:
        head = bytes(pack_object_header(3, None, said, SHA1))
        with pytest.raises(ValueError, match="not as long as its header says"):
            list(PackReader("it", id_size=20).feed(b"PACK\0\0\0\2\0\0\0\1" + head + zlib.compress(bytes(10))))
