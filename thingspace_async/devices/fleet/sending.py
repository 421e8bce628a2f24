"""Send the batches of a fleet run at the platform's pace, and retry after temporary failures."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import attrs

from thingspace_async._core.caller import Caller
from thingspace_async._core.ledger import BatchState
from thingspace_async._core.meaning import Meaning, meaning_of
from thingspace_async._core.reading import read_answer
from thingspace_async._core.runs import Batch, Part
from thingspace_async._core.types import Accepted
from thingspace_async.devices.fleet.plan import Action
from thingspace_async.errors import RequestNotSent, ThingSpaceError

__all__ = ["NEVER_SENT", "Breaker", "Sender"]

T = TypeVar("T")

NEVER_SENT: Final = (BatchState.CLAIMED, BatchState.NOT_SENT)

_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0

_PATIENCE: Final = 5.0
"""Seconds to wait for the answer to a request in progress when the run stops early."""


class Breaker:
    """Makes all batches back off together while the platform is unreachable, throttles or refuses tokens.

    Until a request is answered, requests are tried one at a time, after growing delays.
    """

    def __init__(self, give_up_after: float, *, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._give_up_after = give_up_after
        self._since: float | None = None
        """Time of the first failure, or None if the last request was answered."""
        self._until = 0.0
        self._failed_at = 0.0
        self._wait = 0.0
        self._tries = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until the next try. During an outage, block other tries."""
        async with self._tries:
            if self._since is not None:
                await asyncio.sleep(self._until - _now())
                yield
                return
        yield

    def succeeded(self) -> None:
        """Record that the platform has answered a request."""
        self._since = None
        self._wait = 0.0

    def failed(self, error: ThingSpaceError, began: float) -> bool:
        """Record that a try failed, and return whether to try again. `began` is the start of the try."""
        now = _now()
        if self._since is None:
            self._since = now
        if now - self._since >= self._give_up_after:
            return False  # From now on, batches do not wait, and each is tried once.
        if began >= self._failed_at:  # Tries that were in progress together count once.
            self._wait = min(_LONGEST_WAIT, max(_FIRST_WAIT, 2 * self._wait))
        asked = getattr(error, "retry_after", None) or 0.0
        wait = max(self._wait * (1 + self._jitter()) / 2, asked)
        self._failed_at = now
        self._until = max(self._until, now + wait)
        return True


class Sender:
    """Sends batches. It records each batch before sending it, and its new state afterwards."""

    def __init__(self, caller: Caller, action: Action, part: Part, breaker: Breaker) -> None:
        self._engine = caller.engine
        # The run makes all retries: each takes a slot of the rate limit, and all batches wait together. Between two
        # tries a batch counts as not sent, so that its devices are known if the process is killed.
        policy = attrs.evolve(caller.policy, retries=0, renews_tokens=False)
        self._caller = Caller(caller.engine, caller.limits, policy, caller.deadline)
        self._action = action
        self._part = part
        self._breaker = breaker
        self._leaving = False

    async def send(self, batch: Batch) -> ThingSpaceError | None:
        """Send a batch until it is accepted, refused, lost or given up, as its state then shows.

        Returns the error, if any. If another worker has taken the batch over, this worker neither sends nor reports it.
        """
        while True:
            async with self._breaker.turn():
                await self._engine.store.pace(self._action.account)
                began = _now()
                error = await self._log_in() or await self._finished(self._try(batch))
                if batch.is_lost:
                    return None
                if batch.state not in NEVER_SENT:
                    self._breaker.succeeded()
                    return error
                if error is not None and not self._breaker.failed(error, began):
                    await self._part.note(batch, BatchState.NOT_SENT, str(error))
                    return error

    async def _try(self, batch: Batch) -> ThingSpaceError | None:
        """Send a batch once. Its state is CLAIMED again if the request was not carried out."""
        body = await self._action.body(batch.rows)  # Before the record: the run may stop early meanwhile.
        if not await self._part.begin(batch):
            batch.is_lost = True
            return None
        meaning: Meaning | None = Meaning.TEMPORARY
        error: ThingSpaceError | None = None
        request_id = ""
        try:
            if not self._leaving:
                request_id = (await self._submit(body)).request_id
                meaning = None
        except asyncio.CancelledError as cancelled:
            if isinstance(cancelled.__cause__, RequestNotSent):  # The run stopped early before the request was sent.
                await self._note(batch, BatchState.CLAIMED, "")
            raise
        except ThingSpaceError as met:
            error, meaning = met.with_traceback(None), meaning_of(met, self._action.name)
        if meaning is None:
            await self._part.note(batch, BatchState.ACCEPTED, request_id)
        elif meaning is Meaning.REFUSED:
            await self._part.note(batch, BatchState.REFUSED, str(error))
        elif meaning is not Meaning.LOST:
            await self._note(batch, BatchState.CLAIMED, "")
        if meaning is Meaning.END and error is not None:
            raise error
        return error

    async def _log_in(self) -> ThingSpaceError | None:
        """Fetch missing tokens, and return the error if that failed but may succeed later."""
        try:
            await self._engine.log_in()
        except ThingSpaceError as error:
            if meaning_of(error, self._action.name) is Meaning.END:
                raise
            return error.with_traceback(None)
        return None

    async def _note(self, batch: Batch, state: BatchState, detail: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE if self._leaving else None):
                await self._part.note(batch, state, detail)

    async def _submit(self, body: bytes) -> Accepted:
        answer, count = await self._caller.send(self._action.operation, body)
        return read_answer(self._action.operation, answer, count)

    async def _finished(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work. If the run stops early, the work gets some seconds to finish."""
        task = asyncio.create_task(work, name="fleet request")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            self._leaving = True
            await asyncio.wait([task], timeout=_PATIENCE)
            raise
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # Retrieved. If the caller has stopped, the ledger still records the result.
        return task.result()


def _now() -> float:
    return asyncio.get_running_loop().time()
