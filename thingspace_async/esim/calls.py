"""Calls for eSIM profiles."""

from __future__ import annotations

from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
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

__all__ = ["OPERATIONS", "Esim"]

_ACTIONS: Final = "/m2m/v1/devices/profile/actions"

ACTIVATE: Final = Operation("esim.activate", "POST", f"{_ACTIONS}/activate", ActivateProfileRequest, Accepted)
ACTIVATE_AND_ENABLE: Final = Operation(
    "esim.activate_and_enable", "POST", f"{_ACTIONS}/activate_enable", ActivateAndEnableRequest, Accepted
)
DEACTIVATE: Final = Operation("esim.deactivate", "POST", f"{_ACTIONS}/deactivate", DeactivateProfileRequest, Accepted)
RENEW_ACTIVATION_CODE: Final = Operation(
    "esim.renew_activation_code", "POST", f"{_ACTIONS}/renew_activation_code", RenewActivationCodeRequest, Accepted
)
DOWNLOAD: Final = Operation("esim.download", "POST", f"{_ACTIONS}/download", DownloadProfileRequest, Accepted)
DOWNLOAD_AND_ENABLE: Final = Operation(
    "esim.download_and_enable", "POST", f"{_ACTIONS}/download_enable", ChangeProfileRequest, Accepted
)
DOWNLOAD_AND_DISABLE: Final = Operation(
    "esim.download_and_disable", "POST", f"{_ACTIONS}/download_disable", ProfileChangeStateRequest, Accepted
)
ENABLE: Final = Operation("esim.enable", "POST", f"{_ACTIONS}/enable", ChangeProfileRequest, Accepted)
DISABLE: Final = Operation("esim.disable", "POST", f"{_ACTIONS}/disable", ProfileChangeStateRequest, Accepted)
DELETE: Final = Operation("esim.delete", "POST", f"{_ACTIONS}/delete", ChangeProfileRequest, Accepted)
SUSPEND: Final = Operation("esim.suspend", "POST", f"{_ACTIONS}/profile_suspend", SuspendProfileRequest, Accepted)
RESUME: Final = Operation("esim.resume", "POST", f"{_ACTIONS}/profile_resume", SuspendProfileRequest, Accepted)
SUSPEND_DEVICE: Final = Operation(
    "esim.suspend_device", "POST", f"{_ACTIONS}/device_suspend", SuspendProfileRequest, Accepted
)
SET_FALLBACK: Final = Operation(
    "esim.set_fallback", "POST", f"{_ACTIONS}/setfallbackattribute", SetFallbackAttributeRequest, Accepted
)
SET_GLOBAL_FALLBACK: Final = Operation(
    "esim.set_global_fallback",
    "POST",
    "/v1/devices/profile/actions/setfallbackattribute",
    GlobalFallbackRequest,
    Accepted,
)

OPERATIONS: Final = (
    ACTIVATE,
    ACTIVATE_AND_ENABLE,
    DEACTIVATE,
    RENEW_ACTIVATION_CODE,
    DOWNLOAD,
    DOWNLOAD_AND_ENABLE,
    DOWNLOAD_AND_DISABLE,
    ENABLE,
    DISABLE,
    DELETE,
    SUSPEND,
    RESUME,
    SUSPEND_DEVICE,
    SET_FALLBACK,
    SET_GLOBAL_FALLBACK,
)


