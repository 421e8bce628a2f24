"""Answers that the versions of software management share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.mechanisms.pager import Page, page
from thingspace_async.simulator.rooms.software.messages import STATUSES, UPGRADE_STATUSES
from thingspace_async.simulator.rooms.software.reading import campaign_of, day_of, days_of, imeis_of, spelled_out
from thingspace_async.simulator.rooms.software.store import Campaign, Software, Upgrade, invalid
from thingspace_async.simulator.wire import Answer, Call, Refusal, required

__all__ = [
    "CAMPAIGNS_PER_PAGE",
    "cancel_campaign",
    "change_dates",
    "change_devices",
    "changed_licenses",
    "list_campaign_devices",
    "list_campaigns",
    "list_licenses",
    "page_after",
    "paged",
    "show_subscription",
    "status_of",
]

CAMPAIGNS_PER_PAGE: Final = 100


def page_after(call: Call, items: Sequence[Any], imei_of: Callable[[Any], str]) -> Page:
    """Return the page after the IMEI that a query names as the last one seen."""
    last = call.received.query.get("lastSeenDeviceId", "0")
    return page((one for one in items if imei_of(one) > last), call.platform.assumptions.software_page)


def paged(call: Call, found: Page, imei_of: Callable[[Any], str]) -> dict[str, Any]:
    """Return the members that lead to the next page."""
    last = {"lastSeenDeviceId": imei_of(found.items[-1])} if found.items else {}
    return {"hasMoreData": found.more, **last, "maxPageSize": call.platform.assumptions.software_page}


def list_campaigns(call: Call, version: str, show: Callable[[Campaign], dict[str, Any]]) -> Answer:
    """Show a page of the campaigns with a status."""
    account_name, query = call.check_account(call.path["account_name"]), call.received.query
    statuses, wanted = STATUSES[version], query.get("campaignStatus")
    if wanted not in statuses.values() and wanted != "CampaignFailed":
        raise invalid("Invalid campaignStatus.", reason="must be a status of campaigns", at=(query, "campaignStatus"))
    campaigns = call.platform.room(Software).campaigns[account_name].values()
    found = [one for one in campaigns if one.version == version and statuses[one.state] == wanted]
    last = query.get("lastSeenCampaignId")
    places = [place for place, one in enumerate(found) if one.id == last]
    part = page(found[places[0] + 1 if places else 0 :], CAMPAIGNS_PER_PAGE)
    body: dict[str, Any] = {"hasMoreData": part.more, "campaignList": [show(one) for one in part.items] or None}
    return Answer(200, body | ({"lastSeenCampaignId": part.items[-1].id} if part.items else {}))


def list_campaign_devices(
    call: Call, version: str, show: Callable[[str, Upgrade], dict[str, Any]] | None = None
) -> Answer:
    """Show a page of the devices of a campaign."""
    campaign = campaign_of(call, version)
    found = page_after(call, list(campaign.devices), lambda imei: imei)
    listed = [(show or status_of)(imei, campaign.devices[imei]) for imei in found.items]
    body = {"totalDevice": len(campaign.devices), **paged(call, found, lambda imei: imei), "deviceList": listed}
    return Answer(200, body)


def status_of(imei: str, upgrade: Upgrade) -> dict[str, Any]:
    """Return a device of a campaign, with its status."""
    return {"deviceId": imei, "status": UPGRADE_STATUSES[upgrade.status], "resultReason": upgrade.reason}


def change_devices(call: Call, campaign: Campaign, name: str, *, may_change: bool) -> tuple[list[str], str]:
    """Add devices to a campaign, or remove devices from it; return their IMEIs and the change."""
    document, room = call.document(), call.platform.room(Software)
    if not may_change:
        raise _too_late(campaign, "changed")
    imeis, change = imeis_of(document), required(document, name, str)
    if change == "append":
        room.check(campaign.account_name, imeis, (document, "deviceList"))
        campaign.devices = dict(sorted((room.new_devices(imeis) | campaign.devices).items()))
    elif change == "remove":
        campaign.devices = {imei: one for imei, one in campaign.devices.items() if imei not in set(imeis)}
    else:
        raise invalid(f"Invalid {name}.", reason="must be append or remove", at=(document, name))
    return imeis, change


def change_dates(call: Call, campaign: Campaign, windows: Sequence[tuple[int, int]]) -> None:
    """Replace the dates and windows of a campaign.

    Once it has begun, only its end can move, to 24 hours from now or later, and windows can only be added.
    """
    document, now = call.document(), call.platform.clock.now()
    if campaign.is_over:
        raise _too_late(campaign, "changed")
    if campaign.has_begun(now):
        start, end = day_of(document, "startDate"), day_of(document, "endDate")
        if start != campaign.start:
            raise invalid("The campaign has begun.", reason=f"must stay {campaign.start}", at=(document, "startDate"))
        if end != campaign.end and end < (now + timedelta(days=1)).date():
            raise invalid("The end date is too early.", reason="is not 24 hours from now", at=(document, "endDate"))
        if not set(campaign.windows) <= set(windows):
            raise invalid("The campaign has begun.", reason="lacks earlier time windows: they can only be added")
    else:
        start, end = days_of(call, document)
    campaign.start, campaign.end, campaign.windows = start, end, windows
    call.platform.room(Software).reschedule(campaign)


def cancel_campaign(call: Call, campaign: Campaign, *, may_stop: bool = True) -> Answer:
    """Cancel a campaign, or abort it once it has begun."""
    if campaign.is_over or not may_stop:
        raise _too_late(campaign, "cancelled")
    call.platform.room(Software).stop(campaign)
    return Answer(200, {"success": True})


def _too_late(campaign: Campaign, verb: str) -> Refusal:
    status = STATUSES[campaign.version][campaign.state]
    return invalid(f"The campaign cannot be {verb}.", reason=f"the campaign {campaign.id} is {status}")


def list_licenses(call: Call, total: str) -> Answer:
    """Show a page of the devices that have a license. The versions have other names for the total."""
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Software)
    licensed = room.licensed(account_name)
    found = page_after(call, licensed, lambda imei: imei)
    body = {
        "accountName": account_name,
        total: room.licenses[account_name].bought,
        "assignedLicenses": len(licensed),
        **paged(call, found, lambda imei: imei),
        "deviceList": [
            {"deviceId": imei, "assignmentTime": spelled_out(room.licensed_at[imei])} for imei in found.items
        ],
    }
    return Answer(200, body)


Change = Callable[[str, Sequence[str]], dict[str, str | None]]


def changed_licenses(
    call: Call, change_of: Callable[[Software], Change], *, bought: str = "licCount", reason: str = "resultReason"
) -> Answer:
    """Assign or remove licenses. The versions have other names for the bought licenses and for the reason."""
    account_name, document = call.check_account(call.path["account_name"]), call.document()
    room = call.platform.room(Software)
    results = change_of(room)(account_name, imeis_of(document))
    licenses = room.licenses[account_name]
    listed = [
        {"deviceId": imei, "status": "Success" if fault is None else "Failure", reason: fault or "Success"}
        for imei, fault in results.items()
    ]
    counts = {bought: licenses.bought, "licUsedCount": len(licenses.used_by)}
    return Answer(200, {"accountName": account_name, **counts, "deviceList": listed})


def show_subscription(call: Call) -> Answer:
    """Show the subscription of an account."""
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Software)
    licenses = room.licenses[account_name]
    body = {
        "accountName": account_name,
        "purchaseType": room.purchase_types[account_name],
        "licenseCount": licenses.bought,
        "licenseUsedCount": len(licenses.used_by),
        "updateTime": stamp(room.licenses_changed.get(account_name, call.platform.devices.start)),
    }
    return Answer(200, body)
