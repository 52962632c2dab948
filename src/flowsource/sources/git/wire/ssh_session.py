"""One `ssh` that runs for one exchange with a server, and is gone with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from dulwich.errors import GitProtocolError

from flowsource.errors import SourceError, SourceInvalid
from flowsource.sources.git.credentials import SshLogin
from flowsource.sources.git.urls import Address
from flowsource.sources.git.wire import ssh
from flowsource.sources.git.wire.patience import Patience, Waiting

_CHUNK: Final = 1 << 16
# What a server says beside its answer is repeated in a message, so the end of it is enough.
_MOST_COMPLAINTS: Final = 1 << 14
# How long an ssh that was left alone, and then one that was told to end, takes for that.
_GRACE: Final = 2.0


class SshSession:
    """Bytes to and from `git-upload-pack` at `address`. A context manager: leaving it leaves no process behind.

    Whatever ends a read or a write early is raised: what the checkpoint raises, SourceError when `waiting` has an end.
    An answer inside that makes no sense is raised as what ssh, or the server, says of it: SourceError where that is
    understood, else GitProtocolError.
    """

    def __init__(self, address: Address, login: SshLogin, patience: Patience, waiting: Waiting) -> None:
        self._address, self._login, self._waiting = address, login, waiting
        self._received, self._said = bytearray(), bytearray()
        self._has_begun = self._is_over = self._has_said_all = False
        try:
            # A session of its own has no terminal to ask at, and takes with it whatever ssh itself starts.
            self._process = subprocess.Popen(
                ssh.command(address, login, patience),
                env=ssh.environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise SourceInvalid(
                f"{address.url} is reached with the program ssh, which is not installed; "
                "install it (the package openssh-client), or give an https URL."
            ) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._in, self._out, self._err = (
            pipe.fileno() for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe, False)

    def read(self, amount: int) -> bytes:
        """Exactly `amount` bytes, or fewer where the server has no more to say."""
        while len(self._received) < amount and not self._is_over:
            self._wait(write=False)
        data = bytes(self._received[:amount])
        del self._received[: len(data)]
        return data

    def write(self, data: bytes) -> int:
        """Send all of `data`."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._in, left) :]
            except BlockingIOError:
                self._wait(write=True)
            except BrokenPipeError:
                # Why it does not listen any more is what it says now.
                break
        return len(data)

    def can_read(self) -> bool:
        """Whether there is something to read at once."""
        if not self._received and not self._is_over:
            self._take(0, write=False)
        return bool(self._received)

    def _failure(self) -> SourceError | str | None:
        """Why the server ended the exchange, once it has: in our words where they are known, and else in its own."""
        deadline = time.monotonic() + _GRACE
        while not (self._is_over and self._has_said_all) and time.monotonic() < deadline:
            self._take(0.1, write=False)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        said = self._said.decode(errors="replace")
        if self._process.returncode == ssh.OWN_FAILURE:
            return ssh.explained(self._address, self._login, said)
        if self._process.returncode in (0, None):
            return None
        return ssh.refused(self._address, said) or said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reason = None
        try:
            if isinstance(error, Exception) and not isinstance(error, (SourceError, OSError)):
                reason = self._failure()
        finally:
            self._end(at_once=error is not None)
        if isinstance(reason, SourceError):
            raise reason from error
        if reason:
            raise GitProtocolError(reason) from error

    def _end(self, *, at_once: bool) -> None:
        process = self._process
        assert process.stdin is not None
        with suppress(OSError):  # What was still to be sent has no reader any more.
            process.stdin.close()
        # One that was waited for already has given its number back.
        if process.poll() is None and (at_once or not self._ends_by_itself()):
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):  # Then by the next signal.
                    process.wait(_GRACE)
                    break
            process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()

    def _ends_by_itself(self) -> bool:
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _wait(self, *, write: bool) -> None:
        """Wait until something arrived, or can be sent."""
        begun = time.monotonic()
        while not self._take(self._waiting.glance(begun), write=write):
            pass

    def _take(self, seconds: float, *, write: bool) -> bool:
        """Take in what arrives within so many seconds; whether any of it is what was waited for."""
        poll = select.poll()
        if not self._has_said_all:
            poll.register(self._err, select.POLLIN)
        if not self._is_over:
            poll.register(self._out, select.POLLIN)
        if write:
            poll.register(self._in, select.POLLOUT)
        ready = dict(poll.poll(max(0.0, seconds) * 1000))
        if self._err in ready:
            said = os.read(self._err, _CHUNK)
            self._has_said_all = not said
            self._said = (self._said + said)[-_MOST_COMPLAINTS:]
        if self._out in ready:
            self._receive(os.read(self._out, _CHUNK))
        return self._out in ready or self._in in ready

    def _receive(self, data: bytes) -> None:
        if not data:
            self._is_over = True
            return
        if not self._has_begun:
            self._has_begun = True
            self._waiting.head_is_there()
        self._waiting.count(len(data))
        self._received += data