class Esim(Namespace):
    """Devices with an eSIM, and its profiles.

    All calls take up to 100 devices. Results arrive later on DeviceProfileService, one callback for each profile. Until
    then, `session.accounts.request_status_by_device` returns the status. A device has one enabled profile at a time.
    """

    async def activate(self, request: ActivateProfileRequest) -> Accepted:
        """Put up to 100 eSIM devices into service; each device's result arrives later on DeviceProfileService.

        The result holds the device's new ICCID. Keep it: the calls for its profiles need it.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/activate-device.html
        """
        return await self._send(ACTIVATE, request)

    async def activate_and_enable(self, request: ActivateAndEnableRequest) -> Accepted:
        """Put up to 100 eSIM devices into service and enable their profile; results arrive on DeviceProfileService.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/activate-enable-device.html
        """
        return await self._send(ACTIVATE_AND_ENABLE, request)

    async def deactivate(self, request: DeactivateProfileRequest) -> Accepted:
        """End service for up to 100 eSIM devices; each device's result arrives later on DeviceProfileService.

        A deactivated device cannot connect to the network. To activate it again, call `renew_activation_code` first.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/deactivate-profile.html
        """
        return await self._send(DEACTIVATE, request)

    async def renew_activation_code(self, request: RenewActivationCodeRequest) -> Accepted:
        """Request new activation codes for up to 100 deactivated devices; they arrive later on DeviceProfileService.

        Then `activate` can put the devices back into service.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/consumer-esim/api-reference/renew-activation-code.html
        """
        return await self._send(RENEW_ACTIVATION_CODE, request)

    async def download(self, request: DownloadProfileRequest) -> Accepted:
        """Download a global profile to up to 100 devices; each result arrives later on DeviceProfileService.

        The devices must be active, powered on and connected. The profile stays disabled until you enable it.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/global-iot/api_reference/download-global-profile.html
        """
        return await self._send(DOWNLOAD, request)

    async def download_and_enable(self, request: ChangeProfileRequest) -> Accepted:
        """Download a profile to up to 100 devices and enable it; each result arrives later on DeviceProfileService.

        The devices must be active. The platform disables all their other profiles.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/api-reference/download-device-profile.html
        """
        return await self._send(DOWNLOAD_AND_ENABLE, request)

    async def download_and_disable(self, request: ProfileChangeStateRequest) -> Accepted:
        """Download a local profile to up to 100 devices and leave it disabled; results arrive on DeviceProfileService.

        The devices must be active. In limited release: not all accounts have this call.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/api-reference/download-device-profile.html
        """
        return await self._send(DOWNLOAD_AND_DISABLE, request)

    async def enable(self, request: ChangeProfileRequest) -> Accepted:
        """Enable the downloaded profile of up to 100 devices; each result arrives later on DeviceProfileService.

        The platform disables all other profiles of the devices.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/enable-a-device-profile.html
        """
        return await self._send(ENABLE, request)

    async def disable(self, request: ProfileChangeStateRequest) -> Accepted:
        """Disable the local profile of up to 100 devices; each result arrives later on DeviceProfileService.

        The devices then roam with their factory profile. In limited release: not all accounts have this call.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/disable-a-device-profile.html
        """
        return await self._send(DISABLE, request)

    async def delete(self, request: ChangeProfileRequest) -> Accepted:
        """Delete the profile from up to 100 devices; each result arrives later on DeviceProfileService.

        The platform's pages disagree on whether a profile must be disabled first: disable it to be sure.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/api-reference/delete-a-device-profile.html
        """
        return await self._send(DELETE, request)

    async def suspend(self, request: SuspendProfileRequest) -> Accepted:
        """Suspend the global profiles of up to 100 ICCIDs; each result arrives later on DeviceProfileService.

        Only `suspend_device` can suspend Verizon's own profile.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/suspend-profile.html
        """
        return await self._send(SUSPEND, request)

    async def resume(self, request: SuspendProfileRequest) -> Accepted:
        """Resume the suspended profiles of up to 100 ICCIDs; each result arrives later on DeviceProfileService.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/resume-profile.html
        """
        return await self._send(RESUME, request)

    async def suspend_device(self, request: SuspendProfileRequest) -> Accepted:
        """Suspend up to 100 devices, by EID, with all their profiles; results arrive later on DeviceProfileService.

        One callback arrives for each profile, and a last one for the device. `resume` works for profiles only. To
        resume a device, use `session.request("POST", "/m2m/v1/devices/profile/actions/device_resume", json=...)` with
        the body of this call: the platform's page describes that request, but no SDK has it.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/global-iot/api_reference/suspend-device.html
        """
        return await self._send(SUSPEND_DEVICE, request)

    async def set_fallback(self, request: SetFallbackAttributeRequest) -> Accepted:
        """Set the fallback profile of up to 100 devices; each result arrives later on DeviceProfileService.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/set_fallback.html
        """
        return await self._send(SET_FALLBACK, request)

    async def set_global_fallback(self, request: GlobalFallbackRequest) -> Accepted:
        """Set the global fallback profile of up to 100 devices; each result arrives later on DeviceProfileService.

        Try `set_fallback` first: the platform's page has only its URL. The URL of this call, without `m2m`, is known
        from the SDKs only.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/global-iot/api_reference/set_fallback.html
        """
        return await self._send(SET_GLOBAL_FALLBACK, request)
