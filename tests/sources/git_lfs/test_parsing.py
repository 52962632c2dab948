"""What is a pointer of Git LFS, and what an answer of its server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowsource.errors import UnsafeTree
from flowsource.sources.git.lfs.batch import Download, Refused, parse_answer
from flowsource.sources.git.lfs.pointers import Pointer, parse_pointer
from tests.sources.git_lfs.model import MODEL
from tests.sources.served import SECRET
from tests.support.lfs import oid_of, pointer_to

pytestmark = pytest.mark.anyio


class TestPointers:
    def test_one_as_the_specification_has_it_is_known(self) -> None:
        assert parse_pointer(pointer_to(MODEL).encode(), b"x") == Pointer(oid_of(MODEL), len(MODEL))

    @pytest.mark.parametrize("content", [b"", b"version 1\n", b"# version https://git-lfs.github.com/spec/v1\n"])
    def test_any_other_file_is_none(self, content: bytes) -> None:
        assert parse_pointer(content, b"x") is None

    def test_a_file_that_is_longer_than_a_pointer_may_be_is_none(self) -> None:
        assert parse_pointer(pointer_to(MODEL).encode() + b"\n" * 1024, b"x") is None

    @pytest.mark.parametrize(
        "change",
        [
            ("oid sha256:", "oid md5:"),
            ("size 7", "size -7"),
            ("size 7", "size 07"),
            ("size 7", "size 9999999999999999999"),
            ("size 7", "size 7\nsize 8"),
            ("oid ", "ext-0-gpg sha256:00\noid "),
            ("oid sha256:", "oid sha256:../"),
        ],
    )
    def test_one_that_goes_on_otherwise_is_refused_with_its_name(self, change: tuple[str, str]) -> None:
        content = pointer_to(b"content").replace(*change)
        with pytest.raises(UnsafeTree, match=r"models/one\.bin.*pointer of Git LFS"):
            parse_pointer(content.encode(), b"models/one.bin")


class TestAnswers:
    def answer(self, **changes: Any) -> bytes:
        one = {"oid": "ab", "size": 1, "actions": {"download": {"href": "https://x/1"}}, **changes}
        return json.dumps({"objects": [one]}).encode()

    def test_a_download_has_a_place_and_headers(self) -> None:
        action = {"download": {"href": "https://x/1", "header": {"X-Key": "k", "Host": "elsewhere"}}}
        assert parse_answer(self.answer(actions=action)) == {"ab": Download("https://x/1", {"X-Key": "k"})}

    def test_an_error_says_why(self) -> None:
        error = {"code": 410, "message": "gone\x1b[2J"}
        assert parse_answer(self.answer(error=error)) == {"ab": Refused(410, "gone [2J")}

    def test_neither_secrets_nor_places_show_when_it_is_printed(self) -> None:
        assert SECRET not in repr(Download(f"https://x/?sig={SECRET}", {"X-Key": SECRET}))

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>",
            b"[]",
            b"{}",
            b'{"objects": [7]}',
            b'{"objects": [], "transfer": "tus"}',
            b"[" * 100_000,
            b'{"objects":[{"oid":"a","actions":{"download":{"href":"http://x","header":{"A":"b\\r\\nC: d"}}}}]}',
            b'{"objects":[{"oid":"a","actions":{"download":{"href":"http://x","header":{"A b":"c"}}}}]}',
        ],
    )
    def test_one_that_makes_no_sense_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"^(it|a|the) "):
            parse_answer(body)
