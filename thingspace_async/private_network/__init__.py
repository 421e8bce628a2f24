"""Private wireless networks: devices in them, their profiles, and the network's performance.

Changes of devices have their results later, on PwnService.

    from thingspace_async import DeviceId
    from thingspace_async.private_network import PrivateActivateRequest, ProfileChoice

    account_name = "0000123456-00001"
    profiles = await session.private_network.profiles(account_name)
    request = PrivateActivateRequest(
        account_name=account_name,
        devices=[DeviceId.iccid(cloud.devices[0].iccid)],
        activate=ProfileChoice(profile=profiles[0].profile_name),
    )
    accepted = await session.private_network.activate(request)
    print(accepted.request_id)
"""

from thingspace_async.private_network.calls import OPERATIONS, PrivateNetwork
from thingspace_async.private_network.models import (
    ChangeIpAddressRequest,
    ChangeProfileRequest,
    DeviceAddress,
    Kpi,
    Kpis,
    PerformanceConsent,
    PrivateActivateRequest,
    PrivateDeactivateRequest,
    PrivateProfile,
    PrivateProfiles,
    ProfileChoice,
)

__all__ = [
    "OPERATIONS",
    "ChangeIpAddressRequest",
    "ChangeProfileRequest",
    "DeviceAddress",
    "Kpi",
    "Kpis",
    "PerformanceConsent",
    "PrivateActivateRequest",
    "PrivateDeactivateRequest",
    "PrivateNetwork",
    "PrivateProfile",
    "PrivateProfiles",
    "ProfileChoice",
]
