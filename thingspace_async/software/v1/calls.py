"""Calls of software management v1."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import cached_property
from types import NoneType
from typing import Final

import attrs

from thingspace_async._core.namespace import Namespace, following_index, following_last_seen
from thingspace_async._core.operation import Operation, Server, check_request
from thingspace_async._core.types import SuccessResult
from thingspace_async.software.following import CampaignState, FollowedCampaign, FollowedCampaigns
from thingspace_async.software.models import (
    DeviceListRequest,
    DeviceStatus,
    LicensedDevice,
    RemovalList,
    RemovalListPage,
    RemovalListRequest,
    SoftwareSubscription,
)
from thingspace_async.software.v1.models import (
    AccountDevice,
    AccountDevicePage,
    CallbackRegistered,
    ChangeDevicesRequest,
    ChangeDevicesResult,
    DeviceUpgrade,
    Firmware,
    LicensePage,
    LicenseResult,
    RegisterSoftwareCallbackRequest,
    SoftwareListener,
    SoftwareService,
    Upgrade,
    UpgradePage,
    UpgradeRequest,
    UpgradeStatus,
)

__all__ = ["OPERATIONS", "Version1"]

_SERVER: Final[Server] = "software_management_v1"
_UPGRADE: Final = "/upgrades/{account_name}/upgrade/{upgrade_id}"
_LICENSES: Final = "/licenses/{account_name}"
_REMOVALS: Final = f"{_LICENSES}/cancel"
_CALLBACKS: Final = "/callbacks/{account_name}"

LIST_FIRMWARE: Final = Operation(
    "software.v1.firmware.list",
    "GET",
    "/firmware/{account_name}",
    NoneType,
    tuple[Firmware, ...],
    server=_SERVER,
    repeatable=True,
)
SCHEDULE: Final = Operation(
    "software.v1.upgrades.schedule", "POST", "/upgrades", UpgradeRequest, Upgrade, server=_SERVER
)
GET_UPGRADE: Final = Operation(
    "software.v1.upgrades.get", "GET", _UPGRADE, NoneType, Upgrade, server=_SERVER, repeatable=True
)
LIST_UPGRADES: Final = Operation(
    "software.v1.upgrades.list",
    "GET",
    "/reports/{account_name}/status/{status}/index/{start_index}",
    NoneType,
    UpgradePage,
    server=_SERVER,
    repeatable=True,
)
UPDATE_DEVICES: Final = Operation(
    "software.v1.upgrades.update_devices",
    "PUT",
    _UPGRADE,
    ChangeDevicesRequest,
    ChangeDevicesResult,
    server=_SERVER,
)
CANCEL: Final = Operation("software.v1.upgrades.cancel", "DELETE", _UPGRADE, NoneType, SuccessResult, server=_SERVER)
LIST_DEVICES: Final = Operation(
    "software.v1.devices.list",
    "GET",
    "/devices/{account_name}/index/{start_index}",
    NoneType,
    AccountDevicePage,
    server=_SERVER,
    repeatable=True,
)
DEVICE_HISTORY: Final = Operation(
    "software.v1.devices.history",
    "GET",
    "/reports/{account_name}/devices/{device_id}",
    NoneType,
    tuple[DeviceUpgrade, ...],
    server=_SERVER,
    repeatable=True,
)
LIST_LICENSES: Final = Operation(
    "software.v1.licenses.list",
    "GET",
    f"{_LICENSES}/index/{{start_index}}",
    NoneType,
    LicensePage,
    server=_SERVER,
    repeatable=True,
)
ASSIGN_LICENSES: Final = Operation(
    "software.v1.licenses.assign",
    "POST",
    f"{_LICENSES}/assign",
    DeviceListRequest,
    LicenseResult,
    server=_SERVER,
)
REMOVE_LICENSES: Final = Operation(
    "software.v1.licenses.remove",
    "POST",
    f"{_LICENSES}/remove",
    DeviceListRequest,
    LicenseResult,
    server=_SERVER,
)
PLAN_REMOVAL: Final = Operation(
    "software.v1.licenses.plan_removal", "POST", _REMOVALS, RemovalListRequest, RemovalList, server=_SERVER
)
PLANNED_REMOVALS: Final = Operation(
    "software.v1.licenses.planned_removals",
    "GET",
    f"{_REMOVALS}/index/{{start_index}}",
    NoneType,
    RemovalListPage,
    server=_SERVER,
    repeatable=True,
)
# The newest SDK documents no answer, the others one with `success`.
CANCEL_REMOVAL: Final = Operation(
    "software.v1.licenses.cancel_removal",
    "DELETE",
    _REMOVALS,
    NoneType,
    SuccessResult,
    server=_SERVER,
    empty=SuccessResult(),
)
SUBSCRIPTION: Final = Operation(
    "software.v1.subscription",
    "GET",
    "/subscriptions/{account_name}",
    NoneType,
    SoftwareSubscription,
    server=_SERVER,
    repeatable=True,
)
REGISTER: Final = Operation(
    "software.v1.callbacks.register",
    "POST",
    _CALLBACKS,
    RegisterSoftwareCallbackRequest,
    CallbackRegistered,
    server=_SERVER,
)
LIST_CALLBACKS: Final = Operation(
    "software.v1.callbacks.list",
    "GET",
    _CALLBACKS,
    NoneType,
    tuple[SoftwareListener, ...],
    server=_SERVER,
    repeatable=True,
)
DEREGISTER: Final = Operation(
    "software.v1.callbacks.deregister",
    "DELETE",
    f"{_CALLBACKS}/name/{{service_name}}",
    NoneType,
    SuccessResult,
    server=_SERVER,
    empty=SuccessResult(),
)

OPERATIONS: Final = (
    LIST_FIRMWARE,
    SCHEDULE,
    GET_UPGRADE,
    LIST_UPGRADES,
    UPDATE_DEVICES,
    CANCEL,
    LIST_DEVICES,
    DEVICE_HISTORY,
    LIST_LICENSES,
    ASSIGN_LICENSES,
    REMOVE_LICENSES,
    PLAN_REMOVAL,
    PLANNED_REMOVALS,
    CANCEL_REMOVAL,
    SUBSCRIPTION,
    REGISTER,
    LIST_CALLBACKS,
    DEREGISTER,
)


class Version1(Namespace):
    """Software management v1: firmware of devices with LWM2M or OMA-DM, by push."""

    async def subscription(self, account_name: str) -> SoftwareSubscription:
        """Read an account's subscription, with the number of its licenses.

        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        return await self._send(SUBSCRIPTION, path={"account_name": account_name})

    @cached_property
    def firmware(self) -> AvailableFirmware:
        """Firmware that the account may use."""
        return AvailableFirmware(self._caller)

    @cached_property
    def devices(self) -> SoftwareDevices:
        """The devices of an account, as software management knows them."""
        return SoftwareDevices(self._caller)

    @cached_property
    def upgrades(self) -> Upgrades:
        """Upgrades of the firmware of several devices."""
        return Upgrades(self._caller)

    @cached_property
    def licenses(self) -> Licenses:
        """Licenses, which devices need if the account pays monthly."""
        return Licenses(self._caller)

    @cached_property
    def callbacks(self) -> SoftwareCallbacks:
        """The URL that the platform posts messages about upgrades to."""
        return SoftwareCallbacks(self._caller)


