"""Base class of the inboxes on a database server.

While one batch of messages is being stored, new messages queue. The next batch stores them all in one transaction.
"""

from __future__ import annotations

import asyncio
import copy
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, Generic, TypeVar

from thingspace_async._core.encryption import Cipher
from thingspace_async._core.tasks import wait_shielded
from thingspace_async._core.types import Secret
from thingspace_async.callbacks.inbox import BaseInbox, Received, not_open
from thingspace_async.callbacks.incoming import Incoming, Waiting, next_batch
from thingspace_async.callbacks.waking import ErrorStreak, Waker
from thingspace_async.errors import InboxUnavailable, InboxUnusable

__all__ = ["ServedInbox"]

W = TypeVar("W", bound=Waker)

_STORED_AT_ONCE: Final = 128


class ServedInbox(BaseInbox, Generic[W]):
    """An inbox on a server that several machines share."""

    def __init__(self, label: str, encryption_keys: Sequence[Secret] = ()) -> None:
        super().__init__()
        self._cipher: Final = Cipher(encryption_keys)
        """Encrypts the values of `keep_first`."""
        self._label = label
        """Names the inbox in errors and log lines, such as "the inbox fleet in PostgreSQL"."""
        self._waker: W | None = None
        self._waiting: Waiting = deque()
        self._storing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""
        return self._waker is not None

    async def close(self) -> None:
        """Finish storing queued messages. Followers get InboxUnavailable."""
        waker, self._waker = self._waker, None
        if waker is None:
            return
        try:
            if self._storing is not None:
                await wait_shielded(self._storing)
        finally:
            self._followers.wake_all()
            await waker.close()

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        """Iterate over the messages of a request, stored and new; see `Inbox.follow`."""
        seen, errors = set[int](), ErrorStreak()
        while True:
            try:
                async with self._registered(request_id), aclosing(super().follow(request_id)) as messages:
                    async for received in messages:
                        # Reading restarts at the first message after an outage. If the server lost messages, new ones
                        # may have their numbers.
                        if (known := hash((received.number, received.received_at))) not in seen:
                            seen.add(known)
                            yield received
            except InboxUnavailable:
                if errors.record() or not self._open_waker.has_answered:
                    raise
                await self._open_waker.wait_until_reachable()

    @property
    def _open_waker(self) -> W:
        if self._waker is None:
            raise not_open(self._label)
        return self._waker

    def _decrypted(self, value: str) -> Secret:
        """Return a value of `keep_first`. Raises InboxUnusable if it was encrypted with other keys."""
        decrypted = self._cipher.decrypt(Secret(value))
        if decrypted is None:
            raise InboxUnusable(f"{self._label} was written with other encryption_keys: pass the same ones")
        return decrypted

    @abstractmethod
    def _registered(self, request_id: str) -> AbstractAsyncContextManager[None]:
        """Have new messages of a request wake its followers during a block. Raises InboxUnavailable."""

    @abstractmethod
    async def _insert(self, messages: Sequence[Incoming]) -> list[bool]:
        """Store messages in one transaction. Return for each message whether it was new."""

    async def _keep(self, new: Incoming) -> bool:
        if not self.is_open:
            raise not_open(self._label)
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((new, stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_waiting(), name=f"storing in {self._label}")
        return await stored

    async def _store_waiting(self) -> None:
        """Store queued messages until the queue is empty, and wake their callers."""
        while batch := next_batch(self._waiting, _STORED_AT_ONCE):
            (answer,) = await asyncio.gather(self._insert([new for new, _ in batch]), return_exceptions=True)
            if isinstance(answer, BaseException) and not self.is_open:
                batch += self._waiting  # While closing, one failure is enough: do not try the rest of the queue.
                self._waiting.clear()
            for place, (_, stored) in enumerate(batch):
                if stored.done():  # Its caller was cancelled.
                    continue
                if isinstance(answer, BaseException):
                    stored.set_exception(copy.copy(answer))
                else:
                    stored.set_result(answer[place])
            await self._clean_up()

    async def _clean_up(self) -> None:
        """Do maintenance after a batch was stored. No caller waits for it."""
