"""Calls about devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final, TypeVar

import attrs
import orjson

from thingspace_async._codec import Mismatch, load
from thingspace_async._namespace import Namespace, as_number
from thingspace_async._operation import Operation, check_request
from thingspace_async._types import Accepted, DeviceId
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
    DeviceMismatchListRequest,
    DeviceMismatchListResult,
    DevicePrlListRequest,
    GlobalDeviceListRequest,
    SentDeleteDevicesResult,
)
from thingspace_async.errors import AnswerUnreadable, BadRequest, InvalidRequest, NotFound, retyped

__all__ = ["OPERATIONS", "Inventory"]

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
    """Which devices there are."""

    async def list_page(self, request: AccountDeviceListRequest) -> AccountDeviceListResult:
        """Read one page of the devices that match, at most 2,000.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
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
        check_request(LIST, wanted, "; for an account write account_name='…'")
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

    async def add(self, request: AddDevicesRequest) -> AddDevicesOutcome:
        """Add devices to an account without a line of service.

        The platform's page allows 200 devices a request, which is left for the platform to refuse. They have to be in
        Verizon's device database. Not needed before an activation, which can add them by itself. Those that were not
        added are in the answer, and no error is raised for them.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/add-devices.html
        """
        results = await self._send(ADD, request)
        succeeded, failed = _apart(results)
        return AddDevicesOutcome(succeeded=succeeded, failed=failed)

    async def delete(self, request: DeleteDevicesRequest) -> DeleteDevicesOutcome:
        """Delete up to 100 deactivated devices with all their history, so that SIM and hardware can be used again.

        Those that were not deleted, such as one that is not deactivated, are in the answer, and no error is raised for
        them. Read the history that you still need before: the platform keeps none.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Delete_Devices/
        """
        sent = await self._send(DELETE, request)
        succeeded, failed = _apart([_deletion(place, one) for place, one in enumerate(sent)])
        return DeleteDevicesOutcome(succeeded=succeeded, failed=failed)

    async def mismatched(self, request: DeviceMismatchListRequest) -> DeviceMismatchListResult:
        """Find 4G devices whose SIM was activated in other hardware than Verizon's device database expects.

        The platform's page allows a span of three months. A SIM that was in several devices is reported for each.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/find-mismatched-hardware.html
        """
        return await self._send(MISMATCHED, request)

    async def prl_versions(self, request: DevicePrlListRequest) -> Accepted:
        """Ask for the versions of the Preferred Roaming Lists of up to 10,000 devices; 4G devices have none.

        Each device's result arrives later on DevicePRLInformation, for which a listener has to be registered.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-prl-information.html
        """
        return await self._send(PRL_VERSIONS, request)

    async def extended_diagnostics(self, request: DeviceExtendedDiagnosticsRequest) -> DeviceExtendedDiagnosticsResult:
        """Read what the platform knows of one device's connection, provisioning, billing and place.

        Raises BadRequest with the short code `REQUEST_FAILED.DeviceNotFound` for a device that the user cannot see.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Device_Extended_Diagnostic_Information/
        """
        return await self._send(EXTENDED_DIAGNOSTICS, request)

    async def request_global_list(self, request: GlobalDeviceListRequest) -> Accepted:
        """Ask for the devices of an account with the profiles of their eUICCs, of all carriers.

        The list arrives later on DeviceProfileService, for which a listener has to be registered; `list` answers at
        once and knows no profiles.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/get-device-list/
        """
        return await self._send(REQUEST_GLOBAL_LIST, request)

    async def update_custom_fields(self, request: CustomFieldsUpdateRequest) -> Accepted:
        """Write custom fields on up to 10,000 devices, or on all of an account that match.

        A value has 50 characters at most. Each device's result arrives later on CarrierService.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/change-device-custom-fields.html
        """
        return await self._send(UPDATE_CUSTOM_FIELDS, request)

    async def update_contact_information(self, request: ContactInfoUpdateRequest) -> Accepted:
        """Replace name and address of those who use up to 10,000 devices.

        Each device's result arrives later on CarrierService. With 5G Business Internet, the new address is checked.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/change-device-contact-information.html
        """
        return await self._send(UPDATE_CONTACT_INFORMATION, request)

    async def update_cost_center(self, request: DeviceCostCenterRequest) -> Accepted:
        """Change or remove the cost center code of up to 10,000 devices, or of all of an account that match.

        Each device's result arrives later on CarrierService.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/change-device-cost-center.html
        """
        return await self._send(UPDATE_COST_CENTER, request)


def _apart(results: Sequence[Result]) -> tuple[tuple[Result, ...], tuple[Result, ...]]:
    """Separate what succeeded from all the rest."""
    return tuple(one for one in results if one.succeeded), tuple(one for one in results if not one.succeeded)


def _deletion(place: int, sent: SentDeleteDevicesResult) -> DeleteDevicesResult:
    """Read what became of a device; the documents have a list of identifiers, and also one by itself."""
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
