"""A directory that even root cannot write to, in one process and those it starts.

Permissions stop everybody but root. Root's runs get a view of the file system of their own, in which the snapshot they
run from is mounted read-only. What they mount, they alone see.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_SLAVE = 1, 32, 4096, 16384, 1 << 19
# What a mount forbids it forbids still: no setuid, no devices, no execution, no times of access.
_KEPT: Final = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME


def is_possible() -> bool:
    """Whether `protect` can be had here, and is needed; found out by a process that is forked for it."""
    if os.geteuid() != 0:
        return False
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            protect("/")
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def protect(directory: str) -> None:
    """Have nothing written below `directory` by this process from now on, nor by those it starts; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = os.statvfs(directory).f_flag & _KEPT
    place = os.fsencode(directory)
    _check(libc.unshare(_CLONE_NEWNS))
    # What others mount is still seen here; what is mounted here is not seen by others.
    _check(libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None))
    _check(libc.mount(place, place, None, _MS_BIND, None))
    _check(libc.mount(None, place, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | flags, None))


def _check(answer: int) -> None:
    if answer != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
