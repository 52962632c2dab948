"""The guardian whose runs begin with the child runtime imported, so that they begin at once.

    python -m flowsource.runner.processes.forkserver FD GROUP [MODULE...]

The modules that it is given are imported before it forks. If one of them cannot be had so, it says that, and ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Sequence

from flowsource.parameters import parameters_of
from flowsource.runner import serving
from flowsource.runner.child import main as child
from flowsource.runner.child import protection
from flowsource.runner.child.streams import share_lines_of_c
from flowsource.runner.processes.birth import live
from flowsource.runner.processes.guardian import Guardian, prepared


def main() -> None:
    """Serve requests until the socket ends."""
    requests = prepared()
    warm_up()
    if unfit := import_before_forks(sys.argv[3:]):
        requests.send(json.dumps({"unfit": unfit}).encode())
        return
    child.protects_snapshots = protection.is_possible()
    share_lines_of_c()
    gc.collect()
    gc.freeze()  # Pages of what was imported are never written by a collection, so that forks share them.
    Guardian(requests, be_a_run).serve({"protects": child.protects_snapshots})


# A script names `serve` at its top, and each run of a flow in it imports the script.
_NAMED_BY_SCRIPTS = (serving,)


def warm_up() -> None:
    """Do once what each run would else do anew: pydantic imports most of itself when it is first used."""
    parameters = parameters_of(lambda value: value)
    parameters.schema()
    parameters.validate("warm-up", {"value": 1})


def import_before_forks(names: Sequence[str]) -> dict[str, str]:
    """Import each module of those; by name, why it is not fit to be imported by a process that forks."""
    unfit = {}
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:  # SystemExit too: whatever it is, runs go on without it.
            unfit[name] = f"{type(error).__name__}: {error}"
            continue
        if (left := _threads_after_a_fork()) > 0:
            unfit[name] = f"it leaves {left} thread{'s' if left > 1 else ''} running, which no fork has"
            break  # Nobody can tell any more whose they are.
    return unfit


def be_a_run() -> None:
    """Be a run, in a process that was forked for it."""
    if (numpy := sys.modules.get("numpy.random")) is not None:
        numpy.seed()  # Imported before the fork, its state would be the same in every run; `random` sees to its own.
    live(child.main)


def _threads_after_a_fork() -> int:
    """How many threads this process has beside the first.

    Libraries that know of forks, such as OpenBLAS, put their threads away before each: so there is one first.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return len(os.listdir("/proc/self/task")) - 1


if __name__ == "__main__":
    main()
