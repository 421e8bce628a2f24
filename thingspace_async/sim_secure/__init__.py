"""SIM-Secure for IoT: licenses that bind SIMs to their devices.

The network refuses such a SIM in any other device. Results arrive later, on CarrierService.

    from thingspace_async import DeviceId
    from thingspace_async.sim_secure import LicenseRequest, SecuritySubscriptionRequest

    account_name = "0000123456-00001"
    owned = await session.sim_secure.subscriptions(SecuritySubscriptionRequest(account_name=account_name))
    for subscription in owned.subscriptions:
        print(subscription.sku_number, subscription.license_available)

    active = next(device for device in cloud.devices if device.state == "active")
    request = LicenseRequest(account_name=account_name, sku_number="SIMSec-IoT", devices=[DeviceId.imei(active.imei)])
    accepted = await session.sim_secure.assign(request)
    print(accepted.request_id)
"""

from thingspace_async.sim_secure.calls import OPERATIONS, SimSecure
from thingspace_async.sim_secure.models import (
    LicenseRequest,
    SecuritySubscription,
    SecuritySubscriptionRequest,
    SecuritySubscriptions,
)

__all__ = [
    "OPERATIONS",
    "LicenseRequest",
    "SecuritySubscription",
    "SecuritySubscriptionRequest",
    "SecuritySubscriptions",
    "SimSecure",
]