class AvailableFirmware(Namespace):
    """Firmware that the account may use."""

    async def list(self, account_name: str) -> tuple[Firmware, ...]:
        """List the firmware that the account may use.

        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        return await self._send(LIST_FIRMWARE, path={"account_name": account_name})


class SoftwareDevices(Namespace):
    """The devices of an account, as software management knows them."""

    async def list_page(self, account_name: str, *, start_index: int = 0) -> AccountDevicePage:
        """Read up to 1,000 devices whose IMEIs are larger than a number.

        Pass the page's `last_seen_device_id` as `start_index` to request the next page.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference/get-device-list.html
        """
        path = {"account_name": account_name, "start_index": str(start_index)}
        return await self._send(LIST_DEVICES, path=path)

    def list(self, account_name: str) -> AsyncGenerator[AccountDevice]:
        """Walk the devices of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference/get-device-list.html
        """
        return self._walk(
            LIST_DEVICES,
            fetch=lambda last: self.list_page(account_name, start_index=last or 0),
            following=lambda page: following_last_seen(
                LIST_DEVICES, more=page.has_more_data, last_seen=page.last_seen_device_id
            ),
            items=lambda page: page.devices,
        )

    async def history(self, account_name: str, device_id: str) -> tuple[DeviceUpgrade, ...]:
        """List the upgrades of a device. `device_id` is its IMEI.

        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        return await self._send(DEVICE_HISTORY, path={"account_name": account_name, "device_id": device_id})


