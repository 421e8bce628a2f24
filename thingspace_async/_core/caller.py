"""Caller: typed calls for the rooms."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from thingspace_async._core import codec
from thingspace_async._core.engine import Engine
from thingspace_async._core.operation import Encoded, Operation, Query, check_query, check_request
from thingspace_async._core.reading import read_answer
from thingspace_async._core.retry import RetryPolicy
from thingspace_async._core.sending import prepare
from thingspace_async._core.transport import Answer, Limits

if TYPE_CHECKING:
    from thingspace_async._core.upload import Streamed

__all__ = ["Caller", "Reply"]

Q = TypeVar("Q")
R = TypeVar("R")


class Reply(Generic[R]):  # Not an attrs class: making one takes as long as importing a small module.
    """A typed answer with its status and headers, for calls that need more than the body."""

    __slots__ = ("headers", "status", "value")

    def __init__(self, status: int, headers: Mapping[str, str], value: R) -> None:
        self.status = status
        self.headers = headers
        self.value = value


class Caller:
    """Sends operations within certain limits."""

    def __init__(self, engine: Engine, limits: Limits, policy: RetryPolicy, deadline: float | None = None) -> None:
        self.engine = engine
        self.limits = limits
        self.policy = policy
        self.deadline = deadline

    def call(
        self,
        operation: Operation[Q, R],
        body: Q | None = None,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, R]:
        """Send an operation with both tokens and return its typed answer."""
        return self.engine.hooks.watched(operation.name, self._call(operation, body, path, query, headers))

    async def _call(
        self,
        operation: Operation[Q, R],
        body: Q | None,
        path: Mapping[str, str] | None,
        query: Query | None,
        headers: Mapping[str, str] | None,
    ) -> R:
        answer, tries = await self._perform(operation, body, path, query, headers)
        value = read_answer(operation, answer, tries)
        return value._answering(body) if isinstance(value, codec.Model) else value  # noqa: SLF001 - a hook of models

    def reply(
        self,
        operation: Operation[Q, R],
        body: Q | None = None,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, Reply[R]]:
        """Send an operation with both tokens and return its typed answer with status and headers."""
        return self.engine.hooks.watched(operation.name, self._reply(operation, body, path, query, headers))

    async def _reply(
        self,
        operation: Operation[Q, R],
        body: Q | None,
        path: Mapping[str, str] | None,
        query: Query | None,
        headers: Mapping[str, str] | None,
    ) -> Reply[R]:
        answer, tries = await self._perform(operation, body, path, query, headers)
        return Reply(answer.status, answer.headers, read_answer(operation, answer, tries))

    def _perform(
        self,
        operation: Operation[Q, R],
        body: Q | None,
        path: Mapping[str, str] | None,
        query: Query | None,
        headers: Mapping[str, str] | None,
    ) -> Coroutine[Any, Any, tuple[Answer, int]]:
        # Not a coroutine itself: each one would slow down every step of those below it.
        check_request(operation, body)
        if query:
            check_query(operation, query)
        data: bytes | None
        if isinstance(body, Encoded):
            data, content_type = body.encoded()
            headers = {"Content-Type": content_type, **(headers or {})}
        else:
            data = None if body is None else codec.dump(body)
        return self._send(operation, data, path=path, query=query, headers=headers)

    def send(
        self,
        operation: Operation[Any, Any],
        data: bytes | Streamed | None,
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, tuple[Answer, int]]:
        """Send the bytes of an operation with both tokens and return the raw answer and the number of tries."""
        work = self._send(operation, data, path=path, query=query, headers=headers)
        return self.engine.hooks.watched(operation.name, work)

    def _send(
        self,
        operation: Operation[Any, Any],
        data: bytes | Streamed | None,
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, tuple[Answer, int]]:
        engine = self.engine
        engine.check_usable()
        request = prepare(engine.environment, operation, data, self.limits, path=path, query=query, headers=headers)
        return engine.call(request, self.policy, self.deadline)
