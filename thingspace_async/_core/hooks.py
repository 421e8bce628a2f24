"""Hooks: functions of the user that watch the requests and the calls of a session."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from thingspace_async.errors import ConfigurationError

if TYPE_CHECKING:
    from thingspace_async._core.exchange import Exchange

__all__ = ["AroundCall", "ExchangeHook", "Hooks"]

R = TypeVar("R")

ExchangeHook: TypeAlias = "Callable[[Exchange], None]"

AroundCall: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Receives the name of a call, such as `devices.list`, and returns a context manager for its duration."""

_log: Final = logging.getLogger("thingspace_async")


class Hooks:
    """The hooks of a session. An error of a hook is logged, and never affects the call."""

    def __init__(self) -> None:
        self.before: tuple[ExchangeHook, ...] = ()
        self.after: tuple[ExchangeHook, ...] = ()
        self.around: tuple[AroundCall, ...] = ()

    def add(
        self, before_exchange: ExchangeHook | None, on_exchange: ExchangeHook | None, around_call: AroundCall | None
    ) -> None:
        """Add hooks. Raises ConfigurationError, and adds none, if one is not a plain function."""
        given = (("before_exchange", before_exchange), ("on_exchange", on_exchange), ("around_call", around_call))
        for name, hook in given:
            if hook is not None and (not callable(hook) or inspect.iscoroutinefunction(hook)):
                raise ConfigurationError(f"{name} must be a plain function, because it is not awaited")
        if before_exchange is not None:
            self.before += (before_exchange,)
        if on_exchange is not None:
            self.after += (on_exchange,)
        if around_call is not None:
            self.around += (around_call,)

    def report_start(self, exchange: Exchange) -> None:
        """Call the hooks `before_exchange`."""
        for hook in self.before:
            _call("before_exchange", hook, exchange)

    def report_end(self, exchange: Exchange) -> None:
        """Call the hooks `on_exchange`."""
        for hook in self.after:
            _call("on_exchange", hook, exchange)

    def watched(self, operation: str, work: Coroutine[Any, Any, R]) -> Coroutine[Any, Any, R]:
        """Return the work of a call, inside the hooks `around_call` if there are any."""
        for hook in self.around:
            work = _inside(hook, operation, work)
        return work


async def _inside(hook: AroundCall, operation: str, work: Coroutine[Any, Any, R]) -> R:
    with _Guarded(hook, operation):
        return await work


class _Guarded(AbstractContextManager[None, None]):
    """Enters and leaves a hook's context manager, which cannot end the call or suppress its error."""

    def __init__(self, hook: AroundCall, operation: str) -> None:
        self._hook = hook
        self._operation = operation
        self._entered: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        try:
            manager = self._hook(self._operation)
            manager.__enter__()
            self._entered = manager
        except Exception:  # noqa: BLE001 - an error of the user's hook must not end the call
            self._complain()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._entered is None:
            return
        try:
            self._entered.__exit__(kind, error, traceback)
        except Exception:  # noqa: BLE001 - an error of the user's hook must not replace the call's
            if sys.exception() is not error:  # A context manager may raise the error of its block again.
                self._complain()

    def _complain(self) -> None:
        _log.exception("around_call failed for %s; the call continues", self._operation)


def _call(name: str, hook: ExchangeHook, exchange: Exchange) -> None:
    try:
        hook(exchange)
    except Exception:  # noqa: BLE001 - an error of the user's hook must not end the call
        _log.exception("%s failed for %s; the call continues", name, exchange.operation)
