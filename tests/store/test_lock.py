"""One writer at a time: a second one waits, and is told when it has waited for too long."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from flowsource.errors import StoreUnavailable
from flowsource.store.lock import WriteLock
from tests.support.waiting import PATIENCE

BRIEF = timedelta(milliseconds=20)
LONG = timedelta(seconds=PATIENCE)


def test_it_cannot_be_had_while_another_holds_it(tmp_path: Path) -> None:
    ours, theirs = WriteLock(tmp_path / "lock", patience=BRIEF), WriteLock(tmp_path / "lock", patience=BRIEF)
    with ours.held(), pytest.raises(StoreUnavailable, match=r"for 0\.02 seconds.*lsof"), theirs.held():
        pass
    with theirs.held():
        pass
    ours.close()
    theirs.close()


def test_it_cannot_be_had_by_another_thread_either(tmp_path: Path) -> None:
    lock = WriteLock(tmp_path / "lock", patience=BRIEF)
    refused = []

    def try_it() -> None:
        try:
            with lock.held():
                pass
        except StoreUnavailable as error:
            refused.append(error)

    with lock.held():
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert len(refused) == 1
    lock.close()


def test_whoever_waits_has_it_once_it_is_free(tmp_path: Path) -> None:
    ours, theirs = WriteLock(tmp_path / "lock", patience=LONG), WriteLock(tmp_path / "lock", patience=LONG)
    order = []

    def wait_for_it() -> None:
        trying.set()
        with theirs.held():
            order.append("theirs")

    trying = threading.Event()
    thread = threading.Thread(target=wait_for_it)
    with ours.held():
        thread.start()
        assert trying.wait(PATIENCE)
        order.append("ours")
    thread.join()
    assert order == ["ours", "theirs"]
    ours.close()
    theirs.close()


def test_a_failure_while_it_is_held_frees_it(tmp_path: Path) -> None:
    lock = WriteLock(tmp_path / "lock", patience=BRIEF)
    with pytest.raises(RuntimeError), lock.held():
        raise RuntimeError
    with lock.held():
        pass
    lock.close()
