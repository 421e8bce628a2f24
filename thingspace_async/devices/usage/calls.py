"""Calls about devices' usage."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from thingspace_async._namespace import Namespace, Timeline, whether_more
from thingspace_async._operation import Operation
from thingspace_async._types import Accepted
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
    UsageRecord,
)

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
DAILY: Final = Operation(
    "devices.usage.daily",
    "POST",
    "/v1/devices/usage/actions/list",
    DailyUsageRequest,
    DailyUsageResponse,
    repeatable=True,
)
DAILY_AGGREGATE: Final = Operation(
    "devices.usage.daily_aggregate",
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

OPERATIONS: Final = (LIST, AGGREGATE, BILLED, DAILY, DAILY_AGGREGATE, PROMO, PROMO_AGGREGATE)


class Usage(Namespace):
    """What devices use: bytes and messages."""

    async def list_page(self, request: DeviceUsageListRequest) -> DeviceUsageListResult:
        """Read one page of the daily usage of a device, at most 500 records, oldest first.

        The platform keeps 12 months. A span of many months may take it too long to answer: ask for shorter ones.
        Data is there 15 minutes after a session ends, or every 6 hours while it lasts; messages after up to 3 days.
        Raises BadRequest, with the short code `REQUEST_FAILED.DeviceNotFound` for a device that the user cannot see.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-usage-history.html
        """
        return whether_more(await self._reply(LIST, request))

    def list(self, request: DeviceUsageListRequest) -> AsyncGenerator[UsageRecord]:
        """Walk the daily usage of a device, oldest first, a page of 500 records ahead of the caller.

        A record that the platform changes between the two pages that it ends and begins comes twice, old and new.
        Raises AnswerUnreadable where more is promised and `earliest` cannot be moved on to it, as when a page holds
        nothing but records of one time: ask for shorter spans then.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-usage-history.html
        """
        timeline: Timeline[DeviceUsageListRequest, DeviceUsageListResult, UsageRecord] = Timeline(
            operation=LIST,
            fetch=self.list_page,
            records=lambda page: page.usage_history,
            time=lambda record: record.timestamp,
            path="usageHistory",
        )
        return self._walk_in_time(timeline, request)

    async def aggregate(self, request: DeviceAggregateUsageListRequest) -> Accepted:
        """Ask for the sum of the usage of devices, over at most a month that began at most six months ago.

        The result arrives later, on the callback service DeviceUsage.
        Raises BadRequest, among others where it is longer ago than six months, which only the platform can tell.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-aggregate-device-usage-history.html
        """
        return await self._send(AGGREGATE, request)

    async def billed(self, request: BilledUsageListRequest) -> Accepted:
        """Ask for what was billed for the usage of an account, or of up to 2,000 devices or labels in it.

        In limited release, for the automotive sector. The result arrives later, on the callback service DeviceService.
        Raises BadRequest, with the short code `REQUEST_FAILED.AccountNotFound` for an account that does not exist.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-billed-usage-list.html
        """
        return await self._send(BILLED, request)

    async def daily_page(self, request: DailyUsageRequest) -> DailyUsageResponse:
        """Read one page of the daily usage of a global IoT device, named by its ICCID, oldest first.

        The SDKs have this address, which is not the one on the platform's page: that is the address of `list_page`.
        Raises BadRequest, with the short code `REQUEST_FAILED.DeviceNotFound` for a device that the user cannot see.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/daily_usage.html
        """
        return whether_more(await self._reply(DAILY, request))

    def daily(self, request: DailyUsageRequest) -> AsyncGenerator[DailyUsageHistory]:
        """Walk the daily usage of a global IoT device, named by its ICCID, oldest first, a page ahead of the caller.

        Raises AnswerUnreadable where more is promised and `earliest` cannot be moved on to it, as `list` does.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/daily_usage.html
        """
        timeline: Timeline[DailyUsageRequest, DailyUsageResponse, DailyUsageHistory] = Timeline(
            operation=DAILY,
            fetch=self.daily_page,
            records=lambda page: page.usage_history,
            time=lambda record: record.timestamp,
            path="usageHistory",
        )
        return self._walk_in_time(timeline, request)

    async def daily_aggregate(self, request: AggregateUsageRequest) -> Accepted:
        """Ask for the sum of the usage of a global IoT device, named by its EID.

        The SDKs have this address, which is not the one on the platform's page: that is the address of `aggregate`.
        The result arrives later, on the callback service DeviceUsage. Raises BadRequest.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/aggregate_usage.html
        """
        return await self._send(DAILY_AGGREGATE, request)

    async def promo_page(self, request: PromoUsageRequest) -> PromoUsageResponse:
        """Read one page of the usage of a device without an MDN in its promotion period.

        Raises BadRequest, with the short code `REQUEST_FAILED.DeviceNotFound` for a device that the user cannot see.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/mdnless/api-reference/retrieve-device-usage.html
        """
        return whether_more(await self._reply(PROMO, request))

    def promo(self, request: PromoUsageRequest) -> AsyncGenerator[PromoUsage]:
        """Walk the usage of a device without an MDN in its promotion period, a page ahead of the caller.

        Raises AnswerUnreadable where more is promised and `start_time` cannot be moved on to it, as `list` does.
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
        """Ask for the sum of the usage of devices without an MDN in the promotion period.

        The result arrives later, on the callback service DevicePromoUsage. Raises BadRequest.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/mdnless/api-reference/retrieve-aggregate-usage.html
        """
        return await self._send(PROMO_AGGREGATE, request)