class Upgrades(FollowedCampaigns):
    """Upgrades of the firmware of several devices. The platform pushes them to the devices."""

    async def schedule(self, request: UpgradeRequest) -> Upgrade:
        """Schedule an upgrade of several devices.

        The answer means that the platform has accepted the request: the status becomes `QUEUED` later. If the account
        has only monthly licenses, each device needs one. The client never repeats this request: after AnswerLost, look
        for the upgrade with `list`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference/schedule-firmware-upgrade.html
        """
        return await self._send(SCHEDULE, request)

    async def get(self, account_name: str, upgrade_id: str) -> Upgrade:
        """Read one upgrade, with its status and that of its devices.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference/schedule-firmware-upgrade.html
        """
        return await self._send(GET_UPGRADE, path={"account_name": account_name, "upgrade_id": upgrade_id})

    async def list_page(self, account_name: str, status: UpgradeStatus | str, *, start_index: int = 0) -> UpgradePage:
        """Read one page of the upgrades with a status.

        Pass the page's `last_seen_upgrade_id` as `start_index` to request the next page.
        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        path = {"account_name": account_name, "status": status, "start_index": str(start_index)}
        return await self._send(LIST_UPGRADES, path=path)

    def list(self, account_name: str, status: UpgradeStatus | str) -> AsyncGenerator[Upgrade]:
        """Walk the upgrades with a status, and fetch one page ahead.

        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        return self._walk(
            LIST_UPGRADES,
            fetch=lambda last: self.list_page(account_name, status, start_index=last or 0),
            following=lambda page: following_last_seen(
                LIST_UPGRADES, more=page.has_more_data, last_seen=page.last_seen_upgrade_id
            ),
            items=lambda page: page.upgrades or (),
        )

    async def update_devices(
        self, account_name: str, upgrade_id: str, request: ChangeDevicesRequest
    ) -> ChangeDevicesResult:
        """Add devices to an upgrade, or remove devices from it. Raises BadRequest once the upgrade has begun.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference/modify-scheduled-upgrade.html
        """
        return await self._send(UPDATE_DEVICES, request, path={"account_name": account_name, "upgrade_id": upgrade_id})

    async def cancel(self, account_name: str, upgrade_id: str) -> SuccessResult:
        """Cancel an upgrade that has not begun. Raises BadRequest for one that has.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/software-management/api-reference/cancel-an-upgrade.html
        """
        return await self._send(CANCEL, path={"account_name": account_name, "upgrade_id": upgrade_id})

    def _followed(self, account_name: str, campaign_id: str) -> FollowedCampaign:
        found: list[DeviceStatus] = []

        async def state() -> CampaignState:
            upgrade = await self.get(account_name, campaign_id)
            found[:] = upgrade.devices  # The same answer has both: one request for each look.
            return CampaignState(status=upgrade.status, final=upgrade.status is not None and upgrade.status.final)

        async def devices() -> AsyncGenerator[DeviceStatus]:
            for device in found:
                yield device

        return FollowedCampaign(operation="software.v1.upgrades", id=campaign_id, state=state, devices=devices)


