"""What a person gives for a bucket: the address, the patterns, the settings; and what is not taken."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import pytest

from flowsource import GitRepository, RemoteStorage
from flowsource.errors import InvalidInput, SourceInvalid
from flowsource.sources import source_from
from flowsource.sources.remote.patterns import Patterns
from tests.support.modules import modules_loaded_by

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
        ("S3A://bucket/prefix", "s3://bucket/prefix"),
        ("gcs://bucket", "gs://bucket"),
        ("az://container@account.dfs.core.windows.net/x", "abfs://container@account.dfs.core.windows.net/x"),
        ("sftp://ada@host:2222/srv/flows", "sftp://ada@host:2222/srv/flows"),
        ("memory://code", "memory://code"),
        ("memory:///code/", "memory:///code"),
        ("https://host/flows/", "https://host/flows"),
        ("s3://bucket/a::b", "s3://bucket/a::b"),
    ],
)
def test_an_address_has_one_form(url: str, canonical: str) -> None:
    assert RemoteStorage(url).url == canonical


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("zip::s3://bucket/code.zip", "an address inside another"),
        ("simplecache::s3://bucket/code", "an address inside another"),
        ("zip://flows.py::s3://bucket/code.zip", "an address inside another"),
        ("zip:///srv/code.zip", "is an archive; unpack it"),
        ("tar:///srv/code.tar", "is an archive; unpack it"),
        ("libarchive:///srv/code.7z", "is an archive; unpack it"),
        ("filecache://x", "keeps copies of its own"),
        ("simplecache://x", "keeps copies of its own"),
        ("reference://x", "only stands for another address"),
        ("dir://x", "only stands for another address"),
        ("file:///srv/flows", "is a directory of this machine"),
        ("local:///srv/flows", "is a directory of this machine"),
        ("github://org:repo@main/", "is a Git repository"),
        ("data:text/plain,x", "names no protocol"),
        ("data://x", "is no place, but the content itself"),
        ("flows", "names no protocol"),
        ("s5://bucket/x", "s5:// is not a kind of source; give a directory"),
        ("s3://", "names no place"),
        ("s3:///prefix", "names no place"),
        ("s3://bucket//prefix", "has an empty name"),
        ("s3://bucket/../other", "'..' in its path"),
        ("s3://bucket/./x", "'.' or '..' in its path"),
        ("s3://bucket/x?versionId=1", "goes on after the path"),
        ("https://host/flows?sig=hush", "goes on after the path"),
        ("https://host/flows#x", "goes on after the path"),
        ("s3://key:hush@bucket/x", "carries credentials"),
        ("https://ada:hush@host/x", "carries credentials"),
        ("https://hush@host/x", "carries credentials"),
        ("s3://ada:hush@[bucket/x", "has a host that cannot be read"),
        ("s3://bucket/a\nb", "control characters"),
        ("", "is not an address"),
        (5, "is not an address"),
    ],
)
def test_an_address_that_is_no_source_is_refused_with_the_reason(url: Any, why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        RemoteStorage(url)
    assert str(caught.value).startswith("url: ")
    assert why in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("s3://bucket/code", RemoteStorage),
        ("gs://bucket/code", RemoteStorage),
        ("memory://code", RemoteStorage),
        ("https://host/org/repo.git", GitRepository),
        ("https://[fe80::1]/org/repo.git", GitRepository),
    ],
)
def test_a_url_alone_becomes_the_source_that_is_meant(given: str, kind: type) -> None:
    assert isinstance(source_from(given), kind)


@pytest.mark.parametrize("given", ["simplecache::s3://b/x", "simplecache::https://h/x.git", "zip::file:///x.git"])
def test_a_chain_of_addresses_is_taken_for_nothing_else(given: str) -> None:
    with pytest.raises(InvalidInput, match="an address inside another"):
        source_from(given)


@pytest.mark.parametrize("field", ["include", "exclude"])
@pytest.mark.parametrize("patterns", [[""], [5], " "])
def test_a_pattern_that_is_none_is_refused_by_its_field(field: str, patterns: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"{field}: .* is not a pattern"):
        RemoteStorage("s3://bucket", **{field: patterns})


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        (Patterns(), {"a.py", "lib/a.py", "lib/b.txt", "data/x.py", "data/deep/y"}),
        (Patterns(include=("*.py",)), {"a.py", "lib/a.py", "data/x.py"}),
        (Patterns(include=("/a.py", "lib/")), {"a.py", "lib/a.py", "lib/b.txt"}),
        (Patterns(exclude=("data/",)), {"a.py", "lib/a.py", "lib/b.txt"}),
        (Patterns(include=("*.py",), exclude=("data/**", "lib/a.py")), {"a.py"}),
        (Patterns(exclude=("/*", "!/a.py")), {"a.py"}),
    ],
)
def test_patterns_mean_what_they_mean_in_a_gitignore_file(patterns: Patterns, taken: set[str]) -> None:
    assert patterns.chosen(["a.py", "lib/a.py", "lib/b.txt", "data/x.py", "data/deep/y"]) == taken


def test_each_choice_of_objects_has_revisions_of_its_own() -> None:
    contents = [
        Patterns().content,
        Patterns(include=("a",)).content,
        Patterns(exclude=("a",)).content,
        Patterns(include=("a", "b")).content,
        Patterns(include=("a, b",)).content,
    ]
    assert contents[0] == ""
    assert len(set(contents)) == len(contents)
    assert all(json.loads(content) for content in contents[1:])


@pytest.mark.parametrize("interval", [0, -1, float("nan"), True, "60"])
def test_an_interval_that_is_no_length_of_time_is_refused(interval: Any) -> None:
    with pytest.raises(InvalidInput, match="pull_interval"):
        RemoteStorage("s3://bucket", pull_interval=interval)


def test_an_interval_is_kept_but_never_below_five_seconds() -> None:
    assert RemoteStorage("s3://bucket").pull_interval == timedelta(seconds=60)
    assert RemoteStorage("s3://bucket", pull_interval=1).pull_interval == timedelta(seconds=5)
    assert RemoteStorage("s3://bucket", pull_interval=None).pull_interval is None


@pytest.mark.parametrize("name", ["use_listings_cache", "skip_instance_cache", "asynchronous", "target_options"])
def test_a_setting_that_is_ours_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"settings: {name} is set by flowsource"):
        RemoteStorage("s3://bucket", **dict[str, Any]({name: True}))


def test_a_name_stands_for_the_address() -> None:
    source = RemoteStorage("s3://bucket/code", name="flows of the team")
    assert (source.label, source.selector, source.mount) == ("flows of the team", "", None)


@pytest.mark.parametrize(
    ("url", "extra", "package"),
    [
        ("s3://b", "s3", "s3fs"),
        ("gs://b", "gs", "gcsfs"),
        ("abfs://c", "abfs", "adlfs"),
        ("sftp://h/x", "sftp", "paramiko"),
    ],
)
async def test_an_extra_that_is_not_installed_is_named(
    url: str, extra: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = RemoteStorage(url)
    # As if it had never been imported, and could not be.
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, source.url.partition(":")[0], raising=False)
    for ours in ("fsspec.implementations.sftp", "flowsource.sources.remote.sftp"):
        monkeypatch.delitem(sys.modules, ours, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SourceInvalid, match=rf"pip install 'flowsource\[{extra}\]'"):
        await source.resolve()


def test_the_libraries_are_loaded_when_they_are_used_and_no_sooner() -> None:
    loaded = modules_loaded_by("from flowsource import RemoteStorage; RemoteStorage('s3://bucket', key='k')")
    assert {name.partition(".")[0] for name in loaded} & {"s3fs", "aiobotocore", "botocore", "aiohttp"} == set()
