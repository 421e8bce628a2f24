"""Calls that change the service of devices."""

from __future__ import annotations

from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.devices.lifecycle.models import (
    ActivateRequest,
    AvailabilityRequest,
    ChangeDeviceIdRequest,
    CheckOrderStatusRequest,
    DeactivateRequest,
    DeviceUploadRequest,
    GoToStateRequest,
    MoveDeviceRequest,
    RestoreRequest,
    ServicePlanUpdateRequest,
    SuspendRequest,
    SuspensionStatusRequest,
    UploadAndActivateRequest,
)

__all__ = ["OPERATIONS", "Lifecycle"]

ACTIVATE: Final = Operation("devices.activate", "POST", "/m2m/v1/devices/actions/activate", ActivateRequest, Accepted)
DEACTIVATE: Final = Operation(
    "devices.deactivate", "POST", "/m2m/v1/devices/actions/deactivate", DeactivateRequest, Accepted
)
SUSPEND: Final = Operation("devices.suspend", "POST", "/m2m/v1/devices/actions/suspend", SuspendRequest, Accepted)
RESTORE: Final = Operation("devices.restore", "POST", "/m2m/v1/devices/actions/restore", RestoreRequest, Accepted)
CHANGE_PLAN: Final = Operation(
    "devices.change_plan", "PUT", "/m2m/v1/devices/actions/plan", ServicePlanUpdateRequest, Accepted
)
CHANGE_IDENTIFIER: Final = Operation(
    "devices.change_identifier",
    "PUT",
    "/m2m/v1/devices/{service_type}/actions/deviceId",
    ChangeDeviceIdRequest,
    Accepted,
)
GO_TO_STATE: Final = Operation(
    "devices.go_to_state", "PUT", "/m2m/v1/devices/actions/gotostate", GoToStateRequest, Accepted
)
MOVE: Final = Operation("devices.move", "PUT", "/m2m/v1/devices/actions/move", MoveDeviceRequest, Accepted)
UPLOAD: Final = Operation("devices.upload", "POST", "/m2m/v1/devices/actions/upload", DeviceUploadRequest, Accepted)
UPLOAD_AND_ACTIVATE: Final = Operation(
    "devices.upload_and_activate",
    "POST",
    "/m2m/v1/devices/actions/uploadactivate",
    UploadAndActivateRequest,
    Accepted,
)
ORDER_STATUS: Final = Operation(
    "devices.order_status",
    "POST",
    "/m2m/v1/devices/requests/status",
    CheckOrderStatusRequest,
    Accepted,
)
CHECK_AVAILABILITY: Final = Operation(
    "devices.check_availability",
    "POST",
    "/m2m/v1/devices/availability/actions/list",
    AvailabilityRequest,
    Accepted,
)
SUSPENSION_STATUS: Final = Operation(
    "devices.suspension_status",
    "POST",
    "/m2m/v1/devices/suspension/status",
    SuspensionStatusRequest,
    Accepted,
)

OPERATIONS: Final = (
    ACTIVATE,
    DEACTIVATE,
    SUSPEND,
    RESTORE,
    CHANGE_PLAN,
    CHANGE_IDENTIFIER,
    GO_TO_STATE,
    MOVE,
    UPLOAD,
    UPLOAD_AND_ACTIVATE,
    ORDER_STATUS,
    CHECK_AVAILABILITY,
    SUSPENSION_STATUS,
)


