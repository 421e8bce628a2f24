"""Calls for campaigns of HTTP devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import NoneType
from typing import Final

from thingspace_async._core.namespace import following_last_seen
from thingspace_async._core.operation import Operation, Server
from thingspace_async._core.types import SuccessResult
from thingspace_async.software.checking import query_of
from thingspace_async.software.following import CampaignState, FollowedCampaign, FollowedCampaigns
from thingspace_async.software.models import CampaignDevicePage, CampaignStatus, ChangeDevicesRequest, DeviceStatus
from thingspace_async.software.v2.models import (
    Campaign,
    CampaignDatesRequest,
    CampaignPage,
    CampaignRequest,
    ChangeDevicesAccepted,
    FileCampaignRequest,
    SoftwareCampaignRequest,
)

__all__ = ["OPERATIONS", "Campaigns"]

_SERVER: Final[Server] = "software_management_v2"
_CAMPAIGNS: Final = "/campaigns/{account_name}"
_ONE: Final = f"{_CAMPAIGNS}/{{campaign_id}}"
_REPORTS: Final = "/reports/{account_name}/campaigns"

SCHEDULE: Final = Operation(
    "software.v2.campaigns.schedule",
    "POST",
    _CAMPAIGNS,
    CampaignRequest,
    Campaign,
    server=_SERVER,
)
SCHEDULE_SOFTWARE: Final = Operation(
    "software.v2.campaigns.schedule_software",
    "POST",
    "/campaigns/software/{account_name}",
    SoftwareCampaignRequest,
    Campaign,
    server=_SERVER,
)
SCHEDULE_FILE: Final = Operation(
    "software.v2.campaigns.schedule_file",
    "POST",
    "/campaigns/files/{account_name}",
    FileCampaignRequest,
    Campaign,
    server=_SERVER,
)
GET: Final = Operation(
    "software.v2.campaigns.get",
    "GET",
    _ONE,
    NoneType,
    Campaign,
    server=_SERVER,
    repeatable=True,
)
LIST: Final = Operation(
    "software.v2.campaigns.list",
    "GET",
    _REPORTS,
    NoneType,
    CampaignPage,
    server=_SERVER,
    repeatable=True,
)
DEVICES: Final = Operation(
    "software.v2.campaigns.devices",
    "GET",
    f"{_REPORTS}/{{campaign_id}}/devices",
    NoneType,
    CampaignDevicePage,
    server=_SERVER,
    repeatable=True,
)
UPDATE_DEVICES: Final = Operation(
    "software.v2.campaigns.update_devices",
    "PUT",
    _ONE,
    ChangeDevicesRequest,
    ChangeDevicesAccepted,
    server=_SERVER,
)
# Repeatable: it sets all dates and windows.
UPDATE_DATES: Final = Operation(
    "software.v2.campaigns.update_dates",
    "PUT",
    f"{_ONE}/dates",
    CampaignDatesRequest,
    Campaign,
    server=_SERVER,
    repeatable=True,
)
CANCEL: Final = Operation(
    "software.v2.campaigns.cancel",
    "DELETE",
    _ONE,
    NoneType,
    SuccessResult,
    server=_SERVER,
)

OPERATIONS: Final = (
    SCHEDULE,
    SCHEDULE_SOFTWARE,
    SCHEDULE_FILE,
    GET,
    LIST,
    DEVICES,
    UPDATE_DEVICES,
    UPDATE_DATES,
    CANCEL,
)


class Campaigns(FollowedCampaigns):
    """Campaigns, which distribute software or files to HTTP devices when these check in."""

    async def schedule(self, account_name: str, request: CampaignRequest) -> Campaign:
        """Schedule an upgrade of software.

        The answer means that the platform has accepted the request. It schedules the campaign later: see `get`. A
        device upgrades when it checks in during the campaign. Keep the first campaign small: the platform limits pilot
        campaigns. The client never repeats this request: after AnswerLost, look for the campaign with `list`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/schedule-an-upgrade-v2.html
        """
        return await self._send(SCHEDULE, request, path={"account_name": account_name})

    async def schedule_software(self, account_name: str, request: SoftwareCampaignRequest) -> Campaign:
        """Schedule an upgrade of software at the address for HTTP devices.

        The documents name no difference from `schedule`. The page of this call is newer.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/software-management/api-reference-v2/schedule-an-upgrade-v2.html
        """
        return await self._send(SCHEDULE_SOFTWARE, request, path={"account_name": account_name})

    async def schedule_file(self, account_name: str, request: FileCampaignRequest) -> Campaign:
        """Schedule the distribution of a configuration file.

        Upload the file first. Its make and model must be those of the devices.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/software-management/api-reference-v2/schedule-a-file-upgrade-v2.html
        """
        return await self._send(SCHEDULE_FILE, request, path={"account_name": account_name})

    async def get(self, account_name: str, campaign_id: str) -> Campaign:
        """Read one campaign, with its status.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-upgrade-information-v2.html
        """
        return await self._send(GET, path={"account_name": account_name, "campaign_id": campaign_id})

    async def list_page(
        self, account_name: str, status: CampaignStatus | str, *, last_seen_campaign_id: str | None = None
    ) -> CampaignPage:
        """Read one page of the campaigns with a status.

        `last_seen_campaign_id` of a page requests the next page if the page has `has_more_data`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        query = query_of(LIST, campaignStatus=status, lastSeenCampaignId=last_seen_campaign_id)
        return await self._send(LIST, path={"account_name": account_name}, query=query)

    def list(self, account_name: str, status: CampaignStatus | str) -> AsyncGenerator[Campaign]:
        """Walk the campaigns with a status, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        return self._walk(
            LIST,
            fetch=lambda last: self.list_page(account_name, status, last_seen_campaign_id=last),
            following=lambda page: following_last_seen(
                LIST, more=page.has_more_data, last_seen=page.last_seen_campaign_id
            ),
            items=lambda page: page.campaigns or (),
        )

    async def devices_page(
        self, account_name: str, campaign_id: str, *, last_seen_device_id: str | None = None
    ) -> CampaignDevicePage:
        """Read up to 1,000 devices of a campaign, with their status.

        `last_seen_device_id` of a page requests the next page if the page has `has_more_data`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        path = {"account_name": account_name, "campaign_id": campaign_id}
        return await self._send(DEVICES, path=path, query=query_of(DEVICES, lastSeenDeviceId=last_seen_device_id))

    def devices(self, account_name: str, campaign_id: str) -> AsyncGenerator[DeviceStatus]:
        """Walk the devices of a campaign with their status, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        return self._walk(
            DEVICES,
            fetch=lambda last: self.devices_page(account_name, campaign_id, last_seen_device_id=last),
            following=lambda page: following_last_seen(
                DEVICES, more=page.has_more_data, last_seen=page.last_seen_device_id
            ),
            items=lambda page: page.devices,
        )

    async def update_devices(
        self, account_name: str, campaign_id: str, request: ChangeDevicesRequest
    ) -> ChangeDevicesAccepted:
        """Add devices to a campaign, or remove them from it.

        The change is made later: `devices` shows it. Raises BadRequest once the campaign is scheduled.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        path = {"account_name": account_name, "campaign_id": campaign_id}
        return await self._send(UPDATE_DEVICES, request, path=path)

    async def update_dates(self, account_name: str, campaign_id: str, request: CampaignDatesRequest) -> Campaign:
        """Change the dates and windows of a campaign.

        The request replaces all of them: `CampaignDatesRequest.of` keeps those that do not change. After the start,
        only the end can move, to 24 hours from now or later, and windows can be added.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/change-campaign-dates-and-time-windows-v2.html
        """
        return await self._send(UPDATE_DATES, request, path={"account_name": account_name, "campaign_id": campaign_id})

    async def cancel(self, account_name: str, campaign_id: str) -> SuccessResult:
        """Cancel a campaign that has not begun.

        By the SDKs, a campaign that has begun cannot be cancelled, and the call raises BadRequest. By a page, it is
        aborted: its status becomes `CampaignAborted`, and devices that have begun may complete the upgrade.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-upgrade-information-v2.html
        """
        return await self._send(CANCEL, path={"account_name": account_name, "campaign_id": campaign_id})

    def _followed(self, account_name: str, campaign_id: str) -> FollowedCampaign:
        async def state() -> CampaignState:
            campaign = await self.get(account_name, campaign_id)
            return CampaignState(status=campaign.status, final=campaign.status is not None and campaign.status.final)

        return FollowedCampaign(
            operation="software.v2.campaigns",
            id=campaign_id,
            state=state,
            devices=lambda: self.devices(account_name, campaign_id),
        )
