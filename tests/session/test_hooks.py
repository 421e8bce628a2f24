"""Hooks and OpenTelemetry see each request on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.session.checks import raises
from tests.session.fake import ACCOUNT, NAME, Platform, answer, hang_up
from thingspace_async import Exchange
from thingspace_async.errors import AnswerLost, ConfigurationError


async def test_hooks_are_called_around_each_request(platform: Platform) -> None:
    before: list[Exchange] = []
    after: list[Exchange] = []
    async with platform.session(before_exchange=before.append, on_exchange=after.append) as session:
        platform.on(ACCOUNT, answer(503, b"", {"X-Request-Id": "7"}))
        await session.accounts.get(NAME)
        await session.request("GET", "/m2m/v1/x", query={"secret": "hush"})
    operations = ["oauth.token", "session.log_in", "accounts.get", "accounts.get", "GET /m2m/v1/x", "session.log_out"]
    assert [exchange.operation for exchange in before] == [exchange.operation for exchange in after] == operations
    assert [exchange.status for exchange in before] == [None] * 6
    assert [exchange.status for exchange in after] == [200, 200, 503, 200, 200, 200]
    assert [exchange.tries for exchange in after] == [1, 1, 1, 2, 1, 1]
    assert after[2].request_id == "7"
    assert after[2].method == "GET"
    assert after[4].url == f"{platform.url}/api/m2m/v1/x"
    assert all(exchange.error is None and exchange.seconds > 0 for exchange in after)
    now = datetime.now(UTC)
    assert sorted(exchange.started for exchange in after) == [exchange.started for exchange in after]
    assert after[-1].started <= now
    assert "hush" not in repr(after)


async def test_hooks_get_the_error_of_a_request_without_an_answer(platform: Platform) -> None:
    after: list[Exchange] = []
    async with platform.session(on_exchange=after.append, retries=0) as session:
        platform.always(ACCOUNT, hang_up)
        with raises(AnswerLost):
            await session.accounts.get(NAME)
    (lost,) = [exchange for exchange in after if exchange.operation == "accounts.get"]
    assert (lost.status, lost.error) == (None, AnswerLost)


async def test_a_hook_that_fails_does_not_affect_the_call(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Exchange) -> None:
        raise ZeroDivisionError

    async with platform.session(before_exchange=fail) as session:
        await session.accounts.get(NAME)
    assert "before_exchange failed for accounts.get" in caplog.text


async def test_a_coroutine_function_is_refused_as_a_hook(platform: Platform) -> None:
    async def hook(_: Exchange) -> None: ...

    with raises(ConfigurationError) as caught:
        platform.session(before_exchange=hook)
    assert "before_exchange must be a plain function" in str(caught)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    AioHttpClientInstrumentor().instrument(tracer_provider=provider)
    yield exporter
    AioHttpClientInstrumentor().uninstrument()
    provider.shutdown()


async def test_opentelemetry_sees_each_request_and_no_secret(platform: Platform, spans: InMemorySpanExporter) -> None:
    async with platform.session() as session:
        await session.accounts.get(NAME)
    found = spans.get_finished_spans()
    assert len(found) == 4
    assert "/api/m2m/v1/accounts/" in str([dict(span.attributes or {}) for span in found])
    assert "hush" not in "".join(span.to_json() for span in found)


async def test_a_hook_surrounds_each_call_with_its_retries_and_sees_its_error(platform: Platform) -> None:
    seen: list[str] = []

    @contextmanager
    def around(name: str) -> Iterator[None]:
        seen.append(f"{name} begins")
        try:
            yield
        except BaseException as error:
            seen.append(f"{name} fails: {type(error).__name__}")
            raise
        seen.append(f"{name} ends")

    async with platform.session(retries=1, around_call=around) as session:
        seen.clear()
        platform.on(ACCOUNT, answer(503))
        await session.accounts.get(NAME)
        platform.always(ACCOUNT, hang_up)
        with raises(AnswerLost):
            await session.with_options(retries=0).accounts.get(NAME)
    assert seen == [
        "accounts.get begins",
        "accounts.get ends",
        "accounts.get begins",
        "accounts.get fails: AnswerLost",
        "session.log_out begins",
        "session.log_out ends",
    ]


class Failing:
    """A context manager of a hook that fails when it is entered or left."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        if self.where == "enter":
            raise ZeroDivisionError

    def __exit__(self, *_: object) -> bool:
        if self.where == "exit":
            raise ZeroDivisionError
        return True  # It tries to suppress the call's error.


@pytest.mark.parametrize("where", ["enter", "exit", "nowhere"])
async def test_a_hook_around_a_call_never_affects_it(
    platform: Platform, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    async with platform.session(retries=0) as session:
        session.add_hooks(around_call=lambda _: Failing(where))
        await session.accounts.get(NAME)
        platform.always(ACCOUNT, hang_up)
        with raises(AnswerLost):
            await session.accounts.get(NAME)
    assert ("around_call failed for accounts.get" in caplog.text) == (where != "nowhere")


async def test_hooks_that_are_added_join_the_earlier_ones(platform: Platform) -> None:
    first: list[Exchange] = []
    second: list[Exchange] = []
    async with platform.session(on_exchange=first.append) as session:
        first.clear()
        session.add_hooks(on_exchange=second.append)
        await session.with_options(timeout=4).accounts.get(NAME)
        assert [one.operation for one in first] == [one.operation for one in second] == ["accounts.get"]
