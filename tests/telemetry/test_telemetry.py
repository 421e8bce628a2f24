"""Spans and metrics of sessions, receivers, outcomes and fleet runs, and the page with their names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.callbacks.receiver.conftest import PASSWORD, REQUEST_ID, SERVICE, USERNAME, body_of
from tests.session.checks import raises
from tests.session.fake import ACCOUNT, LOG_IN, NAME, WRONG_PASSWORD, Platform, answer, hang_up, running, say_nothing
from tests.surface.rooms import PACKAGE
from thingspace_async import Accepted
from thingspace_async.callbacks import MemoryInbox
from thingspace_async.callbacks.outcomes import Outcomes
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.devices.fleet import FleetProgress
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    AnswerUnreadable,
    ConfigurationError,
    LoginRefused,
    ServerFault,
    ThingSpaceError,
)
from thingspace_async.opentelemetry import Telemetry


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running(Platform()) as ready:
        yield ready


class Seen:
    """What the SDK has collected."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider(metric_readers=[self.reader])
        self.telemetry = Telemetry(tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def points(self) -> dict[str, tuple[str, list[tuple[dict[str, Any], Any]]]]:
        """Return for each metric its unit, and the attributes and value of its points."""
        data = self.reader.get_metrics_data()
        found: dict[str, tuple[str, list[tuple[dict[str, Any], Any]]]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = [
                        (dict(point.attributes or {}), getattr(point, "count", getattr(point, "value", None)))
                        for point in metric.data.data_points
                    ]
                    found[metric.name] = (metric.unit or "", points)
        return found

    def values(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        return self.points().get(name, ("", []))[1]

    def text(self) -> str:
        return "".join(span.to_json() for span in self.exporter.get_finished_spans()) + repr(self.points())


@pytest.fixture
def seen() -> Iterator[Seen]:
    one = Seen()
    yield one
    one.tracers.shutdown()
    one.meters.shutdown()


async def test_a_failed_call_has_a_span_with_its_error_and_no_secret(platform: Platform, seen: Seen) -> None:
    async with seen.telemetry.instrument(platform.session(retries=1)) as session:
        secrets = [*platform.secrets, *platform.tokens, *platform.bearers, NAME]
        body = " ".join(one for one in secrets if one != "hush").encode()  # The fake's own mark is no secret alone.
        platform.always(ACCOUNT, answer(503, body, {"X-Request-Id": "7", "X-Secret": body.decode()}))
        with raises(ServerFault):
            await session.accounts.get(NAME)
    (span,) = seen.spans("accounts.get")
    assert dict(span.attributes or {}) == {
        "thingspace.operation": "accounts.get",
        "thingspace.tries": 2,
        "thingspace.request_id": "7",
        "http.response.status_code": 503,
        "error.type": "ServerFault",
    }
    assert span.status.status_code is trace.StatusCode.ERROR
    assert [event.name for event in span.events] == ["thingspace.exchange"] * 2
    assert len(secrets) >= 5
    assert [one for one in secrets if one in seen.text()] == []


async def test_refused_logins_are_counted_and_hold_no_password(platform: Platform, seen: Seen) -> None:
    platform.always(LOG_IN, answer(401, WRONG_PASSWORD))
    with raises(LoginRefused):
        await seen.telemetry.instrument(platform.session()).open()
    assert ({"error.type": "Unauthorized"}, 1) in seen.values("thingspace.client.logins")
    assert [one for one in platform.secrets if one in seen.text()] == []


@pytest.mark.parametrize(
    ("way", "options", "kind"),
    [
        (hang_up, {}, AnswerLost),
        (say_nothing, {"deadline": 0.3}, AnswerTimedOut),
        (answer(200, b"[]"), {}, AnswerUnreadable),
    ],
)
async def test_the_span_has_the_class_that_the_caller_catches(
    platform: Platform, seen: Seen, way: Any, options: dict[str, Any], kind: type[ThingSpaceError]
) -> None:
    async with seen.telemetry.instrument(platform.session(retries=0, **options)) as session:
        platform.always(ACCOUNT, way)
        with raises(kind):
            await session.accounts.get(NAME)
    (span,) = seen.spans("accounts.get")
    assert span.attributes is not None
    assert span.attributes["error.type"] == kind.__name__


async def test_a_cancelled_call_is_no_error(platform: Platform, seen: Seen) -> None:
    async with seen.telemetry.instrument(platform.session()) as session:
        platform.always(ACCOUNT, say_nothing)
        call = asyncio.ensure_future(session.accounts.get(NAME))
        await platform.until_seen(ACCOUNT)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    (span,) = seen.spans("accounts.get")
    assert span.status.status_code is trace.StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["error.type"] == "CancelledError"


async def test_calls_nest_between_the_callers_span_and_the_spans_of_aiohttp(platform: Platform, seen: Seen) -> None:
    AioHttpClientInstrumentor().instrument(tracer_provider=seen.tracers)
    try:
        async with seen.telemetry.instrument(platform.session()) as session:
            with trace.get_tracer("mine", tracer_provider=seen.tracers).start_as_current_span("job"):
                await asyncio.gather(session.accounts.get(NAME), session.request("GET", "/m2m/v1/hush"))
    finally:
        AioHttpClientInstrumentor().uninstrument()
    (job,) = seen.spans("job")
    for name in ("accounts.get", "request GET"):
        (call,) = seen.spans(name)
        assert call.parent is not None
        assert call.parent.span_id == job.context.span_id
        below = [one for one in seen.exporter.get_finished_spans() if one.parent and one.parent == call.context]
        assert [one.kind for one in below] == [trace.SpanKind.CLIENT]
    assert "hush" not in "".join(span.to_json() for span in seen.spans("request GET"))
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_calls_retries_and_logins_are_counted(platform: Platform, seen: Seen) -> None:
    async with seen.telemetry.instrument(platform.session()) as session:
        platform.on(ACCOUNT, answer(503))
        await session.accounts.get(NAME)
        await session.with_options(timeout=4).accounts.get(NAME)
    named = {"thingspace.operation": "accounts.get"}
    calls = seen.values("thingspace.client.call.duration")
    assert ({**named, "http.response.status_code": 200}, 2) in calls
    assert seen.values("thingspace.client.retries") == [(named, 1)]
    assert seen.values("thingspace.client.logins") == [({}, 1)]


async def receive(seen: Seen) -> None:
    """Receive one message that is stored, one that is refused, and one for a service without a listener."""
    async with MemoryInbox() as inbox:
        receiver = seen.telemetry.instrument(Receiver(inbox))
        receiver.expect(SERVICE, username=USERNAME, password=PASSWORD)
        for service, body in (
            (SERVICE, body_of()),
            (SERVICE, body_of(password="wrong-hush")),
            ("hush-of-a-stranger", body_of()),
        ):
            await receiver.handle(body, headers={}, peer="127.0.0.1", service=service)


async def test_messages_are_counted_by_what_became_of_them(seen: Seen) -> None:
    await receive(seen)
    counted = {
        (one["thingspace.result"], one.get("thingspace.service"), one["http.response.status_code"]): value
        for one, value in seen.values("thingspace.receiver.messages")
    }
    assert counted == {("stored", SERVICE, 200): 1, ("refused", SERVICE, 401): 1, ("unmatched", None, 404): 1}
    assert "hush" not in seen.text()
    assert PASSWORD not in seen.text()


async def await_an_outcome(seen: Seen) -> list[int]:
    """Wait for an outcome; return the number of waiting requests before, during and after."""
    async with MemoryInbox() as inbox:
        outcomes = seen.telemetry.instrument(Outcomes(inbox))

        def count() -> int:
            ((_, value),) = seen.values("thingspace.outcomes.waiting")
            return int(value)

        found = [count()]
        waiting = asyncio.ensure_future(outcomes.answer(Accepted(request_id=REQUEST_ID)))
        async with asyncio.timeout(5):
            while not outcomes.waiting:
                await asyncio.sleep(0)
        found.append(count())
        await inbox.store(body_of(), service=SERVICE)
        await waiting
        return [*found, count()]


async def test_requests_that_are_awaited_are_counted(seen: Seen) -> None:
    assert await await_an_outcome(seen) == [0, 1, 0]


def test_the_devices_of_a_fleet_run_are_shown_by_state(seen: Seen) -> None:
    show = seen.telemetry.progress("winter")
    show(FleetProgress())
    assert seen.values("thingspace.fleet.total") == []  # It is unknown.
    now = FleetProgress(done=5, failed=1, unknown=1, waiting=3, total=10)
    show(now)
    shown = {one["thingspace.state"]: value for one, value in seen.values("thingspace.fleet.devices")}
    assert shown == {"succeeded": 3, "failed": 1, "missing": 0, "unknown": 1, "not_sent": 0, "waiting": 3}
    show(now)  # OpenTelemetry 1.30 collects a value once.
    assert seen.values("thingspace.fleet.total") == [({"thingspace.run": "winter"}, 10)]


async def test_what_would_count_twice_or_cannot_be_reported_is_refused(platform: Platform, seen: Seen) -> None:
    session = seen.telemetry.instrument(platform.session())
    with raises(ConfigurationError) as caught:
        seen.telemetry.instrument(session)
    assert "instrumented already" in str(caught)
    with raises(ConfigurationError) as caught:
        seen.telemetry.instrument("session")  # type: ignore[type-var] # the wrong type is the test
    assert "not str" in str(caught)


async def test_the_page_lists_all_that_is_emitted(platform: Platform, seen: Seen) -> None:
    async with seen.telemetry.instrument(platform.session(retries=1)) as session:
        platform.on(ACCOUNT, answer(503))
        await session.accounts.get(NAME)
        platform.always(ACCOUNT, hang_up)
        with raises(AnswerLost):
            await session.with_options(retries=0).accounts.get(NAME)
        platform.always(ACCOUNT, answer(503, b"", {"X-Request-Id": "7"}))
        with raises(ServerFault):
            await session.with_options(retries=0).accounts.get(NAME)
    platform.always(LOG_IN, answer(401, WRONG_PASSWORD))
    with raises(LoginRefused):
        await seen.telemetry.instrument(platform.session()).open()
    await receive(seen)
    await await_an_outcome(seen)
    seen.telemetry.progress("winter")(FleetProgress(total=1))
    page = (PACKAGE / "opentelemetry" / "README.md").read_text()
    rows = re.findall(r"^\| `(thingspace[\w.]+)` \| [a-z -]+ \| `(\S+)` \| (.*)\|$", page, re.MULTILINE)
    listed = {name: (unit, set(re.findall(r"`([\w.]+)`", attributes))) for name, unit, attributes in rows}
    emitted = {
        name: (unit, {key for attributes, _ in points for key in attributes})
        for name, (unit, points) in seen.points().items()
    }
    assert listed == emitted
    spans = seen.exporter.get_finished_spans()
    described = page.partition("## Spans")[2].partition("## Metrics")[0]
    assert set(re.findall(r"^\| `([\w.]+)` \|", described, re.MULTILINE)) == {
        name for span in spans for name in span.attributes or {}
    }
    ours = {name for span in spans for event in span.events for name in (event.name, *(event.attributes or {}))}
    assert all(f"`{name}`" in described for name in ours)
