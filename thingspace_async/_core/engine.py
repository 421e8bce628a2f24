"""Engine: the state of a session, from opening to closing, and the calls that run in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, Literal, TypeVar

import attrs

from thingspace_async._core.environment import Environment
from thingspace_async._core.hooks import Hooks
from thingspace_async._core.login import Login
from thingspace_async._core.refusals import rejected_token
from thingspace_async._core.retry import RetryPolicy
from thingspace_async._core.secrets import Secrets
from thingspace_async._core.sending import Sender
from thingspace_async._core.store import UserStore
from thingspace_async._core.tasks import wait_shielded
from thingspace_async._core.transport import Answer, HttpRequest, Transport
from thingspace_async.errors import (
    AnswerTimedOut,
    ApiError,
    RequestNotSent,
    SessionClosed,
    SessionMisused,
    ThingSpaceError,
)

__all__ = ["Engine"]

R = TypeVar("R")

_log: Final = logging.getLogger("thingspace_async")

_LEAVE_WITHIN: Final = 5.0
"""Seconds for logging out. The token expires anyway, and a process must not hang when it ends."""

_CUT_WITHIN: Final = 1.0
"""Seconds for the calls in progress to end when the session closes."""


class Engine:
    """The state that a session and its `with_options` clones share.

    Only its methods change its state: new, opening, open, closing, closed. If opening fails, the state is new again.
    """

    def __init__(
        self,
        environment: Environment,
        transport: Transport,
        sender: Sender,
        login: Login,
        secrets: Secrets,
        *,
        requests_per_minute: float | None,
    ) -> None:
        self.environment = environment
        self.secrets = secrets
        self.hooks: Hooks = sender.hooks
        self.login = login
        self._transport = transport
        self._sender = sender
        self._requests_per_minute = requests_per_minute
        self._state: Literal["new", "opening", "open", "closing", "closed"] = "new"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: set[asyncio.Timeout] = set()
        self._calls_ended: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._finishing: set[asyncio.Task[Any]] = set()
        self._closed: asyncio.Future[None] | None = None

    @property
    def state(self) -> str:
        """State of the session: `new`, `opening`, `open`, `closing` or `closed`."""
        return self._state

    @property
    def store(self) -> UserStore:
        """The store of the user's sessions."""
        return self.login.store

    # Opening

    async def open(self, *, force: bool) -> None:
        """Open the connections and log in; if that fails, close the connections."""
        if self._state != "new":
            raise SessionMisused("a session can be opened only once: make a new Session")
        self._state = "opening"
        self._loop = asyncio.get_running_loop()
        try:
            self._transport.open()
            if self._requests_per_minute is not None:
                from aiolimiter import AsyncLimiter  # Only paced sessions need it.

                # Capacity 1: a bucket for a whole minute would allow twice the rate in the first minute.
                self._sender.pace = AsyncLimiter(1, 60 / self._requests_per_minute)
            await self.login.join()
            self._check_opening()
            if force:
                await self.login.start(None, force=True)
            else:
                await self.login.session.get()
            self._check_opening()
        except BaseException:
            await wait_shielded(self._loop.create_task(self._abandon()))
            raise
        self._state = "open"

    def _check_opening(self) -> None:
        if self._state != "opening":
            raise SessionClosed("the session was closed while it was opening: open a new Session")

    async def _abandon(self) -> None:
        try:
            await self.login.end()
            await self.login.leave(log_out=False)
        finally:
            if self._state == "opening":  # Otherwise `close` was called in the meantime, and cleans up.
                await self._transport.close()
                self._state = "new"

    # Calls

    def check_usable(self) -> None:
        """Raise unless the session is open and belongs to this event loop."""
        if self._state != "open":
            raise SessionClosed(
                "the session is closed: open a new Session"
                if self._state in ("closing", "closed")
                else "the session is not open: use `async with Session(...) as session`, or await session.open()"
            )
        self._check_loop()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise SessionMisused("the session belongs to another event loop: open one Session in each loop")

    async def log_in(self) -> None:
        """Fetch the tokens that are missing."""
        self.check_usable()
        if self.login.tokens.ready is None:
            await self.login.tokens.headers()

    async def call(self, request: HttpRequest, policy: RetryPolicy, deadline: float | None) -> tuple[Answer, int]:
        """Send a request with both tokens; return the answer and the number of tries.

        `deadline` is in seconds. It covers queueing, tokens and retries.
        """
        if deadline is not None and deadline < policy.total:
            policy = attrs.evolve(policy, total=deadline)  # Start no retry that could not end in time.
        scope = asyncio.timeout(deadline)
        self._calls.add(scope)
        try:
            async with scope:
                return await self._sender.send(request, self.login.tokens, policy)
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._calls.discard(scope)
            if self._calls_ended is not None and not self._calls and not self._calls_ended.done():
                self._calls_ended.set_result(None)
        raise self._cut_off(request, deadline)

    def _cut_off(self, request: HttpRequest, deadline: float | None) -> ThingSpaceError:
        """Make the error of a call that reached its deadline or whose session was closed."""
        name = request.operation
        if self._state != "open":
            fate = "whether the platform acted on it is unknown" if request.sent else "nothing was sent"
            closed = SessionClosed(f"{name}: the session was closed during the call; {fate}: open a new Session")
            closed.sent = request.sent
            return closed
        if request.sent:
            return AnswerTimedOut(
                f"no complete answer within the deadline of {deadline:g} s; whether the platform acted is unknown",
                operation=name,
            )
        return RequestNotSent(
            f"not sent within the deadline of {deadline:g} s: make fewer calls at once, or raise `connections` or "
            "`deadline`",
            operation=name,
        )

    def spawn(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start a task that is cancelled when the session closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, call: str, work: Coroutine[Any, Any, R]) -> R:
        """Carry work out even if its caller is cancelled or the session is closed. The work must have time limits."""
        task = asyncio.get_running_loop().create_task(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        try:
            await wait_shielded(task)
        except asyncio.CancelledError:
            if not task.cancelled() and (lost := task.exception()) is not None:
                _log.error("%s continued after its caller was cancelled, and failed: %s", call, lost)
            raise
        return task.result()

    # Closing

    async def close(self, error: BaseException | None) -> None:
        """Log out and close the connections. `error` is the exception that ends the session's block, if any."""
        if self._closed is not None:
            await asyncio.shield(self._closed)
            return
        if self._state in ("new", "closed"):
            self._state = "closed"
            return
        self._check_loop()
        if self.login.reset is not None and asyncio.current_task() is self.login.reset:
            raise SessionMisused("on_new_password cannot close its session: close it after reset_password has returned")
        if asyncio.current_task() in self._finishing:
            raise SessionMisused("keep cannot close its session: close it after the call has returned")
        self._state = "closing"
        self._closed = asyncio.get_running_loop().create_future()
        try:
            if self.login.reset is not None:
                await wait_shielded(self.login.reset)
            for task in tuple(self._finishing):
                await wait_shielded(task)
            await self._cut_calls()
            await self._log_out(error)
        finally:
            await wait_shielded(asyncio.get_running_loop().create_task(self._close()))
            self._state = "closed"
            self._closed.set_result(None)
            self._closed = None

    async def _close(self) -> None:
        try:
            await self.login.end()
            await self.login.leave(log_out=False)  # Does nothing if the logout has left already.
        finally:
            await self._transport.close()

    async def _cut_calls(self) -> None:
        """End all calls in progress with SessionClosed, and cancel the tasks that fetch pages ahead."""
        loop = asyncio.get_running_loop()
        for scope in self._calls:
            if not scope.expired():
                scope.reschedule(loop.time())
        if self._calls:
            self._calls_ended = loop.create_future()
            await asyncio.wait([self._calls_ended], timeout=_CUT_WITHIN)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _log_out(self, error: BaseException | None) -> None:
        """Log out. Failures raise no error, because the token expires after 20 minutes anyway."""
        try:
            async with asyncio.timeout(_LEAVE_WITHIN):
                await self.login.leave(log_out=True)
        except (ThingSpaceError, TimeoutError) as failure:
            if isinstance(failure, ApiError) and rejected_token(failure) == "session":
                return  # The token had expired already.
            text = str(failure) or f"no answer within {_LEAVE_WITHIN:g} s"
            if error is not None:
                error.add_note(f"thingspace_async: logging out failed too: {text}")
            else:
                _log.warning("logging out failed; the platform ends the session after 20 minutes: %s", text)
