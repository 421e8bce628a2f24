"""Calls of software management v3."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import cached_property, partial
from types import NoneType
from typing import Any, Final

import attrs

from thingspace_async._core.faults import fault_of_identifier
from thingspace_async._core.namespace import Namespace, following_last_seen
from thingspace_async._core.operation import Operation, Server, check_request
from thingspace_async._core.types import DeviceId, DeviceIds, SuccessResult
from thingspace_async.software.callbacks import VersionCallbacks, callback_operations
from thingspace_async.software.checking import at_most, query_of
from thingspace_async.software.following import FollowedCampaign, FollowedCampaigns
from thingspace_async.software.models import (
    CampaignDevicePage,
    CampaignStatus,
    ChangeDevicesRequest,
    DeviceListRequest,
    DeviceStatus,
    LicensedDevice,
    SoftwareSubscription,
)
from thingspace_async.software.upgrading import UpgradeCalls, UpgradingVersion
from thingspace_async.software.v3.models import (
    AccountDevice,
    AccountDevicePage,
    Campaign,
    CampaignDatesRequest,
    CampaignPage,
    CampaignRequest,
    ChangeDevicesResult,
    DeviceFirmwareList,
    DeviceFirmwareUpgrade,
    DeviceListResult,
    DeviceProtocol,
    FirmwarePackage,
    FirmwareProtocol,
    FirmwareReportAccepted,
    LicensePage,
    LicenseResult,
)
from thingspace_async.software.v3.upgrading import followed, upgrade_calls

__all__ = ["OPERATIONS", "Version3"]

_SERVER: Final[Server] = "software_management_v3"
_FIRMWARE: Final = "/firmware/{account_name}"
_DEVICES: Final = "/devices/{account_name}"
_CAMPAIGN: Final = "/campaigns/{account_name}/{campaign_id}"
_FIRMWARE_CAMPAIGN: Final = "/campaigns/firmware/{account_name}/{campaign_id}"
_REPORTS: Final = "/reports/{account_name}"
_LICENSES: Final = "/licenses/{account_name}"

MOST_SYNCHRONIZED: Final = 100
MOST_QUERIED: Final = 1_000

LIST_FIRMWARE: Final = Operation(
    "software.firmware.list",
    "GET",
    _FIRMWARE,
    NoneType,
    tuple[FirmwarePackage, ...],
    repeatable=True,
    server=_SERVER,
)
# Not repeatable: the device answers each request later.
REQUEST_REPORT: Final = Operation(
    "software.firmware.request_report",
    "PUT",
    _FIRMWARE + "/async/{device_id}",
    NoneType,
    FirmwareReportAccepted,
    server=_SERVER,
)
SYNCHRONIZE: Final = Operation(
    "software.firmware.synchronize",
    "PUT",
    _FIRMWARE + "/devices",
    DeviceListRequest,
    DeviceFirmwareList,
    repeatable=True,
    server=_SERVER,
)
LIST_DEVICES: Final = Operation(
    "software.devices.list", "GET", _DEVICES, NoneType, AccountDevicePage, repeatable=True, server=_SERVER
)
QUERY_DEVICES: Final = Operation(
    "software.devices.query", "POST", _DEVICES, DeviceListRequest, DeviceListResult, repeatable=True, server=_SERVER
)
DEVICE_HISTORY: Final = Operation(
    "software.devices.history",
    "GET",
    _REPORTS + "/devices/{device_id}",
    NoneType,
    tuple[DeviceFirmwareUpgrade, ...],
    repeatable=True,
    server=_SERVER,
)
SCHEDULE: Final = Operation(
    "software.campaigns.schedule",
    "POST",
    "/campaigns/firmware/{account_name}",
    CampaignRequest,
    Campaign,
    server=_SERVER,
)
GET_CAMPAIGN: Final = Operation(
    "software.campaigns.get", "GET", _CAMPAIGN, NoneType, Campaign, repeatable=True, server=_SERVER
)
LIST_CAMPAIGNS: Final = Operation(
    "software.campaigns.list",
    "GET",
    _REPORTS + "/firmware/campaigns",
    NoneType,
    CampaignPage,
    repeatable=True,
    server=_SERVER,
)
LIST_CAMPAIGN_DEVICES: Final = Operation(
    "software.campaigns.devices",
    "GET",
    _REPORTS + "/campaigns/{campaign_id}/devices",
    NoneType,
    CampaignDevicePage,
    repeatable=True,
    server=_SERVER,
)
UPDATE_CAMPAIGN_DEVICES: Final = Operation(
    "software.campaigns.update_devices",
    "PUT",
    _FIRMWARE_CAMPAIGN,
    ChangeDevicesRequest,
    ChangeDevicesResult,
    server=_SERVER,
)
UPDATE_CAMPAIGN_DATES: Final = Operation(
    "software.campaigns.update_dates",
    "PUT",
    _FIRMWARE_CAMPAIGN + "/dates",
    CampaignDatesRequest,
    Campaign,
    repeatable=True,
    server=_SERVER,
)
CANCEL_CAMPAIGN: Final = Operation(
    "software.campaigns.cancel", "DELETE", _CAMPAIGN, NoneType, SuccessResult, server=_SERVER
)
LIST_LICENSES: Final = Operation(
    "software.licenses.list", "GET", _LICENSES, NoneType, LicensePage, repeatable=True, server=_SERVER
)
ASSIGN_LICENSES: Final = Operation(
    "software.licenses.assign", "POST", _LICENSES + "/assign", DeviceListRequest, LicenseResult, server=_SERVER
)
REMOVE_LICENSES: Final = Operation(
    "software.licenses.remove", "POST", _LICENSES + "/remove", DeviceListRequest, LicenseResult, server=_SERVER
)
SUBSCRIPTION: Final = Operation(
    "software.subscription",
    "GET",
    "/subscriptions/{account_name}",
    NoneType,
    SoftwareSubscription,
    repeatable=True,
    server=_SERVER,
)
CALLBACKS: Final = callback_operations("software", _SERVER)

OPERATIONS: Final = (
    LIST_FIRMWARE,
    REQUEST_REPORT,
    SYNCHRONIZE,
    LIST_DEVICES,
    QUERY_DEVICES,
    DEVICE_HISTORY,
    SCHEDULE,
    GET_CAMPAIGN,
    LIST_CAMPAIGNS,
    LIST_CAMPAIGN_DEVICES,
    UPDATE_CAMPAIGN_DEVICES,
    UPDATE_CAMPAIGN_DATES,
    CANCEL_CAMPAIGN,
    LIST_LICENSES,
    ASSIGN_LICENSES,
    REMOVE_LICENSES,
    SUBSCRIPTION,
    *CALLBACKS.all,
)


class Version3(UpgradingVersion[CampaignRequest]):
    """Software management v3: firmware of devices with LWM2M or OMA-DM."""

    _server = _SERVER

    async def subscription(self, account_name: str) -> SoftwareSubscription:
        """Read an account's subscription, with the number of its licenses.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return await self._send(SUBSCRIPTION, path={"account_name": account_name})

    @cached_property
    def firmware(self) -> Firmware:
        """Available firmware, and the firmware that devices have."""
        return Firmware(self._caller)

    @cached_property
    def devices(self) -> SoftwareDevices:
        """The devices of an account, as software management knows them."""
        return SoftwareDevices(self._caller)

    @cached_property
    def campaigns(self) -> Campaigns:
        """Campaigns: upgrades of several devices."""
        return Campaigns(self._caller)

    @cached_property
    def licenses(self) -> Licenses:
        """Licenses, which devices need if the account pays for them each month."""
        return Licenses(self._caller)

    @cached_property
    def callbacks(self) -> SoftwareCallbacks:
        """The URL that the platform posts messages about campaigns to."""
        return SoftwareCallbacks(self._caller)

    def _upgrade_calls(self, account_name: str, request: CampaignRequest) -> UpgradeCalls:
        check_request(SCHEDULE, request)
        return upgrade_calls(self, account_name, request)


