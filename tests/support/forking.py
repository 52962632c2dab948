"""A process that may be killed in the middle of what it does."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable


def forked(
    action: Callable[[], object], *, kill_after: float | None = None, may_raise: tuple[type[Exception], ...] = ()
) -> bool:
    """Whether `action` ended in a process of its own; False if it was killed or raised what it may.

    Anything else ends us too. With `kill_after` it is killed after so many seconds.
    """
    child = os.fork()
    if child == 0:
        code = 2
        try:
            action()
            code = 0
        except may_raise:
            code = 1
        except BaseException:  # told, and never back into the loop of the parent
            traceback.print_exc()
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, 1, -signal.SIGKILL):
        sys.exit(f"ended with {status}")
    return status == 0
