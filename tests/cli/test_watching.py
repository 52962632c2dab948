"""`flowsource runs watch`: what changes, as it does."""

from __future__ import annotations

import json
import signal
import threading

from tests.cli.calling import CommandLine
from tests.cli.schemas import hold


def test_runs_are_told_as_they_change_and_only_those_that_are_asked_for(served: CommandLine) -> None:
    has_heard = threading.Event()

    def ask() -> None:
        # Nobody tells when it listens, so that it is asked for runs until it has heard of one.
        while not has_heard.is_set():
            for name in ("not-asked-for", "watched-otter"):
                served.run("run", "greet/daily", "--name", name)

    asking = threading.Thread(target=ask)
    with served.start("runs", "watch", "name:watched-*", "--json") as process:
        asking.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
        finally:
            has_heard.set()
            asking.join()
            process.send_signal(signal.SIGINT)
        process.communicate()
        hold(("runs", "watch"), line)
        told = json.loads(line)
        assert (told["name"], told["deployment"], process.returncode) == ("watched-otter", "greet/daily", 130)
