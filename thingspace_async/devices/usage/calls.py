"""Calls for the usage of devices."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Coroutine, Sized
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Unpack

from thingspace_async._core import tasks
from thingspace_async._core.namespace import Namespace, Timeline, whether_more
from thingspace_async._core.operation import Operation, request_of
from thingspace_async._core.types import Accepted, DeviceId, Identified, to_device_id
from thingspace_async.devices.usage.many import UsageDevices, UsageOfDevice, UsageOptions, UsageProgress, span_of
from thingspace_async.devices.usage.models import (
    AggregateUsageRequest,
    BilledUsageListRequest,
    DailyUsageHistory,
    DailyUsageRequest,
    DailyUsageResponse,
    DeviceAggregateUsageListRequest,
    DeviceUsageListRequest,
    DeviceUsageListResult,
    PromoAggregateUsageRequest,
    PromoUsage,
    PromoUsageRequest,
    PromoUsageResponse,
    UsageListFilters,
    UsageRecord,
)
from thingspace_async.errors import CallError, InvalidRequest, Unauthorized

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

__all__ = ["OPERATIONS", "Usage"]

LIST: Final = Operation(
    "devices.usage.list",
    "POST",
    "/m2m/v1/devices/usage/actions/list",
    DeviceUsageListRequest,
    DeviceUsageListResult,
    repeatable=True,
)
AGGREGATE: Final = Operation(
    "devices.usage.aggregate",
    "POST",
    "/m2m/v1/devices/usage/actions/list/aggregate",
    DeviceAggregateUsageListRequest,
    Accepted,
)
BILLED: Final = Operation(
    "devices.usage.billed",
    "POST",
    "/m2m/v1/devices/usage/actions/billedusage/list",
    BilledUsageListRequest,
    Accepted,
)
GLOBAL_DAILY: Final = Operation(
    "devices.usage.global_daily",
    "POST",
    "/v1/devices/usage/actions/list",
    DailyUsageRequest,
    DailyUsageResponse,
    repeatable=True,
)
GLOBAL_AGGREGATE: Final = Operation(
    "devices.usage.global_aggregate",
    "POST",
    "/v1/devices/usage/actions/list/aggregate",
    AggregateUsageRequest,
    Accepted,
)
PROMO: Final = Operation(
    "devices.usage.promo",
    "POST",
    "/m2m/v1/devices/usage/actions/promodeviceusage",
    PromoUsageRequest,
    PromoUsageResponse,
    repeatable=True,
)
PROMO_AGGREGATE: Final = Operation(
    "devices.usage.promo_aggregate",
    "POST",
    "/m2m/v1/devices/usage/actions/promoaggregateusage",
    PromoAggregateUsageRequest,
    Accepted,
)

OPERATIONS: Final = (LIST, AGGREGATE, BILLED, GLOBAL_DAILY, GLOBAL_AGGREGATE, PROMO, PROMO_AGGREGATE)


def _by_day(
    fetch: Callable[[DeviceUsageListRequest], Coroutine[Any, Any, DeviceUsageListResult]],
) -> Timeline[DeviceUsageListRequest, DeviceUsageListResult, UsageRecord]:
    return Timeline(
        operation=LIST,
        fetch=fetch,
        records=lambda page: page.usage_history,
        time=lambda record: record.timestamp,
        path="usageHistory",
    )


def _pace_of(requests_per_minute: float | None) -> AsyncLimiter | None:
    """Return a limiter that starts requests evenly, because the platform refuses bursts."""
    if requests_per_minute is None:
        return None
    if isinstance(requests_per_minute, bool) or not 0 < requests_per_minute < math.inf:
        raise InvalidRequest("devices.usage.of: requests_per_minute must be a number greater than zero")
    from aiolimiter import AsyncLimiter  # Only paced calls need it.

    return AsyncLimiter(1, 60 / requests_per_minute)


class Usage(Namespace):
    """Data and SMS usage of devices.

    Use `list` and `aggregate` for ordinary devices. `global_daily` and `global_aggregate` are for global IoT devices,
    `promo` and `promo_aggregate` for devices without an MDN in their promotion period.
    """

    async def list_page(
        self, request: DeviceUsageListRequest | None = None, **filters: Unpack[UsageListFilters]
    ) -> DeviceUsageListResult:
        """Read one page of the daily usage of a device, at most 500 records, oldest first.

        Pass the filters as keywords (`device_id` or `label`, `earliest` and `latest`) or as a request. If the page has
        `has_more_data`, request the next page with `earliest` set to the time of the last record, as `list` does.
        The platform keeps 12 months. Long spans may time out on the platform: request shorter spans.
        Data usage appears 15 minutes after a session ends, or every 6 hours while it lasts. SMS usage appears within 3
        days.
        Raises BadRequest with the short code `REQUEST_FAILED.DeviceNotFound` if the user cannot see the device.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-usage-history.html
        """
        return whether_more(await self._reply(LIST, request_of(LIST, request, filters)))

    def list(
        self, request: DeviceUsageListRequest | None = None, **filters: Unpack[UsageListFilters]
    ) -> AsyncGenerator[UsageRecord]:
        """Walk the daily usage of a device, oldest first, and fetch pages of 500 records ahead.

        Pass the filters as keywords (`device_id` or `label`, `earliest` and `latest`) or as a request.
        Consecutive pages share a record. If the platform changes it between the two pages, the walk returns both
        versions.
        Raises AnswerUnreadable if there are more records but no later `earliest` to request them with, for example
        because all records of a page have the same time. In this case, request shorter spans.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-usage-history.html
        """
        return self._walk_in_time(_by_day(self.list_page), request_of(LIST, request, filters))

    async def of(self, devices: UsageDevices, **options: Unpack[UsageOptions]) -> AsyncGenerator[UsageOfDevice]:
        """Read the daily usage of any number of devices, and yield each device as soon as its usage is known.

        Give a `month` in UTC, or `start` and `end`. `concurrency` devices are read at once, 10 by default, in any
        order. Only these are in memory: `devices` may be an async generator such as `devices.list`, which this call
        closes. A device that cannot be read is yielded with its `error`. A refused login ends the iteration.
        Raises InvalidRequest for wrong options and for devices without an identifier.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-usage-history.html
        """
        begin, end = span_of(options.get("month"), options.get("start"), options.get("end"))
        pace = _pace_of(options.get("requests_per_minute"))
        concurrency = options.get("concurrency", 10)
        if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
            raise InvalidRequest(
                f"devices.usage.of: concurrency must be a whole number of 1 or more, not {concurrency!r}"
            )
        report = options.get("on_progress")
        done = failed = 0
        total = len(devices) if isinstance(devices, Sized) else None

        async def read(device: DeviceId | Identified) -> UsageOfDevice:
            return await self._usage_of(device, begin, end, pace)

        async with aclosing(tasks.each_of(devices, read, at_once=concurrency)) as found:
            async for one in found:
                done += 1
                failed += one.failed
                if report is not None:
                    report(UsageProgress(done=done, failed=failed, total=total))
                yield one

    async def _usage_of(
        self, device: DeviceId | Identified, begin: datetime, end: datetime, pace: AsyncLimiter | None
    ) -> UsageOfDevice:
        identifier = to_device_id(device)
        if not isinstance(identifier, DeviceId):
            raise InvalidRequest("devices.usage.of: pass devices with an identifier, such as DeviceId.imei('…')")

        async def fetch(request: DeviceUsageListRequest) -> DeviceUsageListResult:
            if pace is not None:
                await pace.acquire()
            return await self.list_page(request)

        wanted = DeviceUsageListRequest(device_id=identifier, earliest=begin, latest=end)
        try:
            async with aclosing(self._walk_in_time(_by_day(fetch), wanted)) as walk:
                days = tuple([day async for day in walk])
        except Unauthorized:
            raise
        except CallError as error:
            return UsageOfDevice(device=device, error=error.with_traceback(None))
        return UsageOfDevice(device=device, days=days)

    async def aggregate(self, request: DeviceAggregateUsageListRequest) -> Accepted:
        """Request the total usage of devices over at most one month that began at most six months ago.

        The result arrives later on DeviceUsage. Raises BadRequest if the span began more than six months ago: the
        platform checks this, not the client.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-aggregate-device-usage-history.html
        """
        return await self._send(AGGREGATE, request)

    async def billed(self, request: BilledUsageListRequest) -> Accepted:
        """Request the billed usage of an account, or of up to 2,000 of its devices or labels.

        In limited release, for the automotive sector. The result arrives later on DeviceService.
        Raises BadRequest with the short code `REQUEST_FAILED.AccountNotFound` if the account does not exist.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-billed-usage-list.html
        """
        return await self._send(BILLED, request)

    async def global_daily_page(self, request: DailyUsageRequest) -> DailyUsageResponse:
        """Read one page of the daily usage of a global IoT device, oldest first.

        For all other devices, use `list_page`. If the page has `has_more_data`, request the next page with `earliest`
        set to the time of the last record, as `global_daily` does. Only the SDKs know this URL. The platform's page has
        the URL of `list_page` instead.
        Raises BadRequest with the short code `REQUEST_FAILED.DeviceNotFound` if the user cannot see the device.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/daily_usage.html
        """
        return whether_more(await self._reply(GLOBAL_DAILY, request))

    def global_daily(self, request: DailyUsageRequest) -> AsyncGenerator[DailyUsageHistory]:
        """Walk the daily usage of a global IoT device, oldest first, and fetch one page ahead.

        For all other devices, use `list`.
        Raises AnswerUnreadable if there are more records but no later `earliest`, as `list` does.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/daily_usage.html
        """
        timeline: Timeline[DailyUsageRequest, DailyUsageResponse, DailyUsageHistory] = Timeline(
            operation=GLOBAL_DAILY,
            fetch=self.global_daily_page,
            records=lambda page: page.usage_history,
            time=lambda record: record.timestamp,
            path="usageHistory",
        )
        return self._walk_in_time(timeline, request)

    async def global_aggregate(self, request: AggregateUsageRequest) -> Accepted:
        """Request the total usage of a global IoT device, by its EID.

        For all other devices, use `aggregate`. The result arrives later on DeviceUsage. Only the SDKs know this URL.
        The platform's page has the URL of `aggregate` instead.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/aggregate_usage.html
        """
        return await self._send(GLOBAL_AGGREGATE, request)

    async def promo_page(self, request: PromoUsageRequest) -> PromoUsageResponse:
        """Read one page of the usage of a device without an MDN in its promotion period.

        If the page has `has_more_data`, request the next page with `start_time` set to the time of the last record, as
        `promo` does.
        Raises BadRequest with the short code `REQUEST_FAILED.DeviceNotFound` if the user cannot see the device.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/mdnless/api-reference/retrieve-device-usage.html
        """
        return whether_more(await self._reply(PROMO, request))

    def promo(self, request: PromoUsageRequest) -> AsyncGenerator[PromoUsage]:
        """Walk the usage of a device without an MDN in its promotion period, and fetch one page ahead.

        Raises AnswerUnreadable if there are more records but no later `start_time`, as `list` does.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/mdnless/api-reference/retrieve-device-usage.html
        """
        timeline: Timeline[PromoUsageRequest, PromoUsageResponse, PromoUsage] = Timeline(
            operation=PROMO,
            fetch=self.promo_page,
            records=lambda page: page.usage_history,
            time=lambda record: record.event_date_time,
            path="usageHistory",
            begin="start_time",
            end="end_time",
        )
        return self._walk_in_time(timeline, request)

    async def promo_aggregate(self, request: PromoAggregateUsageRequest) -> Accepted:
        """Request the total usage of devices without an MDN in the promotion period.

        The result arrives later on DevicePromoUsage.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/mdnless/api-reference/retrieve-aggregate-usage.html
        """
        return await self._send(PROMO_AGGREGATE, request)
