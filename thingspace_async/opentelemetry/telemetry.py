"""Telemetry: turns the hooks of sessions and receivers into spans and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar
from weakref import WeakSet

import attrs
from opentelemetry import metrics, trace
from opentelemetry.util.types import AttributeValue

from thingspace_async import Exchange, Session, __version__
from thingspace_async.callbacks.outcomes import Outcomes
from thingspace_async.callbacks.receiver import Answered, Receiver
from thingspace_async.devices.fleet import FleetProgress
from thingspace_async.errors import ConfigurationError

__all__ = ["Telemetry"]

T = TypeVar("T", Session, Receiver, Outcomes)

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0)
"""Those of OpenTelemetry's conventions for HTTP, and the time limits of the client."""


@attrs.define(eq=False)
class _Call:
    """A call in progress."""

    span: trace.Span
    tries: int = 0
    status: int | None = None
    request_id: str | None = None


_current: Final[ContextVar[_Call | None]] = ContextVar("thingspace_call", default=None)


class Telemetry:
    """Reports sessions, receivers, outcomes and fleet runs to OpenTelemetry. Make one for each process.

        telemetry = Telemetry()
        async with telemetry.instrument(Session()) as session:
            account = await session.accounts.get("0000123456-00001")

    By default, it uses the global providers. Spans and metrics hold names, numbers and error classes, but no URL, body,
    header or error text.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("thingspace_async", __version__, tracer_provider)
        meter = metrics.get_meter("thingspace_async", __version__, meter_provider)
        self._instrumented: WeakSet[object] = WeakSet()
        self._outcomes: WeakSet[Outcomes] = WeakSet()
        self._duration = meter.create_histogram(
            "thingspace.client.call.duration",
            unit="s",
            description="Duration of calls, with their retries",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._retries = meter.create_counter(
            "thingspace.client.retries", unit="{retry}", description="Tries of calls after the first"
        )
        self._logins = meter.create_counter(
            "thingspace.client.logins", unit="{login}", description="Logins that were sent to the platform"
        )
        self._messages = meter.create_counter(
            "thingspace.receiver.messages", unit="{message}", description="Messages, by result"
        )
        self._receiving = meter.create_histogram(
            "thingspace.receiver.message.duration",
            unit="s",
            description="Time to read and store a message",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._fleet = meter.create_gauge(
            "thingspace.fleet.devices", unit="{device}", description="Devices of a fleet run, by state"
        )
        self._total = meter.create_gauge(
            "thingspace.fleet.total", unit="{device}", description="All devices of this worker in a fleet run"
        )
        meter.create_observable_up_down_counter(
            "thingspace.outcomes.waiting",
            callbacks=[self._count_waiting],
            unit="{request}",
            description="Requests whose outcomes are awaited",
        )

    def instrument(self, watched: T) -> T:
        """Report a session, a receiver or outcomes from now on, and return it.

        Clones of a session, made by `with_options`, are reported as well. Raises ConfigurationError for anything else,
        and for an object that is reported already, which would count twice.
        """
        if not isinstance(watched, Session | Receiver | Outcomes):
            raise ConfigurationError(
                f"instrument: pass a Session, a Receiver or Outcomes, not {type(watched).__name__}"
            )
        if watched in self._instrumented:
            raise ConfigurationError(f"this {type(watched).__name__} is instrumented already: call instrument once")
        if isinstance(watched, Session):
            watched.add_hooks(on_exchange=_note, around_call=self._around)
        elif isinstance(watched, Receiver):
            watched.add_hook(self._count_message)
        else:
            self._outcomes.add(watched)
        self._instrumented.add(watched)
        return watched

    def progress(self, run: str) -> Callable[[FleetProgress], None]:
        """Return a function for `on_progress` of a fleet run, which reports the run's devices by state."""

        def show(progress: FleetProgress) -> None:
            for state in ("succeeded", "failed", "missing", "unknown", "not_sent", "waiting"):
                self._fleet.set(getattr(progress, state), {"thingspace.run": run, "thingspace.state": state})
            if progress.total is not None:
                self._total.set(progress.total, {"thingspace.run": run})

        return show

    @contextmanager
    def _around(self, name: str) -> Iterator[None]:
        operation = _operation(name)
        started = time.perf_counter()
        described: dict[str, AttributeValue] = {"thingspace.operation": operation}
        with self._tracer.start_as_current_span(
            operation, attributes=dict(described), record_exception=False, set_status_on_exception=False
        ) as span:
            call = _Call(span)
            token = _current.set(call)
            try:
                yield
            except BaseException as error:
                described["error.type"] = type(error).__name__
                if not isinstance(error, asyncio.CancelledError):
                    span.set_status(trace.StatusCode.ERROR)
                raise
            finally:
                _current.reset(token)
                self._finish(call, described, time.perf_counter() - started)

    def _finish(self, call: _Call, described: dict[str, AttributeValue], seconds: float) -> None:
        """Complete the span of a call, and count the call."""
        if call.status is not None:
            described["http.response.status_code"] = call.status
        call.span.set_attributes({**described, "thingspace.tries": call.tries})
        if call.request_id is not None:
            call.span.set_attribute("thingspace.request_id", call.request_id)
        self._duration.record(seconds, described)
        operation = {"thingspace.operation": described["thingspace.operation"]}
        if call.tries > 1:
            self._retries.add(call.tries - 1, operation)
        if operation["thingspace.operation"] == "session.log_in" and call.tries:
            self._logins.add(1, {name: described[name] for name in ("error.type",) if name in described})

    def _count_message(self, answered: Answered) -> None:
        described: dict[str, AttributeValue] = {
            "thingspace.result": answered.result,
            "http.response.status_code": answered.status,
        }
        if answered.service is not None:
            described["thingspace.service"] = answered.service
        self._messages.add(1, described)
        if answered.result == "stored":
            self._receiving.record(answered.seconds, {"thingspace.service": answered.service or ""})

    def _count_waiting(self, _: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        yield metrics.Observation(sum(one.waiting for one in tuple(self._outcomes)))


def _note(exchange: Exchange) -> None:
    """Note one try of the current call."""
    if (call := _current.get()) is None:
        return
    call.tries, call.status, call.request_id = exchange.tries, exchange.status, exchange.request_id
    described: dict[str, AttributeValue] = {"thingspace.try": exchange.tries, "thingspace.seconds": exchange.seconds}
    if exchange.status is not None:
        described["http.response.status_code"] = exchange.status
    if exchange.error is not None:
        described["error.type"] = exchange.error.__name__
    call.span.add_event("thingspace.exchange", described)


def _operation(name: str) -> str:
    """Return the name of a call. Paths of `session.request` are left out: they are many, and have account names."""
    method, separator, _ = name.partition(" ")
    return f"request {method}" if separator else name