class Firmware(Namespace):
    """Available firmware, and the firmware that devices have."""

    async def list(
        self, account_name: str, *, protocol: FirmwareProtocol | str | None = None
    ) -> tuple[FirmwarePackage, ...]:
        """List the firmware that the account may use.

        The platform's default for `protocol` is LWM2M.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        query = query_of(LIST_FIRMWARE, protocol=protocol)
        return await self._send(LIST_FIRMWARE, path={"account_name": account_name}, query=query)

    async def request_report(self, account_name: str, device_id: str) -> FirmwareReportAccepted:
        """Ask a device for the version of its firmware. The result arrives later, on the callback URL.

        `device_id` is its IMEI.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        path = {"account_name": account_name, "device_id": device_id}
        accepted = await self._send(REQUEST_REPORT, path=path)
        known = fault_of_identifier("imei", device_id) is None
        named = (DeviceIds(device_ids=(DeviceId.imei(device_id),)),) if known else ()
        return attrs.evolve(accepted, devices=named)

    async def synchronize(self, account_name: str, request: DeviceListRequest) -> DeviceFirmwareList:
        """Read the firmware of up to 100 devices from their FOTA server, and update the platform's records.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        at_most(SYNCHRONIZE, request, MOST_SYNCHRONIZED)
        return await self._send(SYNCHRONIZE, request, path={"account_name": account_name})


class SoftwareDevices(Namespace):
    """The devices of an account, as software management knows them."""

    async def list_page(
        self,
        account_name: str,
        *,
        last_seen_device_id: str | None = None,
        protocol: DeviceProtocol | str | None = None,
    ) -> AccountDevicePage:
        """Read up to 1,000 devices. Pass the page's `last_seen_device_id` to request the next page.

        The platform's default for `protocol` is LWM2M.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        query = query_of(LIST_DEVICES, lastSeenDeviceId=last_seen_device_id, protocol=protocol)
        return await self._send(LIST_DEVICES, path={"account_name": account_name}, query=query)

    def list(self, account_name: str, *, protocol: DeviceProtocol | str | None = None) -> AsyncGenerator[AccountDevice]:
        """Walk the devices of an account, and fetch one page ahead.

        The platform's default for `protocol` is LWM2M.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return self._walk(
            LIST_DEVICES,
            fetch=lambda last: self.list_page(account_name, last_seen_device_id=last, protocol=protocol),
            following=partial(_after, LIST_DEVICES),
            items=lambda page: page.devices,
        )

    async def query(self, account_name: str, request: DeviceListRequest) -> DeviceListResult:
        """Read up to 1,000 devices by IMEI.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        at_most(QUERY_DEVICES, request, MOST_QUERIED)
        return await self._send(QUERY_DEVICES, request, path={"account_name": account_name})

    async def history(self, account_name: str, device_id: str) -> tuple[DeviceFirmwareUpgrade, ...]:
        """List the upgrades of a device. `device_id` is its IMEI.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return await self._send(DEVICE_HISTORY, path={"account_name": account_name, "device_id": device_id})


class Campaigns(FollowedCampaigns):
    """Campaigns: upgrades of several devices."""

    async def schedule(self, account_name: str, request: CampaignRequest) -> Campaign:
        """Schedule an upgrade of several devices.

        The answer means that the request was accepted. `status` becomes `SCHEDULED` later, or `REQUEST_FAILED` if the
        platform refuses the campaign. If the account has only licenses, each device needs one first. The platform does
        not recognize a repeated request: after AnswerLost, look for the campaign with `list` before you schedule it
        again, or use `session.software.upgrade`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3/schedule-a-firmware-upgrade-v3.html
        """
        return await self._send(SCHEDULE, request, path={"account_name": account_name})

    async def get(self, account_name: str, campaign_id: str) -> Campaign:
        """Read a campaign, without its devices.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3/get-upgrade-information-v3.html
        """
        return await self._send(GET_CAMPAIGN, path={"account_name": account_name, "campaign_id": campaign_id})

    async def list_page(
        self, account_name: str, status: CampaignStatus | str, *, last_seen_campaign_id: str | None = None
    ) -> CampaignPage:
        """Read one page of the campaigns with a status. Pass its `last_seen_campaign_id` to request the next page.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        query = query_of(LIST_CAMPAIGNS, campaignStatus=status, lastSeenCampaignId=last_seen_campaign_id)
        return await self._send(LIST_CAMPAIGNS, path={"account_name": account_name}, query=query)

    def list(self, account_name: str, status: CampaignStatus | str) -> AsyncGenerator[Campaign]:
        """Walk the campaigns with a status, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return self._walk(
            LIST_CAMPAIGNS,
            fetch=lambda last: self.list_page(account_name, status, last_seen_campaign_id=last),
            following=lambda page: following_last_seen(
                LIST_CAMPAIGNS, more=page.has_more_data, last_seen=page.last_seen_campaign_id
            ),
            items=lambda page: page.campaigns or (),
        )

    async def devices_page(
        self, account_name: str, campaign_id: str, *, last_seen_device_id: str | None = None
    ) -> CampaignDevicePage:
        """Read up to 1,000 devices of a campaign. Pass the page's `last_seen_device_id` to request the next page.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        path = {"account_name": account_name, "campaign_id": campaign_id}
        query = query_of(LIST_CAMPAIGN_DEVICES, lastSeenDeviceId=last_seen_device_id)
        return await self._send(LIST_CAMPAIGN_DEVICES, path=path, query=query)

    def devices(self, account_name: str, campaign_id: str) -> AsyncGenerator[DeviceStatus]:
        """Walk the devices of a campaign, each with its status, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return self._walk(
            LIST_CAMPAIGN_DEVICES,
            fetch=lambda last: self.devices_page(account_name, campaign_id, last_seen_device_id=last),
            following=partial(_after, LIST_CAMPAIGN_DEVICES),
            items=lambda page: page.devices,
        )

    async def update_devices(
        self, account_name: str, campaign_id: str, request: ChangeDevicesRequest
    ) -> ChangeDevicesResult:
        """Add devices to a campaign, or remove devices from it. Raises BadRequest once the campaign is scheduled.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        path = {"account_name": account_name, "campaign_id": campaign_id}
        return await self._send(UPDATE_CAMPAIGN_DEVICES, request, path=path)

    async def update_dates(self, account_name: str, campaign_id: str, request: CampaignDatesRequest) -> Campaign:
        """Replace the dates and time windows of a campaign. `CampaignDatesRequest.of` keeps those that do not change.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        path = {"account_name": account_name, "campaign_id": campaign_id}
        return await self._send(UPDATE_CAMPAIGN_DATES, request, path=path)

    async def cancel(self, account_name: str, campaign_id: str) -> SuccessResult:
        """Cancel a campaign before its start date, or abort it afterwards.

        Devices that have begun an upgrade may complete it. Raises BadRequest if the campaign has ended.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3/get-upgrade-information-v3.html
        """
        return await self._send(CANCEL_CAMPAIGN, path={"account_name": account_name, "campaign_id": campaign_id})

    def _followed(self, account_name: str, campaign_id: str) -> FollowedCampaign:
        return followed(self, account_name, campaign_id)


class Licenses(Namespace):
    """Licenses, which devices need if the account pays for them each month."""

    async def list_page(self, account_name: str, *, last_seen_device_id: str | None = None) -> LicensePage:
        """Read up to 1,000 devices that have a license. Pass `last_seen_device_id` to request the next page.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        query = query_of(LIST_LICENSES, lastSeenDeviceId=last_seen_device_id)
        return await self._send(LIST_LICENSES, path={"account_name": account_name}, query=query)

    def list(self, account_name: str) -> AsyncGenerator[LicensedDevice]:
        """Walk the devices that have a license, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return self._walk(
            LIST_LICENSES,
            fetch=lambda last: self.list_page(account_name, last_seen_device_id=last),
            following=partial(_after, LIST_LICENSES),
            items=lambda page: page.devices,
        )

    async def assign(self, account_name: str, request: DeviceListRequest) -> LicenseResult:
        """Assign licenses to devices. They are billed. The answer has a result for each device.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return await self._send(ASSIGN_LICENSES, request, path={"account_name": account_name})

    async def remove(self, account_name: str, request: DeviceListRequest) -> LicenseResult:
        """Remove licenses from devices. The license of a device that was upgraded stays.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3.html
        """
        return await self._send(REMOVE_LICENSES, request, path={"account_name": account_name})


class SoftwareCallbacks(VersionCallbacks):
    """The URL that the platform posts messages about campaigns to. An account has one."""

    _operations = CALLBACKS


def _after(operation: Operation[Any, Any], page: AccountDevicePage | CampaignDevicePage | LicensePage) -> str | None:
    """Return the last device of a page, to request the next one, or None after the last page."""
    return following_last_seen(operation, more=page.has_more_data, last_seen=page.last_seen_device_id)
