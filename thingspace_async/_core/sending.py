"""Sender: sends one request until it succeeds or must not be sent again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import attrs

from thingspace_async._core.environment import Environment
from thingspace_async._core.hooks import Hooks
from thingspace_async._core.operation import SESSION_HEADER, Operation, Query, check_headers, encode_query, fill_path
from thingspace_async._core.refusals import TokenKind, api_error, rejected_token, request_id
from thingspace_async._core.retry import RetryPolicy, delay_before_retry, reason_to_stop
from thingspace_async._core.secrets import Secrets
from thingspace_async._core.transport import Answer, HiddenHeaders, HttpRequest, Limits, Transport
from thingspace_async.errors import AnswerLost, ApiError, RequestNotSent, ThingSpaceError

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

    from thingspace_async._core.exchange import Exchange
    from thingspace_async._core.upload import Streamed

__all__ = ["Authorization", "Sender", "prepare"]

R = TypeVar("R")

_log: Final = logging.getLogger("thingspace_async")

_MOST_REJECTIONS: Final = 5
"""Number of rejected tokens that ends a call."""


class Authorization(Protocol):
    """Makes the headers that authorize a request."""

    @property
    def ready(self) -> HiddenHeaders | None:
        """The headers, if they are available without waiting."""
        ...

    async def headers(self) -> HiddenHeaders:
        """Return the headers. Fetch missing tokens first."""
        ...

    def adapt(self, made: HiddenHeaders, request: HttpRequest) -> HiddenHeaders:
        """Return the headers with the changes that a request needs."""
        ...

    def rejected(self, kind: TokenKind, headers: HiddenHeaders) -> bool:
        """Forget a token that an answer rejected, and return whether to try again."""
        ...

    def accepted(self) -> None:
        """Record that the platform accepted the tokens."""
        ...


def prepare(
    environment: Environment,
    operation: Operation[Any, Any],
    data: bytes | Streamed | None,
    limits: Limits,
    *,
    path: Mapping[str, str] | None = None,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    urgent: bool = False,
) -> HttpRequest:
    """Make the request of an operation, without tokens."""
    url = environment.bases[operation.server] + (fill_path(operation, path) if path else operation.path)
    if query:
        url = f"{url}{'&' if '?' in url else '?'}{encode_query(operation, query)}"
    extra = operation.headers
    if headers:
        check_headers(operation.name, headers)
        extra = {**(extra or {}), **headers}
    return HttpRequest(
        operation.name,
        operation.method,
        url,
        data,
        limits,
        not operation.repeatable,
        urgent,
        extra,
        operation.session_header,
        operation.server,
        operation.secret_headers,
    )


class Sender:
    """Sends requests over one transport, with the hooks of one session."""

    def __init__(
        self,
        transport: Transport,
        secrets: Secrets,
        hooks: Hooks,
    ) -> None:
        self._transport = transport
        self._secrets = secrets
        self.hooks = hooks
        self.pace: AsyncLimiter | None = None
        """Grants one slot to each try of a call. None means no limit."""

    def perform(
        self,
        request: HttpRequest,
        authorization: Authorization,
        policy: RetryPolicy,
        *,
        final: Callable[[ApiError], bool] | None = None,
    ) -> Coroutine[Any, Any, tuple[Answer, int]]:
        """Do the same as `send`, as a call of its own for the hooks."""
        return self.hooks.watched(request.operation, self.send(request, authorization, policy, final=final))

    async def send(
        self,
        request: HttpRequest,
        authorization: Authorization,
        policy: RetryPolicy,
        *,
        final: Callable[[ApiError], bool] | None = None,
    ) -> tuple[Answer, int]:
        """Return the answer and the number of tries.

        `final` returns whether an error ends the call at once, even if a new token might help.
        """
        started = time.monotonic()
        tries = retried = rejections = 0
        renewable: frozenset[TokenKind] = frozenset({"oauth", "session"})
        while True:
            request.sent = False
            try:
                if authorization.ready is None:  # Before queueing: no call holds a slot while it waits for a token.
                    await authorization.headers()
                if self.pace is not None and not request.urgent:
                    await self.pace.acquire()
                tries += 1
                headers, outcome = await self._try(request, authorization, tries)
            except asyncio.CancelledError as cancelled:
                if request.sent:
                    raise
                raise cancelled from RequestNotSent("cancelled before it was sent", operation=request.operation)
            if isinstance(outcome, Answer):
                return outcome, tries
            failure = outcome
            if isinstance(failure, ApiError) and (kind := rejected_token(failure, request.server, renewable)):
                rejections += 1
                renewable -= {kind}
                is_final = rejections >= _MOST_REJECTIONS or (final is not None and final(failure))
                if not is_final and authorization.rejected(kind, headers) and policy.renews_tokens:
                    continue
            wait = delay_before_retry(
                policy,
                failure,
                repeatable=not request.once,
                retried=retried,
                elapsed=time.monotonic() - started,
                jitter=random.random,
            )
            if wait is None:
                reason = reason_to_stop(policy, failure, repeatable=not request.once, retried=retried)
                _log_failure(request, tries, failure, f"no next try: {reason}")
                break
            retried += 1
            _log_failure(request, tries, failure, f"next try in {wait:.1f} s")
            await _chained(asyncio.sleep(wait), failure)
        try:
            raise failure
        finally:
            del failure, outcome  # The error's traceback refers to this frame, which would be a reference cycle.

    async def _try(
        self, request: HttpRequest, authorization: Authorization, tries: int
    ) -> tuple[HiddenHeaders, Answer | ThingSpaceError]:
        """Send once; return the headers that were sent, and the answer or the error."""
        async with nullcontext() if request.urgent else self._transport.slots:
            # Checked after queueing, because a token may have expired in the queue.
            if (headers := authorization.ready) is None:
                headers = await authorization.headers()
            if request.extra is not None or request.session_header != SESSION_HEADER:
                headers = authorization.adapt(headers, request)
            try:
                answer = await self._exchange(request, headers, tries)
            except (RequestNotSent, AnswerLost) as lost:
                lost.tries = tries
                return headers, lost.with_traceback(None)  # Its frames would make a reference cycle.
        if 200 <= answer.status < 300:
            authorization.accepted()
            return headers, answer
        return headers, api_error(
            request.operation,
            answer.status,
            answer.headers,
            answer.body,
            tries=tries,
            once=request.once,
            redact=self._secrets.redact,
        )

    def _exchange(self, request: HttpRequest, headers: HiddenHeaders, tries: int) -> Coroutine[Any, Any, Answer]:
        # Not a coroutine itself: calls without hooks save its time.
        watched = self.hooks.before or self.hooks.after or request.secret_headers
        if watched or _log.isEnabledFor(logging.DEBUG):
            return self._watched_exchange(request, headers, tries)
        return self._transport.exchange(request, headers)

    async def _watched_exchange(self, request: HttpRequest, headers: HiddenHeaders, tries: int) -> Answer:
        """Send once, and report the exchange to the hooks and to the log."""
        from thingspace_async._core.exchange import Exchange

        exchange = Exchange(
            operation=request.operation,
            method=request.method,
            url=request.url.partition("?")[0],
            started=datetime.now(UTC),
            tries=tries,
        )
        self.hooks.report_start(exchange)
        started = time.perf_counter()
        try:
            answer = await self._transport.exchange(request, headers)
        except BaseException as error:
            seconds = time.perf_counter() - started
            self._report(attrs.evolve(exchange, seconds=seconds, error=type(error)))
            raise
        seconds = time.perf_counter() - started
        if request.secret_headers:
            self._secrets.note_headers(answer.headers)
        known = request_id(answer.headers)
        self._report(
            attrs.evolve(
                exchange,
                seconds=seconds,
                status=answer.status,
                request_id=None if known is None else self._secrets.redact(known),
            )
        )
        return answer

    def _report(self, exchange: Exchange) -> None:
        _log.debug(
            "%s: status %s in %.3f s, try %d", exchange.operation, exchange.status, exchange.seconds, exchange.tries
        )
        self.hooks.report_end(exchange)


def _log_failure(request: HttpRequest, tries: int, failure: ThingSpaceError, next_step: str) -> None:
    # As a string: a handler that keeps records would keep the error and its body.
    _log.debug("%s: try %d failed (%s); %s", request.operation, tries, str(failure), next_step)


async def _chained(work: Awaitable[R], before: ThingSpaceError) -> R:
    """Await work between two tries. If it is cancelled, chain the error of the last try as the cause."""
    try:
        return await work
    except asyncio.CancelledError as cancelled:
        raise cancelled from before
