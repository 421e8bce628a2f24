"""Handlers for the usage of devices (PROTOCOL.md 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from heapq import merge
from operator import itemgetter
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.devices.usage.calls import (
    AGGREGATE,
    BILLED,
    GLOBAL_AGGREGATE,
    GLOBAL_DAILY,
    LIST,
    PROMO,
    PROMO_AGGREGATE,
)
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import (
    Chosen,
    account_of,
    check_count,
    find_group,
    moment_of,
    named_device,
    objects_of,
)
from thingspace_async.simulator.rooms.devices.timeline import (
    MOST_BYTES,
    Record,
    days,
    device_of,
    draw,
    midnight,
    page_of,
    range_of,
    spans_of,
)
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS", "usage_of"]

_KEPT: Final = timedelta(days=365)
_LONGEST: Final = timedelta(days=31)
_OLDEST: Final = timedelta(days=184)
_MOST_LABELS: Final = 50
_MOST_BILLED: Final = 2_000


def list_usage(call: Call) -> Answer:
    """List the daily usage of a device, or of all devices with a label."""
    wanted = call.document()
    begin, end = range_of(wanted)
    if (device_id := optional(wanted, "deviceId", dict)) is not None:
        devices = [device_of(call, device_id)]
    elif (label := optional(wanted, "label", dict)) is not None:
        devices = [device for device in call.platform.devices.walk() if _label_of(label) in device.labels]
    else:
        raise unexpected("body: either deviceId or label is needed")
    of_each = [usage_of(call.platform, device, begin, end) for device in devices if device is not None]
    records, more = page_of(merge(*of_each, key=itemgetter(0)), begin, end)
    return Answer(202 if more else 200, {"hasMoreData": more, "usageHistory": records})


def _label_of(label: Mapping[str, Any]) -> dict[str, str]:
    return {"name": required(label, "name", str), "value": required(label, "value", str)}


def usage_of(platform: Platform, device: Device, begin: datetime, end: datetime) -> Iterator[Record]:
    """Yield a record for each day on which a device was in service, at least for a part of the day."""
    last = date.min
    begin = max(begin, platform.clock.now() - _KEPT)
    for span in spans_of(platform, device):
        for day in days(span, begin, end):
            if day > last and midnight(day) >= begin:
                last = day
                yield midnight(day), _record(draw(platform, device, day.toordinal()), day, span.service_plan)


def _record(luck: int, day: date, service_plan: str | None) -> dict[str, Any]:
    sent, received = luck >> 24 & 1, luck >> 25 & 3
    return {
        "bytesUsed": luck % MOST_BYTES,
        "extendedAttributes": [{"key": "MoSms", "value": str(sent)}, {"key": "MtSms", "value": str(received)}],
        "servicePlan": service_plan,
        "smsUsed": sent + received,
        "source": "Raw Usage",
        "timestamp": f"{day.isoformat()}T00:00:00Z",
    }


def list_daily_usage(call: Call) -> Answer:
    """List the daily usage of a global IoT device. In its answers, numbers are strings."""
    wanted = call.document()
    begin, end = range_of(wanted)
    device_id = required(wanted, "deviceId", dict)
    device = device_of(call, device_id)
    records, more = page_of([] if device is None else usage_of(call.platform, device, begin, end), begin, end)
    history = [{**one, "bytesUsed": str(one["bytesUsed"]), "smsUsed": str(one["smsUsed"])} for one in records]
    return Answer(202 if more else 200, {"hasMoreData": more, "deviceId": device_id, "usageHistory": history})


def list_promo_usage(call: Call) -> Answer:
    """List the usage of a device in its promotion period."""
    wanted = call.document()
    begin = moment_of(wanted, "startTime") or call.platform.clock.now() - _KEPT
    end = moment_of(wanted, "endTime") or call.platform.clock.now()
    body: dict[str, Any] = {}
    records: Iterator[Record] = iter(())
    if device_ids := objects_of(wanted, "deviceId"):
        body["deviceId"] = device_ids[0]
        if (device := device_of(call, device_ids[0])) is not None:
            records = usage_of(call.platform, device, begin, end)
    found, more = page_of(records, begin, end)
    # These names are in lower case because the SDKs, the only source, spell them so.
    body |= {"hasmoredata": more, "usageHistory": [_promo(one) for one in found]}
    return Answer(202 if more else 200, body)


def _promo(record: dict[str, Any]) -> dict[str, Any]:
    sent, received = (int(pair["value"]) for pair in record["extendedAttributes"])
    return {
        "bytesUsed": record["bytesUsed"],
        "serviceplan": record["servicePlan"],
        "smsUsed": record["smsUsed"],
        "moSMS": sent,
        "mtSMS": received,
        "source": record["source"],
        "eventDateTime": record["timestamp"],
    }


# Totals, which arrive later


def aggregate_usage(call: Call) -> Answer:
    """Accept a request for the total usage of devices."""
    wanted = call.document()
    begin, end = range_of(wanted, "startTime", "endTime")
    if not begin <= end <= begin + _LONGEST or begin < call.platform.clock.now() - _OLDEST:
        reason = f"must start a period of at most {_LONGEST.days} days, at most {_OLDEST.days} days ago"
        raise unexpected(reason, at=(wanted, "startTime"))
    device_ids, labels = objects_of(wanted, "deviceIds"), objects_of(wanted, "label")
    if (device_ids and labels) or len(labels) > _MOST_LABELS:
        reason = f"is not allowed together with deviceIds, and may list at most {_MOST_LABELS} labels"
        raise unexpected(reason, at=(wanted, "label"))
    if (group_name := optional(wanted, "groupName", str)) is not None:
        if optional(wanted, "accountName", str) is None:
            raise refuse("UnifiedWebService.INPUT_INVALID.Account.NotDefined", "The account name is not defined.")
        find_group(call, account_of(call, wanted), group_name)
    return _accept(call, wanted, device_ids, "DeviceUsage", partial(_sum, call, begin, end))


def aggregate_daily_usage(call: Call) -> Answer:
    """Accept a request for the total usage of a global IoT device."""
    wanted = call.document()
    begin, end = range_of(wanted, "startTime", "endTime")
    total = partial(_sum, call, begin, end)
    return _accept(call, wanted, [required(wanted, "deviceId", dict)], "DeviceUsage", total)


def _sum(call: Call, begin: datetime, end: datetime, device: Device) -> dict[str, Any]:
    records = [record for _, record in usage_of(call.platform, device, begin, end)]
    # The list of each device's usage is documented, but not its members: these are the names of daily usage.
    usage = {name: sum(record[name] for record in records) for name in ("bytesUsed", "smsUsed")}
    return {"usageResponse": [{"deviceIds": device.device_ids, "servicePlan": device.service_plan, **usage}]}


def list_billed_usage(call: Call) -> Answer:
    """Accept a request for billed usage."""
    wanted = call.document()
    required(wanted, "accountName", str)
    named = objects_of(wanted, "deviceIds")
    labels = objects_of(optional(wanted, "labels", dict) or {}, "deviceIds")
    if named and labels:
        raise unexpected("is not allowed together with deviceIds", at=(wanted, "labels"))
    check_count([*named, *labels], _MOST_BILLED)
    return _accept(call, wanted, [one for each in named for one in objects_of(each, "deviceIds")], "DeviceService")


def aggregate_promo_usage(call: Call) -> Answer:
    """Accept a request for the total usage of devices in the promotion period."""
    wanted = call.document()
    if (account_name := optional(wanted, "accountId", str)) is not None:
        call.check_account(account_name)
    return _accept(call, {"accountName": account_name}, objects_of(wanted, "deviceId"), "DevicePromoUsage")


def _accept(
    call: Call,
    wanted: Mapping[str, Any],
    device_ids: list[dict[str, Any]],
    service: str,
    response: Callable[[Device], object] = lambda _: None,
) -> Answer:
    given = optional(wanted, "accountName", str)
    account_name = None if given is None and device_ids else account_of(call, wanted)
    chosen = [named_device(call, [device_id]) for device_id in device_ids]

    def carry_out(one: Chosen) -> object:
        return response(one.existing(given))

    work = [Work(one.device_ids, partial(carry_out, one)) for one in chosen]
    return Answer(200, {"requestId": call.platform.accept(work, account_name=account_name, service=service)})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    LIST: list_usage,
    AGGREGATE: aggregate_usage,
    BILLED: list_billed_usage,
    GLOBAL_DAILY: list_daily_usage,
    GLOBAL_AGGREGATE: aggregate_daily_usage,
    PROMO: list_promo_usage,
    PROMO_AGGREGATE: aggregate_promo_usage,
}
