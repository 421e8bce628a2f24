"""eSIM: activate devices with a built-in SIM, and download, enable and suspend its profiles.

    from thingspace_async import DeviceId
    from thingspace_async.esim import ChangeProfileRequest

    device = next(device for device in cloud.devices if device.state == "active")
    request = ChangeProfileRequest(
        account_name=cloud.account_name,
        devices=[DeviceId.eid(device.eid)],
        smsr_oid="1.3.6.1.4.1.31746.1.500.200.101.5",
    )
    accepted = await session.esim.download_and_enable(request)
    cloud.clock.advance(120)
    result = await session.accounts.request_status_by_device(cloud.account_name, accepted.request_id)
    print(result.status, [device.ids for device in result.failed_devices])

Results arrive later on DeviceProfileService. Until then, you can poll the status of a request, as above.
"""

from thingspace_async.esim.calls import OPERATIONS, Esim
from thingspace_async.esim.models import (
    ActivateAndEnableRequest,
    ActivateProfileRequest,
    ChangeProfileRequest,
    DeactivateProfileRequest,
    DownloadProfileRequest,
    GlobalFallbackRequest,
    ProfileChangeStateRequest,
    RenewActivationCodeRequest,
    SetFallbackAttributeRequest,
    SuspendProfileRequest,
)

__all__ = [
    "OPERATIONS",
    "ActivateAndEnableRequest",
    "ActivateProfileRequest",
    "ChangeProfileRequest",
    "DeactivateProfileRequest",
    "DownloadProfileRequest",
    "Esim",
    "GlobalFallbackRequest",
    "ProfileChangeStateRequest",
    "RenewActivationCodeRequest",
    "SetFallbackAttributeRequest",
    "SuspendProfileRequest",
]
