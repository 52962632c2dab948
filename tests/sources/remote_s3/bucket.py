"""A bucket as a source."""

from __future__ import annotations

import traceback
from typing import Any

from flowsource import RemoteStorage
from tests.support.s3_server import SECRET, S3Server


def bucket(server: S3Server, url: str = "s3://bucket/code", **options: Any) -> RemoteStorage:
    return RemoteStorage(url, **{**server.settings(), **options})


def assert_no_secret(failure: BaseException) -> None:
    shown = "".join(traceback.format_exception(failure))
    assert SECRET not in shown + repr(failure) + str(failure)
