"""Calls for private networks."""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.private_network.models import (
    ChangeIpAddressRequest,
    ChangeProfileRequest,
    Kpi,
    Kpis,
    PerformanceConsent,
    PrivateActivateRequest,
    PrivateDeactivateRequest,
    PrivateProfile,
    PrivateProfiles,
)

__all__ = ["OPERATIONS", "PrivateNetwork"]

_PATH: Final = "/m2m/v1/devices/pwn"

ACTIVATE: Final = Operation(
    "private_network.activate", "POST", f"{_PATH}/actions/state/activate", PrivateActivateRequest, Accepted
)
DEACTIVATE: Final = Operation(
    "private_network.deactivate", "POST", f"{_PATH}/actions/state/deactivate", PrivateDeactivateRequest, Accepted
)
CHANGE_PROFILE: Final = Operation(
    "private_network.change_profile", "POST", f"{_PATH}/actions/profile", ChangeProfileRequest, Accepted
)
CHANGE_IP_ADDRESS: Final = Operation(
    "private_network.change_ip_address", "PUT", f"{_PATH}/actions/ipaddress", ChangeIpAddressRequest, Accepted
)
PROFILES: Final = Operation(
    "private_network.profiles",
    "GET",
    f"{_PATH}/profiles/list/{{account_name}}",
    NoneType,
    PrivateProfiles,
    repeatable=True,
)
KPIS: Final = Operation(
    "private_network.kpis", "GET", f"{_PATH}/kpi/list/{{account_name}}", NoneType, Kpis, repeatable=True
)
PERFORMANCE_CONSENT: Final = Operation(
    "private_network.performance_consent",
    "GET",
    f"{_PATH}/performance/consent/{{account_name}}",
    NoneType,
    PerformanceConsent,
    repeatable=True,
)

OPERATIONS: Final = (ACTIVATE, DEACTIVATE, CHANGE_PROFILE, CHANGE_IP_ADDRESS, PROFILES, KPIS, PERFORMANCE_CONSENT)


class PrivateNetwork(Namespace):
    """Private wireless networks: devices in them, their profiles, and the network's performance.

    The platform has no page for these calls. They follow its SDKs.
    """

    async def activate(self, request: PrivateActivateRequest) -> Accepted:
        """Put devices into service in the private network; results arrive later on PwnService.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management.html
        """
        return await self._send(ACTIVATE, request)

    async def deactivate(self, request: PrivateDeactivateRequest) -> Accepted:
        """Take devices out of service in the private network; results arrive later on PwnService.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management.html
        """
        return await self._send(DEACTIVATE, request)

    async def change_profile(self, request: ChangeProfileRequest) -> Accepted:
        """Give devices another profile; results arrive later on PwnService.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management.html
        """
        return await self._send(CHANGE_PROFILE, request)

    async def change_ip_address(self, request: ChangeIpAddressRequest) -> Accepted:
        """Give devices other IP addresses; results arrive later on PwnService.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management.html
        """
        return await self._send(CHANGE_IP_ADDRESS, request)

    async def profiles(self, account_name: str) -> tuple[PrivateProfile, ...]:
        """List the profiles that devices of an account may have.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management.html
        """
        return (await self._send(PROFILES, path={"account_name": account_name})).profiles

    async def kpis(self, account_name: str) -> tuple[Kpi, ...]:
        """List the measured values of all nodes of a private network, each with its unit.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management.html
        """
        return (await self._send(KPIS, path={"account_name": account_name})).kpis

    async def performance_consent(self, account_name: str) -> PerformanceConsent:
        """Report whether an account has consented to measurements of its private network.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management.html
        """
        return await self._send(PERFORMANCE_CONSENT, path={"account_name": account_name})
