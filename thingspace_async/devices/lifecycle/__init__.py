"""The service of devices: begin and end it, suspend and restore it, change what it consists of.

    from thingspace_async import DeviceId
    from thingspace_async.devices import ActivateRequest, SuspendRequest

    hardware = [DeviceId.imei("990013907835573"), DeviceId.iccid("89141390780800784259")]
    accepted = await session.devices.activate(
        ActivateRequest(devices=[hardware], service_plan="M2M_4G_5MB", mdn_zip_code="94105")
    )
    cloud.clock.advance(60)  # The simulator's; the platform takes minutes, or hours.
    result = await session.accounts.request_status("0000123456-00001", accepted.request_id)
    device = await session.devices.get(hardware[0])
    print(result.status, device.state, device.identifier("mdn"))  # Success active 5560000000

    await session.devices.suspend(SuspendRequest(devices=[hardware[0]]))

A request is accepted as a whole. What became of each device arrives later, on a callback service; only for a request
about a single device can it be asked for as above.
"""

from thingspace_async.devices.lifecycle.calls import OPERATIONS, Lifecycle
from thingspace_async.devices.lifecycle.models import (
    ActivateRequest,
    AvailabilityRequest,
    ChangeDeviceIdRequest,
    CheckOrderStatusRequest,
    DeactivateRequest,
    DeviceFilter,
    DeviceFilterWithoutAccount,
    DeviceUploadRequest,
    GoToStateRequest,
    MoveDeviceRequest,
    RestoreRequest,
    ServicePlanUpdateRequest,
    SuspendRequest,
    SuspensionStatusRequest,
    UploadAndActivateRequest,
)

__all__ = [
    "OPERATIONS",
    "ActivateRequest",
    "AvailabilityRequest",
    "ChangeDeviceIdRequest",
    "CheckOrderStatusRequest",
    "DeactivateRequest",
    "DeviceFilter",
    "DeviceFilterWithoutAccount",
    "DeviceUploadRequest",
    "GoToStateRequest",
    "Lifecycle",
    "MoveDeviceRequest",
    "RestoreRequest",
    "ServicePlanUpdateRequest",
    "SuspendRequest",
    "SuspensionStatusRequest",
    "UploadAndActivateRequest",
]
