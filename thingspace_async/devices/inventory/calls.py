"""Calls about devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import attrs

from thingspace_async._namespace import Namespace, as_number
from thingspace_async._operation import Operation
from thingspace_async._types import DeviceId
from thingspace_async.devices.inventory.models import AccountDeviceListRequest, AccountDeviceListResult, Device
from thingspace_async.errors import AnswerUnreadable, BadRequest, InvalidRequest, NotFound, retyped

__all__ = ["OPERATIONS", "Inventory"]

LIST: Final = Operation(
    "devices.list",
    "POST",
    "/m2m/v1/devices/actions/list",
    AccountDeviceListRequest,
    AccountDeviceListResult,
    repeatable=True,
)

OPERATIONS: Final = (LIST,)


class Inventory(Namespace):
    """Which devices there are."""

    async def list_page(self, request: AccountDeviceListRequest) -> AccountDeviceListResult:
        """Read one page of the devices that match, at most 2,000.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        _check_request(request, "AccountDeviceListRequest() asks for everything")
        reply = await self._reply(LIST, request)
        if reply.value.has_more_data is None:
            # The platform says it twice, in the body and as status 202 (same page).
            return attrs.evolve(reply.value, has_more_data=reply.status == 202)
        return reply.value

    def list(
        self, request: AccountDeviceListRequest | None = None, *, account_name: str | None = None
    ) -> AsyncGenerator[Device]:
        """Walk all devices that match, sorted by the platform's own number, a page ahead of the caller.

        Without an account name, of every account that the user may see; `account_name` goes before the request's.
        The page size is `max_number_of_devices`, at most 2,000; the walk begins behind `largest_device_id_seen`.
        Raises AnswerUnreadable where the platform promises more devices and does not say how to get them.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        wanted = AccountDeviceListRequest() if request is None else request
        _check_request(wanted, "for an account write account_name='…'")
        if account_name is not None:
            wanted = attrs.evolve(wanted, account_name=account_name)
        start = wanted.largest_device_id_seen or 0
        return self._walk(
            LIST,
            fetch=lambda seen: self.list_page(
                attrs.evolve(wanted, largest_device_id_seen=start if seen is None else seen)
            ),
            following=lambda page: _last_number(page) if page.has_more_data else None,
            items=lambda page: page.devices,
        )

    async def get(self, identifier: DeviceId, *, account_name: str | None = None) -> Device:
        """Read one device.

        Raises NotFound for a device that the user cannot see.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        if not isinstance(identifier, DeviceId):  # None would ask for any device, and get somebody's.
            raise InvalidRequest(f"devices.get: give DeviceId.imei('…') or another DeviceId, not {_kind(identifier)}")
        asked = AccountDeviceListRequest(account_name=account_name, device_id=identifier)
        try:
            page = await self.list_page(asked)
        except BadRequest as refusal:
            if refusal.short_code != "REQUEST_FAILED.DeviceNotFound":
                raise
            message = f"no device with {identifier.kind} {identifier.id}: {refusal.message}"
            raise retyped(refusal, NotFound, message) from None
        if len(page.devices) == 1:
            return page.devices[0]
        if page.devices:
            raise AnswerUnreadable(
                f"{len(page.devices)} devices for one identifier; walk them with list()",
                operation=LIST.name,
                path="devices",
            )
        raise NotFound(
            f"no device with {identifier.kind} {identifier.id}: the platform answered with an empty list",
            operation=LIST.name,
            status=200,
        )


def _check_request(request: object, advice: str) -> None:
    if not isinstance(request, AccountDeviceListRequest):
        raise InvalidRequest(f"{LIST.name}: give an AccountDeviceListRequest, not {_kind(request)}; {advice}")


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _last_number(page: AccountDeviceListResult) -> int:
    """Return the platform's number of a page's last device, behind which the next page begins.

    It stands among the extended attributes, which the reference page promises only for single devices, so that its
    absence has to be expected (protocol.md 4.3).
    """
    if not page.devices:
        raise _no_way_on("the page is empty", "devices")
    number = as_number(page.devices[-1].extended_attribute("DeviceId"))
    if number is None:
        last = len(page.devices) - 1
        raise _no_way_on("its attribute DeviceId is missing or no number", f"devices[{last}].extendedAttributes")
    return number


def _no_way_on(reason: str, path: str) -> AnswerUnreadable:
    return AnswerUnreadable(
        f"more devices are promised, but {reason}, so the following page cannot be asked for: "
        "narrow the filter until one page holds all, or ask list_page for spans of `earliest` and `latest`",
        operation=LIST.name,
        path=path,
    )
