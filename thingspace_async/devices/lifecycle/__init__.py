"""Device service: activate, deactivate, suspend and restore devices, and change their plan, hardware or account.

    from thingspace_async import DeviceId
    from thingspace_async.devices import ActivateRequest, SuspendRequest

    hardware = [DeviceId.imei("990013907835578"), DeviceId.iccid("89141390780800784259")]
    accepted = await session.devices.activate(
        ActivateRequest(devices=[hardware], service_plan="M2M_4G_5MB", mdn_zip_code="94105")
    )
    cloud.clock.advance(60)  # The simulator's; the platform takes minutes, or hours.
    result = await session.accounts.request_status("0000123456-00001", accepted.request_id)
    device = await session.devices.get(hardware[0])
    print(result.status, device.state, device.identifier("mdn"))  # Success active 5560000000

    await session.devices.suspend(SuspendRequest(devices=[hardware[0]]))

The platform accepts a request as a whole. The result of each device arrives later on a callback service. Only requests
for a single device have a status to poll, as above.
"""

from thingspace_async.devices.lifecycle.calls import OPERATIONS, Lifecycle
from thingspace_async.devices.lifecycle.models import (
    ActivateRequest,
    AvailabilityRequest,
    ChangeDeviceIdRequest,
    CheckOrderStatusRequest,
    DeactivateRequest,
    DeviceAtAddress,
    DeviceFilter,
    DeviceFilterWithoutAccount,
    DeviceUploadRequest,
    GoToStateRequest,
    MoveDeviceRequest,
    RestoreRequest,
    ServiceAddress,
    ServiceCustomer,
    ServicePlace,
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
    "DeviceAtAddress",
    "DeviceFilter",
    "DeviceFilterWithoutAccount",
    "DeviceUploadRequest",
    "GoToStateRequest",
    "Lifecycle",
    "MoveDeviceRequest",
    "RestoreRequest",
    "ServiceAddress",
    "ServiceCustomer",
    "ServicePlace",
    "ServicePlanUpdateRequest",
    "SuspendRequest",
    "SuspensionStatusRequest",
    "UploadAndActivateRequest",
]
