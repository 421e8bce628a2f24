"""Calls for the inventory of devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import aclosing
from typing import Final, TypeVar, Unpack

import attrs
import orjson

from thingspace_async._core import tasks
from thingspace_async._core.codec import Mismatch, load
from thingspace_async._core.namespace import Namespace, as_number
from thingspace_async._core.operation import Operation, request_of
from thingspace_async._core.refusals import retyped
from thingspace_async._core.types import Accepted, DeviceId, Identified, to_device_id
from thingspace_async.devices.inventory.many import FoundDevice
from thingspace_async.devices.inventory.models import (
    AccountDeviceListRequest,
    AccountDeviceListResult,
    AddDevicesOutcome,
    AddDevicesRequest,
    AddDevicesResult,
    ContactInfoUpdateRequest,
    CustomFieldsUpdateRequest,
    DeleteDevicesOutcome,
    DeleteDevicesRequest,
    DeleteDevicesResult,
    Device,
    DeviceCostCenterRequest,
    DeviceExtendedDiagnosticsRequest,
    DeviceExtendedDiagnosticsResult,
    DeviceListFilters,
    DeviceMismatchListRequest,
    DeviceMismatchListResult,
    DevicePrlListRequest,
    GlobalDeviceListRequest,
    SentDeleteDevicesResult,
)
from thingspace_async.errors import AnswerUnreadable, BadRequest, CallError, InvalidRequest, NotFound, Unauthorized

__all__ = ["OPERATIONS", "Inventory"]

_ADVICE: Final = "; for an account write account_name='…'"

Result = TypeVar("Result", AddDevicesResult, DeleteDevicesResult)

LIST: Final = Operation(
    "devices.list",
    "POST",
    "/m2m/v1/devices/actions/list",
    AccountDeviceListRequest,
    AccountDeviceListResult,
    repeatable=True,
)

ADD: Final = Operation(
    "devices.add", "POST", "/m2m/v1/devices/actions/add", AddDevicesRequest, tuple[AddDevicesResult, ...]
)
DELETE: Final = Operation(
    "devices.delete",
    "POST",
    "/m2m/v1/devices/actions/delete",
    DeleteDevicesRequest,
    tuple[SentDeleteDevicesResult, ...],
)
MISMATCHED: Final = Operation(
    "devices.mismatched",
    "POST",
    "/m2m/v1/devices/actions/list/imeiiccidmismatch",
    DeviceMismatchListRequest,
    DeviceMismatchListResult,
    repeatable=True,
)
PRL_VERSIONS: Final = Operation(
    "devices.prl_versions", "POST", "/m2m/v1/devices/prl/actions/list", DevicePrlListRequest, Accepted
)
EXTENDED_DIAGNOSTICS: Final = Operation(
    "devices.extended_diagnostics",
    "POST",
    "/m2m/v1/devices/extendeddiagnostics/actions/list",
    DeviceExtendedDiagnosticsRequest,
    DeviceExtendedDiagnosticsResult,
    repeatable=True,
)
REQUEST_GLOBAL_LIST: Final = Operation(
    "devices.request_global_list", "POST", "/m2m/v2/devices/actions/list", GlobalDeviceListRequest, Accepted
)
UPDATE_CUSTOM_FIELDS: Final = Operation(
    "devices.update_custom_fields",
    "PUT",
    "/m2m/v1/devices/actions/customFields",
    CustomFieldsUpdateRequest,
    Accepted,
)
UPDATE_CONTACT_INFORMATION: Final = Operation(
    "devices.update_contact_information",
    "PUT",
    "/m2m/v1/devices/actions/contactInfo",
    ContactInfoUpdateRequest,
    Accepted,
)
UPDATE_COST_CENTER: Final = Operation(
    "devices.update_cost_center", "PUT", "/m2m/v1/devices/costCenter", DeviceCostCenterRequest, Accepted
)

OPERATIONS: Final = (
    LIST,
    ADD,
    DELETE,
    MISMATCHED,
    PRL_VERSIONS,
    EXTENDED_DIAGNOSTICS,
    REQUEST_GLOBAL_LIST,
    UPDATE_CUSTOM_FIELDS,
    UPDATE_CONTACT_INFORMATION,
    UPDATE_COST_CENTER,
)


class Inventory(Namespace):
    """Inventory: list, find, add and delete devices, and write custom fields, contacts and cost centers on them."""

    async def list_page(
        self, request: AccountDeviceListRequest | None = None, **filters: Unpack[DeviceListFilters]
    ) -> AccountDeviceListResult:
        """Read one page of at most 2,000 devices that match a request, or filters given as keywords.

        If the page has `has_more_data`, request the next page with `largest_device_id_seen` set to the extended
        attribute `DeviceId` of the last device, as `list` does.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        reply = await self._reply(LIST, request_of(LIST, request, filters, _ADVICE))
        if reply.value.has_more_data is None:
            # The platform reports more pages in the body and as status 202 (same page).
            return attrs.evolve(reply.value, has_more_data=reply.status == 202)
        return reply.value

    def list(
        self, request: AccountDeviceListRequest | None = None, **filters: Unpack[DeviceListFilters]
    ) -> AsyncGenerator[Device]:
        """Walk all matching devices, sorted by the platform's own number, and fetch one page ahead.

        Pass the filters as keywords, such as `account_name` and `current_state`, or as a request. Without an account
        name, the walk returns the devices of all accounts that the user may see.
        `max_number_of_devices` sets the page size, at most 2,000. The walk starts after `largest_device_id_seen`.
        Raises AnswerUnreadable if there are more devices but the answer does not say how to request them.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        wanted = request_of(LIST, request, filters, _ADVICE)
        start = wanted.largest_device_id_seen or 0
        return self._walk(
            LIST,
            fetch=lambda seen: self.list_page(
                attrs.evolve(wanted, largest_device_id_seen=start if seen is None else seen)
            ),
            following=lambda page: _last_number(page) if page.has_more_data else None,
            items=lambda page: page.devices,
        )

    async def get(self, device: DeviceId | Identified, *, account_name: str | None = None) -> Device:
        """Read one device by an identifier, or read a Device again.

        Raises NotFound if the user cannot see the device.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        identifier = to_device_id(device)
        if not isinstance(identifier, DeviceId):  # With None the platform would return an arbitrary device.
            raise InvalidRequest(f"devices.get: pass a DeviceId such as DeviceId.imei('…'), not {_kind(device)}")
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
                f"the platform returned {len(page.devices)} devices for one identifier: use devices.list to read them",
                operation=LIST.name,
                path="devices",
            )
        raise NotFound(
            f"no device with {identifier.kind} {identifier.id}: the platform returned an empty list",
            operation=LIST.name,
            status=200,
        )

    async def get_many(
        self,
        devices: Iterable[DeviceId | Identified] | AsyncIterable[DeviceId | Identified],
        *,
        account_name: str | None = None,
        concurrency: int = 10,
    ) -> AsyncGenerator[FoundDevice]:
        """Read any number of devices, `concurrency` at once, and yield each one as it arrives, in any order.

        A device that cannot be read is yielded with its `error`. A refused login ends the iteration. If most devices of
        an account are wanted, `list` needs fewer requests.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
            raise InvalidRequest(
                f"devices.get_many: concurrency must be a whole number of 1 or more, not {concurrency!r}"
            )

        async def read(asked: DeviceId | Identified) -> FoundDevice:
            try:
                return FoundDevice(asked=asked, device=await self.get(asked, account_name=account_name))
            except Unauthorized:
                raise
            except CallError as error:
                return FoundDevice(asked=asked, error=error.with_traceback(None))

        async with aclosing(tasks.each_of(devices, read, at_once=concurrency)) as found:
            async for one in found:
                yield one

    async def add(self, request: AddDevicesRequest) -> AddDevicesOutcome:
        """Add devices to an account without a line of service.

        The devices must be in Verizon's device database. The platform's page allows 200 devices per request; the client
        does not check this. Activations do not need this call, because they can add devices too.
        Devices that could not be added raise no error: read `failed` of the outcome.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/add-devices.html
        """
        results = await self._send(ADD, request)
        succeeded, failed = _apart(results)
        return AddDevicesOutcome(succeeded=succeeded, failed=failed)

    async def delete(self, request: DeleteDevicesRequest) -> DeleteDevicesOutcome:
        """Delete up to 100 deactivated devices with all their history, so that SIM and hardware can be used again.

        Read the history that you still need first: the platform keeps none. Devices that could not be deleted, for
        example because they are not deactivated, raise no error: read `failed` of the outcome.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Delete_Devices/
        """
        sent = await self._send(DELETE, request)
        succeeded, failed = _apart([_deletion(place, one) for place, one in enumerate(sent)])
        return DeleteDevicesOutcome(succeeded=succeeded, failed=failed)

    async def mismatched(self, request: DeviceMismatchListRequest) -> DeviceMismatchListResult:
        """Find 4G devices whose SIM was activated in other hardware than Verizon's device database expects.

        The platform's page allows a span of three months. A SIM that was in several devices has a record for each.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/find-mismatched-hardware.html
        """
        return await self._send(MISMATCHED, request)

    async def prl_versions(self, request: DevicePrlListRequest) -> Accepted:
        """Request the versions of the Preferred Roaming Lists of up to 10,000 devices; 4G devices have none.

        Each device's result arrives later on DevicePRLInformation. Register a callback listener for it first.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-prl-information.html
        """
        return await self._send(PRL_VERSIONS, request)

    async def extended_diagnostics(self, request: DeviceExtendedDiagnosticsRequest) -> DeviceExtendedDiagnosticsResult:
        """Read the platform's data on one device's connection, provisioning, billing and location.

        Raises BadRequest with the short code `REQUEST_FAILED.DeviceNotFound` if the user cannot see the device.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Device_Extended_Diagnostic_Information/
        """
        return await self._send(EXTENDED_DIAGNOSTICS, request)

    async def request_global_list(self, request: GlobalDeviceListRequest) -> Accepted:
        """Request a list of an account's devices of all carriers, with the profiles of their eUICCs.

        The list arrives later on DeviceProfileService. Register a callback listener for it first. `list` returns
        devices at once, but without profiles.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/get-device-list/
        """
        return await self._send(REQUEST_GLOBAL_LIST, request)

    async def update_custom_fields(self, request: CustomFieldsUpdateRequest) -> Accepted:
        """Write custom fields on up to 10,000 devices, or on all matching devices of an account.

        A value may have 50 characters. Each device's result arrives later on CarrierService.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/change-device-custom-fields.html
        """
        return await self._send(UPDATE_CUSTOM_FIELDS, request)

    async def update_contact_information(self, request: ContactInfoUpdateRequest) -> Accepted:
        """Replace the name and address of the person who uses the devices, for up to 10,000 devices.

        Each device's result arrives later on CarrierService. For 5G Business Internet, the platform checks the address.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/change-device-contact-information.html
        """
        return await self._send(UPDATE_CONTACT_INFORMATION, request)

    async def update_cost_center(self, request: DeviceCostCenterRequest) -> Accepted:
        """Change or remove the cost center code of up to 10,000 devices, or of all matching devices of an account.

        Each device's result arrives later on CarrierService.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/change-device-cost-center.html
        """
        return await self._send(UPDATE_COST_CENTER, request)


def _apart(results: Sequence[Result]) -> tuple[tuple[Result, ...], tuple[Result, ...]]:
    """Separate the results that succeeded from all others."""
    return tuple(one for one in results if one.succeeded), tuple(one for one in results if not one.succeeded)


def _deletion(place: int, sent: SentDeleteDevicesResult) -> DeleteDevicesResult:
    """Read the result of one device. The documents show a list of identifiers, and also a single identifier."""
    listed = [sent.device_ids] if isinstance(sent.device_ids, dict) else sent.device_ids
    try:
        device_ids = () if listed is None else load(orjson.dumps(listed), tuple[DeviceId, ...])
    except Mismatch as mismatch:
        raise AnswerUnreadable(
            mismatch.message, operation=DELETE.name, path=f"[{place}].deviceIds{mismatch.path or ''}"
        ) from None
    return DeleteDevicesResult(device_ids=device_ids, status=sent.status, message=sent.message)


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _last_number(page: AccountDeviceListResult) -> int:
    """Return the platform's number of a page's last device. The next page starts after it.

    The number is an extended attribute. The reference page promises extended attributes for single devices only, so the
    number may be missing (PROTOCOL.md 4.3).
    """
    if not page.devices:
        raise _no_next_page("the page is empty", "devices")
    number = as_number(page.devices[-1].extended_attribute("DeviceId"))
    if number is None:
        last = len(page.devices) - 1
        raise _no_next_page("its attribute DeviceId is missing or not a number", f"devices[{last}].extendedAttributes")
    return number


def _no_next_page(reason: str, path: str) -> AnswerUnreadable:
    return AnswerUnreadable(
        f"there are more devices, but {reason}, so the next page cannot be requested: "
        "narrow the filter until one page holds all, or call list_page for spans of `earliest` and `latest`",
        operation=LIST.name,
        path=path,
    )
