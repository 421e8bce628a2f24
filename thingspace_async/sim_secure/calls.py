"""Calls for SIM-Secure licenses."""

from __future__ import annotations

from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.sim_secure.models import LicenseRequest, SecuritySubscriptionRequest, SecuritySubscriptions

__all__ = ["OPERATIONS", "SimSecure"]

_LICENSE: Final = "/m2m/v1/devices/license/actions/assign"

SUBSCRIPTIONS: Final = Operation(
    "sim_secure.subscriptions",
    "POST",
    "/m2m/v1/accounts/subscriptions/actions/list",
    SecuritySubscriptionRequest,
    SecuritySubscriptions,
    repeatable=True,
)
ASSIGN: Final = Operation("sim_secure.assign", "POST", _LICENSE, LicenseRequest, Accepted)
# The platform's page has a body, the SDKs send none. Without one, the platform could not know the devices.
UNASSIGN: Final = Operation("sim_secure.unassign", "DELETE", _LICENSE, LicenseRequest, Accepted)

OPERATIONS: Final = (SUBSCRIPTIONS, ASSIGN, UNASSIGN)


class SimSecure(Namespace):
    """SIM-Secure for IoT: licenses that bind SIMs to their devices."""

    async def subscriptions(self, request: SecuritySubscriptionRequest) -> SecuritySubscriptions:
        """Count the purchased, assigned and available licenses of an account by SKU.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/GetSubscriptionInformation/
        """
        return await self._send(SUBSCRIPTIONS, request)

    async def assign(self, request: LicenseRequest) -> Accepted:
        """Assign licenses of one SKU to up to 100 active 4G devices; results arrive later on CarrierService.

        The network then accepts the SIM in its present device only. A lifetime license (`SIMSec-IoT-Lt`) stays with its
        SIM forever: it can never be unassigned.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/security/api-reference/assign-sim-secure-licenses.html
        """
        return await self._send(ASSIGN, request)

    async def unassign(self, request: LicenseRequest) -> Accepted:
        """Take flexible licenses of one SKU back from up to 100 devices; results arrive later on CarrierService.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/security/api-reference/unassign-flex-licenses.html
        """
        return await self._send(UNASSIGN, request)
