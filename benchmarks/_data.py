"""Answers for the benchmarks, of realistic size and with every documented field."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import orjson

from thingspace_async._core.faults import has_wrong_check_digit

__all__ = ["ACCOUNT_NAME", "PAGE_SIZE", "account", "device", "page", "year_of_usage"]

ACCOUNT_NAME = "0000123456-00001"
PAGE_SIZE = 2000
"""The platform's maximum number of devices per page."""

_ATTRIBUTES = (
    "PrimaryPlaceOfUseTitle",
    "PrimaryPlaceOfUseFirstName",
    "PrimaryPlaceOfUseLastName",
    "PrimaryPlaceOfUseAddress1",
    "PrimaryPlaceOfUseCity",
    "PrimaryPlaceOfUseState",
    "PrimaryPlaceOfUseCountry",
    "PrimaryPlaceOfUseZipCode",
    "AccountNumber",
    "SmsrOid",
    "ProfileStatus",
    "SkuNumber",
    "CostCenterCode",
    "DeviceModel",
)


def _imei(number: int) -> str:
    """Return an IMEI with its check digit, because a wrong one would cost the peers a warning each."""
    digits = f"{35_000_000_000_000 + number}"
    return next(f"{digits}{last}" for last in range(10) if not has_wrong_check_digit(f"{digits}{last}"))


def device(number: int) -> dict[str, Any]:
    """Return a device as the platform sends it, with 15 extended attributes. The last one is DeviceId."""
    attributes = [{"key": key, "value": f"{key[:6]} {number % 97}"} for key in _ATTRIBUTES]
    return {
        "accountName": ACCOUNT_NAME,
        "billingCycleEndDate": "2026-01-31T08:00:00-05:00",
        "carrierInformations": [{"carrierName": "Verizon Wireless", "servicePlan": "M2M5GB", "state": "active"}],
        "connected": number % 2 == 0,
        "createdAt": "2024-08-08T17:03:09.247-05:00",
        "customFields": [{"key": f"CustomField{n}", "value": f"depot {number % 31}"} for n in range(1, 6)],
        "deviceIds": [
            {"id": _imei(number), "kind": "imei"},
            {"id": f"{89_148_000_000_000_000_000 + number}", "kind": "iccId"},
            {"id": f"{5_550_000_000 + number}", "kind": "mdn"},
            {"id": f"{15_550_000_000 + number}", "kind": "msisdn"},
        ],
        "extendedAttributes": [*attributes, {"key": "DeviceId", "value": f"{number:010}"}],
        "groupNames": ["Default: 0000123456-00001", "Lorries"],
        "ipAddress": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "lastActivationBy": "Joe Q Public",
        "lastActivationDate": "2024-08-08T18:03:09.247-05:00",
        "lastConnectionDate": "2026-01-07T06:42:20-05:00",
    }


def page(last: int, *, more: bool = False) -> bytes:
    """Return a page of devices as bytes. Its last device has the given number."""
    devices = [device(number) for number in range(last - PAGE_SIZE + 1, last + 1)]
    return orjson.dumps({"hasMoreData": more, "devices": devices})


def account() -> bytes:
    """Return an account as bytes, with four plans and two IP pools."""
    plans = [
        {
            "carrierServicePlanCode": f"8433{n}",
            "code": f"M2M_{n}GB_PLAN",
            "extendedAttributes": [{"key": "PlanType", "value": "Data"}],
            "name": f"M2M National {n} GB",
            "sizeKb": n * 1_048_576,
        }
        for n in (1, 2, 5, 10)
    ]
    pools = [
        {"poolName": "Pool East", "poolType": "Static IP", "isDefaultPool": True},
        {"poolName": "Pool West", "poolType": "Dynamic IP", "isDefaultPool": False},
    ]
    return orjson.dumps(
        {
            "accountName": ACCOUNT_NAME,
            "accountNumber": "0000123456-00001",
            "organizationName": "Lorries & Sons Haulage",
            "isProvisioningAllowed": True,
            "carriers": ["Verizon Wireless"],
            "features": ["NonGeoRatePlans", "DeviceDiagnostics", "SMS"],
            "iPPools": pools,
            "servicePlans": plans,
        }
    )


def year_of_usage() -> bytes:
    """Return a device's daily usage of a year as bytes, in one page."""
    first = date(2025, 1, 1)
    days = [
        {
            "bytesUsed": 4_096_000 + 1_713 * day,
            "extendedAttributes": [{"key": "MoSms", "value": f"{day % 5}"}, {"key": "MtSms", "value": "0"}],
            "servicePlan": "M2M5GB",
            "smsUsed": day % 5,
            "source": "Raw Usage",
            "timestamp": f"{first + timedelta(days=day)}T00:00:00Z",
        }
        for day in range(365)
    ]
    return orjson.dumps({"hasMoreData": False, "usageHistory": days})