class Licenses(Namespace):
    """Licenses, which devices need if the account pays monthly. Upgrades that are billed by event need none."""

    async def list_page(self, account_name: str, *, start_index: int = 0) -> LicensePage:
        """Read up to 1,000 devices that have a license, and how many licenses the account has.

        Pass the page's `last_seen_device_id` as `start_index` to request the next page.
        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        path = {"account_name": account_name, "start_index": str(start_index)}
        return await self._send(LIST_LICENSES, path=path)

    def list(self, account_name: str) -> AsyncGenerator[LicensedDevice]:
        """Walk the devices that have a license, and fetch one page ahead.

        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        return self._walk(
            LIST_LICENSES,
            fetch=lambda last: self.list_page(account_name, start_index=last or 0),
            following=lambda page: following_last_seen(
                LIST_LICENSES, more=page.has_more_data, last_seen=page.last_seen_device_id
            ),
            items=lambda page: page.devices,
        )

    async def assign(self, account_name: str, request: DeviceListRequest) -> LicenseResult:
        """Assign licenses to devices.

        The answer has a result for each device: some may be refused although the call succeeds. A license stays with
        its device once the device was upgraded.
        https://thingspace.verizon.com/resources/documentation/software_management/
        """
        return await self._send(ASSIGN_LICENSES, request, path={"account_name": account_name})

    async def remove(self, account_name: str, request: DeviceListRequest) -> LicenseResult:
        """Remove licenses from devices that were not upgraded since.

        The answer has a result for each device: some may be refused although the call succeeds. An upgrade that is
        scheduled for a device is cancelled for it.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference/remove-licenses-from-devices.html
        """
        return await self._send(REMOVE_LICENSES, request, path={"account_name": account_name})

    async def plan_removal(self, account_name: str, request: RemovalListRequest) -> RemovalList:
        """List the devices that lose their licenses first if the account reduces its subscription.

        Nothing changes until then. The platform removes as many licenses as it must, in the order of the list.
        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        return await self._send(PLAN_REMOVAL, request, path={"account_name": account_name})

    async def planned_removals_page(self, account_name: str, *, start_index: int = 0) -> RemovalListPage:
        """Read one page of the devices that lose their licenses first. Pass the page's `next` for the next page.

        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        path = {"account_name": account_name, "start_index": str(start_index)}
        page = await self._send(PLANNED_REMOVALS, path=path)
        following = following_index(
            PLANNED_REMOVALS, more=page.has_more_data, index=start_index, count=len(page.devices)
        )
        return attrs.evolve(page, next=following)

    def planned_removals(self, account_name: str) -> AsyncGenerator[str]:
        """Walk the IMEIs of the devices that lose their licenses first, and fetch one page ahead.

        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        return self._walk(
            PLANNED_REMOVALS,
            fetch=lambda index: self.planned_removals_page(account_name, start_index=index or 0),
            following=lambda page: page.next,
            items=lambda page: page.devices,
        )

    async def cancel_removal(self, account_name: str) -> SuccessResult:
        """Delete the list of the devices that lose their licenses first.

        `success` is None if the platform answers without a body, as the newest SDK documents.
        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        return await self._send(CANCEL_REMOVAL, path={"account_name": account_name})


class SoftwareCallbacks(Namespace):
    """The URL that the platform posts messages about upgrades to."""

    async def register(self, account_name: str, request: RegisterSoftwareCallbackRequest) -> CallbackRegistered:
        """Register the URL for the messages of an account. It replaces the one before.

        https://thingspace.verizon.com/documentation/apis/software-management/getting-started/about-callback-services.html
        """
        check_request(REGISTER, request)
        with self._caller.engine.secrets.noted(request.password):  # No error may contain the password.
            return await self._send(REGISTER, request, path={"account_name": account_name})

    async def list(self, account_name: str) -> tuple[SoftwareListener, ...]:
        """List the listeners of an account.

        https://thingspace.verizon.com/documentation/apis/software-management/getting-started/about-callback-services.html
        """
        return await self._send(LIST_CALLBACKS, path={"account_name": account_name})

    async def deregister(
        self, account_name: str, service_name: SoftwareService | str = SoftwareService.FOTA
    ) -> SuccessResult:
        """Deregister the URL of an account.

        `success` is None if the platform answers without a body, as the newest SDK documents.
        https://thingspace.verizon.com/documentation/apis/software-management/getting-started/about-callback-services.html
        """
        return await self._send(DEREGISTER, path={"account_name": account_name, "service_name": service_name})
