"""Where the processes of a run hand in what they ask of their server while it goes on, and are answered."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from flowsource.json_values import MOST_BYTES
from flowsource.runner import frames

logger = logging.getLogger(__name__)

# A flow may ask from as many threads as it likes: each question holds a descriptor of the server's.
MOST_AT_ONCE = 100
_MOST_QUESTION_BYTES = 2 * MOST_BYTES
_CHUNK_BYTES = 64 * 1024

# The answer to a question, cancelled when nobody waits for it any more.
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Desk:
    """Takes conversations that come through a socket, and answers one question in each."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        # Each message is taken whole or not at all, whoever of several processes wrote it.
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._room = anyio.Semaphore(MOST_AT_ONCE)

    async def serve(self) -> None:
        """Answer until nobody can ask any more."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._room.acquire()
                conversation = await self._next()
                if conversation is None:
                    return
                tasks.start_soon(self._converse, conversation)

    def close(self) -> None:
        """Take no more."""
        self._ours.close()
        self.theirs.close()

    async def _next(self) -> socket.socket | None:
        while True:
            await anyio.wait_readable(self._ours)
            try:
                data, given, *_ = socket.recv_fds(self._ours, 16, 8, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                continue
            if not data and not given:
                return None
            # A flow can do what it likes with its descriptors: what is no conversation costs nobody anything.
            for extra in given[1:]:
                os.close(extra)
            if given:
                try:
                    return socket.socket(fileno=given[0])
                except OSError:
                    os.close(given[0])

    async def _converse(self, conversation: socket.socket) -> None:
        try:
            with conversation:
                conversation.setblocking(False)
                question, answer = await _heard(conversation), None
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_until_gone, conversation, tasks.cancel_scope)
                    answer = await self._answer_safely(question)
                    tasks.cancel_scope.cancel()
                if answer is not None:
                    await _say(conversation, answer)
        except (OSError, ValueError, EOFError) as error:
            logger.debug("a question of a run was not answered: %s", error)
        finally:
            self._room.release()

    async def _answer_safely(self, question: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._answer(question)
        except Exception:  # One question that meets a fault of ours must not end the run, nor others.
            logger.exception("what a run asked met a fault of flowsource")
            return None


async def _heard(conversation: socket.socket) -> dict[str, Any]:
    decoder = frames.Decoder(most=_MOST_QUESTION_BYTES)
    while True:
        await anyio.wait_readable(conversation)
        data = conversation.recv(_CHUNK_BYTES)
        for question in decoder.feed(data):
            return question
        if not data:
            raise EOFError("who asked is gone")


async def _until_gone(conversation: socket.socket, answering: anyio.CancelScope) -> None:
    """Give up the answer when nobody waits for it: who asked has ended, or has been told to."""
    await anyio.wait_readable(conversation)
    answering.cancel()


async def _say(conversation: socket.socket, answer: dict[str, Any]) -> None:
    left = memoryview(frames.encode(answer))
    while left:
        await anyio.wait_writable(conversation)
        left = left[conversation.send(left) :]
