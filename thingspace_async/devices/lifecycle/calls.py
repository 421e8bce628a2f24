"""Calls that change the service of devices."""

from __future__ import annotations

from typing import Final

from thingspace_async._namespace import Namespace
from thingspace_async._operation import Operation
from thingspace_async._types import Accepted
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
    """The service of devices: begin and end it, suspend and restore it, change what it consists of."""

    async def activate(self, request: ActivateRequest) -> Accepted:
        """Put up to 10,000 devices into service, adding to the account those that are not in it yet.

        Each device's result arrives later on CarrierService. The platform takes 100 such requests a minute, and most
        accounts allow five activations, suspensions, restorations and deactivations a line and day. A device whose
        activation failed may be left in the account as `deactive`.
        Raises BadRequest, such as with the short code `REQUEST_FAILED.<plan>.NotFound`.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Activate_Devices/
        """
        return await self._send(ACTIVATE, request)

    async def deactivate(self, request: DeactivateRequest) -> Accepted:
        """End the service of up to 10,000 devices.

        Each device's result arrives later on CarrierService. The contract may ask an early termination fee. The number
        is kept for 50 days, but a device that is activated again gets a new one. Most accounts allow five activations,
        suspensions, restorations and deactivations a line and day. Raises BadRequest.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/deactivate-devices.html
        """
        return await self._send(DEACTIVATE, request)

    async def suspend(self, request: SuspendRequest) -> Accepted:
        """Suspend the service of up to 10,000 active devices.

        Each device's result arrives later on CarrierService. A suspension lasts 90 days at most, and 180 days in a
        year; then the device becomes active by itself, which ResumeTrackingNotification tells 7 days before. Most
        accounts allow five activations, suspensions, restorations and deactivations a line and day. Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Suspend_Devices/
        """
        return await self._send(SUSPEND, request)

    async def restore(self, request: RestoreRequest) -> Accepted:
        """Restore the service of up to 10,000 suspended devices.

        Each device's result arrives later on CarrierService. Most accounts allow five activations, suspensions,
        restorations and deactivations a line and day. Raises BadRequest.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/restore-devices.html
        """
        return await self._send(RESTORE, request)

    async def change_plan(self, request: ServicePlanUpdateRequest) -> Accepted:
        """Change the service plan of up to 10,000 active devices.

        Each device's result arrives later on CarrierService. The plan of a device can be changed four times a month,
        and never while it is suspended.
        Raises BadRequest, such as with the short code `REQUEST_FAILED.<plan>.NotFound`.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Service_Plan/
        """
        return await self._send(CHANGE_PLAN, request)

    async def change_identifier(self, service_type: str, request: ChangeDeviceIdRequest) -> Accepted:
        """Transfer the line of one active device to other hardware or another SIM, or give it a new number.

        `service_type` is `3G` or `4G`. The result arrives later on CarrierService. The new hardware may not be known to
        the platform yet: delete it first where it belonged to a deactivated device. The old identifier answers no
        history afterwards. Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Identifier/
        """
        return await self._send(CHANGE_IDENTIFIER, request, path={"service_type": service_type})

    async def go_to_state(self, request: GoToStateRequest) -> Accepted:
        """Put up to 10,000 devices into a state that the account has defined for itself.

        Each device's result arrives later on StateService. All have to be in the state of the first one, or they fail.
        Not every account has this call. Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Go_To_State/
        """
        return await self._send(GO_TO_STATE, request)

    async def move(self, request: MoveDeviceRequest) -> Accepted:
        """Move up to 10,000 active devices from one account to another of the same customer.

        Each device's result arrives later on CarrierService. Those of another account than the first one's fail. Their
        history so far stays with the old account. Not every account has this call. Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Move_Devices/
        """
        return await self._send(MOVE, request)

    async def upload(self, request: DeviceUploadRequest) -> Accepted:
        """Make up to 10,000 newly manufactured devices known to Verizon, for manufacturers.

        The result arrives later on DeviceService, and by e-mail. Wait five minutes after it before you activate them.
        Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Upload_Devices/
        """
        return await self._send(UPLOAD, request)

    async def upload_and_activate(self, request: UploadAndActivateRequest) -> Accepted:
        """Make up to 10,000 newly manufactured devices known to Verizon and put them into service.

        The result of the upload arrives later on DeviceService, and then that of each activation on CarrierService.
        Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Upload_Activate/
        """
        return await self._send(UPLOAD_AND_ACTIVATE, request)

    async def order_status(self, request: CheckOrderStatusRequest) -> Accepted:
        """Ask how far the activation order of one device has come; the answer arrives later on DeviceService.

        Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Check_Order_Status/
        """
        return await self._send(ORDER_STATUS, request)

    async def check_availability(self, request: AvailabilityRequest) -> Accepted:
        """Ask whether up to 10,000 devices are known to Verizon and free to be activated.

        Each device's answer arrives later on DeviceService. Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/Getting_Started/Best_Practices_for_Activation/
        """
        return await self._send(CHECK_AVAILABILITY, request)

    async def suspension_status(self, request: SuspensionStatusRequest) -> Accepted:
        """Ask since when devices are suspended, and for how many days they may still be.

        Each device's answer arrives later on DeviceSuspensionStatus. Not every account has this call.
        Raises BadRequest.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_Device_Suspension_Status/
        """
        return await self._send(SUSPENSION_STATUS, request)