class Lifecycle(Namespace):
    """Device service: activate, deactivate, suspend and restore devices, and change their plan, hardware or account.

    All calls raise BadRequest if the platform rejects the request as a whole: read its `short_code`. The platform
    reports failures of single devices in their callbacks. Most accounts allow a total of five activations, suspensions,
    restorations and deactivations per line per day.
    """

    async def activate(self, request: ActivateRequest) -> Accepted:
        """Put up to 10,000 devices into service, and add them to the account if needed.

        Each device's result arrives later on CarrierService. The platform accepts 100 of these requests per minute. A
        device whose activation failed may stay in the account as `deactive`. For 5G Business Internet, give each device
        its address: `devices_at_addresses`.
        Raises BadRequest with the short code `REQUEST_FAILED.<plan>.NotFound` if the service plan does not exist.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Activate_Devices/
        """
        return await self._send(ACTIVATE, request)

    async def deactivate(self, request: DeactivateRequest) -> Accepted:
        """End the service of up to 10,000 devices.

        Each device's result arrives later on CarrierService. The contract may charge an early termination fee. The
        platform keeps the phone number for 50 days, but a device that is activated again gets a new one.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/deactivate-devices.html
        """
        return await self._send(DEACTIVATE, request)

    async def suspend(self, request: SuspendRequest) -> Accepted:
        """Suspend the service of up to 10,000 active devices.

        Each device's result arrives later on CarrierService. A device may be suspended for at most 90 consecutive days,
        and 180 days per year. Then the platform activates it again, and announces this 7 days ahead on
        ResumeTrackingNotification.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Suspend_Devices/
        """
        return await self._send(SUSPEND, request)

    async def restore(self, request: RestoreRequest) -> Accepted:
        """Restore the service of up to 10,000 suspended devices.

        Each device's result arrives later on CarrierService.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/restore-devices.html
        """
        return await self._send(RESTORE, request)

    async def change_plan(self, request: ServicePlanUpdateRequest) -> Accepted:
        """Change the service plan of up to 10,000 active devices.

        Each device's result arrives later on CarrierService. The plan of a device can be changed four times per month,
        and never while the device is suspended. For a plan of 5G Business Internet, give each device its address:
        `devices_at_addresses`. The platform checks each address.
        Raises BadRequest with the short code `REQUEST_FAILED.<plan>.NotFound` if the service plan does not exist.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Service_Plan/
        """
        return await self._send(CHANGE_PLAN, request)

    async def change_identifier(self, service_type: str, request: ChangeDeviceIdRequest) -> Accepted:
        """Move the line of one active device to new hardware or a new SIM, or give it a new phone number.

        `service_type` is `3G` or `4G`. The result arrives later on CarrierService. The new hardware must be new to the
        platform: if it belonged to a deactivated device, delete that device first. Afterwards, the old identifier finds
        no history.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Identifier/
        """
        return await self._send(CHANGE_IDENTIFIER, request, path={"service_type": service_type})

    async def go_to_state(self, request: GoToStateRequest) -> Accepted:
        """Put up to 10,000 devices into a custom state of the account.

        Each device's result arrives later on StateService. Devices that are in another state than the first device
        fail. Not all accounts have this call.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Go_To_State/
        """
        return await self._send(GO_TO_STATE, request)

    async def move(self, request: MoveDeviceRequest) -> Accepted:
        """Move up to 10,000 active devices from one account to another of the same customer.

        Each device's result arrives later on CarrierService. Devices that are in another account than the first device
        fail. Earlier history stays with the old account. Not all accounts have this call.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Move_Devices/
        """
        return await self._send(MOVE, request)

    async def upload(self, request: DeviceUploadRequest) -> Accepted:
        """Register up to 10,000 newly manufactured devices with Verizon, for manufacturers.

        The result arrives later on DeviceService, and by e-mail. Then wait five minutes before you activate the
        devices.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Upload_Devices/
        """
        return await self._send(UPLOAD, request)

    async def upload_and_activate(self, request: UploadAndActivateRequest) -> Accepted:
        """Register up to 10,000 newly manufactured devices with Verizon and put them into service.

        The result of the upload arrives later on DeviceService. The result of each activation follows on
        CarrierService.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Upload_Activate/
        """
        return await self._send(UPLOAD_AND_ACTIVATE, request)

    async def order_status(self, request: CheckOrderStatusRequest) -> Accepted:
        """Request the status of one device's activation order; the answer arrives later on DeviceService.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Check_Order_Status/
        """
        return await self._send(ORDER_STATUS, request)

    async def check_availability(self, request: AvailabilityRequest) -> Accepted:
        """Check whether up to 10,000 devices can be activated: Verizon knows them, and they have no line yet.

        Each device's answer arrives later on DeviceService.
        https://thingspace.verizon.com/resources/documentation/connectivity/Getting_Started/Best_Practices_for_Activation/
        """
        return await self._send(CHECK_AVAILABILITY, request)

    async def suspension_status(self, request: SuspensionStatusRequest) -> Accepted:
        """Request when each device was suspended, and how many days of suspension it has left.

        Each device's answer arrives later on DeviceSuspensionStatus. Not all accounts have this call.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_Device_Suspension_Status/
        """
        return await self._send(SUSPENSION_STATUS, request)
