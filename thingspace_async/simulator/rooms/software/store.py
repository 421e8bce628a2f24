"""The state of software management, one for its three versions: devices, firmware, licenses and campaigns.

Campaigns progress by the clock: pending, queued, scheduled, and ended after the last day. In each of its time windows,
a scheduled campaign upgrades its devices in slots of five minutes. Devices that fail are queued again for the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, Literal

import attrs

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.agenda import Progress, Stage
from thingspace_async.simulator.mechanisms.allowance import Allowance
from thingspace_async.simulator.mechanisms.seeded import bits, share
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.rooms.software.messages import message_of
from thingspace_async.simulator.wire import At, Refusal, refuse

__all__ = [
    "MODELS",
    "PACKAGES",
    "Campaign",
    "DeviceModel",
    "Managed",
    "Package",
    "Software",
    "Upgrade",
    "invalid",
]

CampaignState = Literal["pending", "queued", "scheduled", "ended", "refused", "cancelled", "aborted"]
"""The states of a campaign. Each version has its own names for them."""

_SLOT: Final = timedelta(minutes=5)
_LONGEST_SLOTS: Final = timedelta(hours=4)
"""Devices begin in the first four hours of a window."""
_DURATION: Final = timedelta(minutes=10)
"""The time that the upgrade of a device takes."""
_ALWAYS: Final = 1_000_000
_LICENSES: Final = 20_000


def invalid(message: str, *, reason: str = "", at: At | None = None) -> Refusal:
    """Make a refusal. ASSUMPTION: the code, as the documents have none."""
    return refuse("INVALID_PARAMETER", message, reason=reason, at=at)


@attrs.frozen
class DeviceModel:
    """A model of devices, and the versions of its firmware, oldest first."""

    make: str
    name: str
    protocol: Literal["LWM2M", "OMA-DM", "HTTP"]
    versions: tuple[str, ...]


MODELS: Final = (
    DeviceModel("Verizon", "VZM20Q", "LWM2M", ("VZM20Q_1.0", "VZM20Q_1.1", "VZM20Q_1.2")),
    DeviceModel("Telit", "LE910C4", "OMA-DM", ("LE910C4_2.0", "LE910C4_2.1")),
    DeviceModel("Quectel", "BG96", "HTTP", ("BG96_3.0", "BG96_3.1")),
)
_SHARES: Final = (0.6, 0.8, 1.0)
"""The shares of devices up to each model."""


@attrs.frozen
class Package:
    """Firmware or software that devices of a model can get."""

    model: DeviceModel
    version_from: str
    version_to: str
    launched: date

    @property
    def name(self) -> str:
        """Its name, which is unique."""
        return f"FOTA_{self.model.make}_{self.version_from}_To_{self.version_to}"


PACKAGES: Final = tuple(
    Package(model, older, newer, date(2025, 3 + place, 1))
    for model in MODELS
    for place, (older, newer) in enumerate(zip(model.versions, model.versions[1:], strict=False))
)


@attrs.frozen
class Managed:
    """A device as software management knows it."""

    device: Device
    imei: str
    model: DeviceModel
    version: str
    """The version of its firmware or software."""
    eligible: bool


@attrs.define
class Upgrade:
    """A device of a campaign."""

    status: Literal["pending", "scheduled", "success", "failed"] = "pending"
    reason: str = ""
    updated: datetime | None = None
    attempted: datetime | None = None
    next_attempt: datetime | None = None
    attempts: int = 0


@attrs.define(kw_only=True, eq=False)
class Campaign:
    """A campaign, or an upgrade of v1."""

    id: str
    account_name: str
    version: Literal["v1", "v2", "v3"]
    name: str | None = None
    model: DeviceModel
    package: Package | None = None
    """None for a campaign that sends a file."""
    start: date
    end: date
    windows: Sequence[tuple[int, int]] = ()
    """The hours of each day; all day if empty."""
    devices: dict[str, Upgrade]
    """Its devices by IMEI, in the order of their IMEIs."""
    shown: dict[str, Any] = attrs.field(factory=dict[str, Any])
    """The members of its request that answers repeat."""
    progress: Progress | None = None
    plan: int = 0
    """Counts the changes of its dates. A change makes earlier slots void."""

    @property
    def state(self) -> str:
        """Its CampaignState."""
        return "pending" if self.progress is None else self.progress.state

    @property
    def is_over(self) -> bool:
        """Whether it does not change any more."""
        return self.progress is not None and self.progress.done and self.state != "scheduled"

    @property
    def begins(self) -> datetime:
        """The beginning of its first day."""
        return _midnight(self.start)

    @property
    def ends(self) -> datetime:
        """The end of its last day."""
        return _midnight(self.end) + timedelta(days=1)

    def has_begun(self, now: datetime) -> bool:
        """Whether it is scheduled, and its first day has come."""
        return self.state == "scheduled" and now >= self.begins

    def window(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """Return the time window that is open at a moment, or the next one."""
        day = max(moment.date(), self.start)
        while day <= self.end:
            for first, last in sorted(self.windows) or [(0, 24)]:
                closes = _midnight(day) + timedelta(hours=last)
                if closes > moment:
                    return max(moment, _midnight(day) + timedelta(hours=first)), closes
            day += timedelta(days=1)
        return None


def _is_current(campaign: Campaign, plan: int) -> bool:
    return campaign.state == "scheduled" and campaign.plan == plan


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class Software:
    """Devices, licenses and campaigns of all accounts."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.purchase_types: defaultdict[str, str] = defaultdict(lambda: "TS-HFOTA-MRC")
        """The subscription of each account, comma-separated: by default, licenses for each month."""
        self.licenses: defaultdict[str, Allowance] = defaultdict(lambda: Allowance(_LICENSES))
        """The licenses of each account, and the IMEIs of the devices that have one."""
        self.licensed_at: dict[str, datetime] = {}
        """When each licensed device got its license, by IMEI."""
        self.licenses_changed: dict[str, datetime] = {}
        """When each account's licenses were changed."""
        self.upgraded: set[str] = set()
        """The IMEIs of devices that were upgraded, so that their licenses stay."""
        self.versions: dict[str, str] = {}
        """The versions of upgraded devices, by IMEI."""
        self.failures: dict[str, int] = {}
        """How many attempts fail for a device, by a test's choice. Otherwise, all attempts of 2 % of the devices do."""
        self.campaigns: defaultdict[str, dict[str, Campaign]] = defaultdict(dict)
        """The campaigns of each account by id, oldest first."""

    # Devices

    def managed(self, device: Device) -> Managed | None:
        """Return a device as software management knows it; None for a device without an IMEI."""
        if (imei := device.imei) is None:
            return None
        seed, number = self._platform.seed, device.number
        drawn = share(seed, number, "model")
        model = next(model for model, most in zip(MODELS, _SHARES, strict=True) if drawn < most)
        version = self.versions.get(imei) or model.versions[share(seed, number, "version") >= 0.8]
        return Managed(device, imei, model, version, device.state == "active")

    def find(self, account_name: str, imei: str) -> Managed | None:
        """Return a device of an account by its IMEI."""
        device = self._platform.devices.find("imei", imei)
        return None if device is None or device.account_name != account_name else self.managed(device)

    def devices(self, account_name: str, protocols: Iterable[str]) -> list[Managed]:
        """Return the devices of an account that have one of some protocols, in the order of their IMEIs."""
        wanted = frozenset(protocols)
        found = [
            managed
            for device in self._platform.devices.walk()
            if device.account_name == account_name
            and (managed := self.managed(device)) is not None
            and managed.model.protocol in wanted
        ]
        return sorted(found, key=lambda managed: managed.imei)

    def history(self, account_name: str, version: str, imei: str) -> list[tuple[Campaign, Upgrade]]:
        """Return the upgrades of a device, newest first."""
        campaigns = reversed(self.campaigns[account_name].values())
        return [(one, one.devices[imei]) for one in campaigns if one.version == version and imei in one.devices]

    # Licenses

    def needs_license(self, account_name: str) -> bool:
        """Return whether devices need a license before an upgrade: the account has bought no events."""
        return "EVNT" not in self.purchase_types[account_name]

    def assign(self, account_name: str, imeis: Sequence[str]) -> dict[str, str | None]:
        """Assign licenses; return for each device the reason of a refusal, or None."""
        known = [imei for imei in imeis if self.find(account_name, imei) is not None]
        assigned = self.licenses[account_name].assign(known)
        now = self._now
        self.licenses_changed[account_name] = now
        self.licensed_at.update({imei: now for imei in known if assigned[imei] is None})
        return {imei: assigned.get(imei, "unknown device") for imei in imeis}

    def remove(self, account_name: str, imeis: Sequence[str]) -> dict[str, str | None]:
        """Take licenses back; return for each device the reason of a refusal, or None. Used licenses stay."""
        stuck = self.upgraded.intersection(imeis)
        removed = self.licenses[account_name].remove([imei for imei in imeis if imei not in stuck])
        self.licenses_changed[account_name] = self._now
        return {imei: removed.get(imei, "the device was upgraded, so its license stays") for imei in imeis}

    def licensed(self, account_name: str) -> list[str]:
        """Return the IMEIs of the devices that have a license, in order."""
        return sorted(str(imei) for imei in self.licenses[account_name].used_by)

    # Campaigns

    def check(self, account_name: str, imeis: Sequence[str], at: At) -> None:
        """Refuse devices that cannot be in a campaign: unknown ones, and those without a license they need."""
        if not imeis:
            raise invalid("The device list is empty.", reason="is empty", at=at)
        for imei in imeis:
            if self.find(account_name, imei) is None:
                raise invalid(f"The device {imei} is not in the account.", reason=f"has the unknown {imei}", at=at)
        used_by = self.licenses[account_name].used_by
        if self.needs_license(account_name) and (bare := [imei for imei in imeis if imei not in used_by]):
            raise invalid(f"The device {bare[0]} has no license.", reason=f"has {bare[0]} without a license", at=at)

    def add(self, campaign: Campaign) -> Campaign:
        """Accept a campaign, which begins to progress."""
        self.campaigns[campaign.account_name][campaign.id] = campaign
        now, wait = self._now, self._platform.assumptions.request_time
        stages = [Stage("pending", wait / 4), Stage("queued", wait * 3 / 4)]
        done = now + wait
        campaign.progress = Progress(
            self._platform.agenda, now, stages, "scheduled", changed=lambda state: self._changed(campaign, state, done)
        )
        return campaign

    def stop(self, campaign: Campaign) -> None:
        """Cancel a campaign before its first day, or abort it afterwards."""
        self._end(campaign, "cancelled" if self._now < campaign.begins else "aborted")

    def new_devices(self, imeis: Iterable[str]) -> dict[str, Upgrade]:
        """Return devices for a campaign, in the order of their IMEIs."""
        now = self._now
        return {imei: Upgrade(updated=now) for imei in sorted(set(imeis))}

    def _changed(self, campaign: Campaign, state: str, moment: datetime) -> None:
        if state == "scheduled":
            campaign.plan += 1
            self._platform.agenda.put(campaign.ends, lambda: self._end_by(campaign))
            self._open(campaign, max(moment, campaign.begins), campaign.plan)
        self._announce(campaign, ())

    def reschedule(self, campaign: Campaign) -> None:
        """Plan a scheduled campaign again after its dates were changed."""
        if campaign.state == "scheduled":
            self._changed(campaign, "scheduled", self._now)

    def _end_by(self, campaign: Campaign) -> None:
        if self._now >= campaign.ends:  # Otherwise its last day was moved.
            self._end(campaign, "ended")

    def _end(self, campaign: Campaign, state: CampaignState) -> None:
        if campaign.progress is not None and not campaign.is_over:
            campaign.progress.end(state)

    def _open(self, campaign: Campaign, moment: datetime, plan: int) -> None:
        """Give each device that waits a slot in the open time window, or wait for the next one."""
        if not _is_current(campaign, plan) or (window := campaign.window(moment)) is None:
            return
        opens, closes = window
        if opens > moment:
            self._platform.agenda.put(opens, lambda: self._open(campaign, opens, plan))
            return
        slots: defaultdict[datetime, list[str]] = defaultdict(list)
        count = max(1, min(closes - opens, _LONGEST_SLOTS) // _SLOT)
        for imei, upgrade in campaign.devices.items():
            if upgrade.status in ("pending", "failed"):
                slots[opens + _SLOT * (bits(self._platform.seed, imei, "slot") % count)].append(imei)
        for slot, imeis in slots.items():
            self._queue(campaign, imeis, opens, slot)
            self._platform.agenda.put(slot, partial(self._try, campaign, imeis, slot, plan))
        self._platform.agenda.put(closes, lambda: self._open(campaign, closes, plan))

    def _queue(self, campaign: Campaign, imeis: Sequence[str], moment: datetime, slot: datetime) -> None:
        for imei in imeis:
            upgrade = campaign.devices[imei]
            upgrade.status, upgrade.updated, upgrade.next_attempt = "pending", moment, slot
            estimate = f"{slot:%d %b %y %H:%M} UTC"
            upgrade.reason = f"Upgrade pending, the device upgrade is estimated to be scheduled for {estimate}"

    def _try(self, campaign: Campaign, imeis: Sequence[str], moment: datetime, plan: int) -> None:
        begun = [imei for imei in imeis if _is_current(campaign, plan) and imei in campaign.devices]
        for imei in begun:
            upgrade = campaign.devices[imei]
            upgrade.status, upgrade.reason, upgrade.updated = "scheduled", "Upgrade scheduled", moment
            upgrade.attempted, upgrade.next_attempt = moment, None
            upgrade.attempts += 1
        done = moment + _DURATION
        self._platform.agenda.put(done, partial(self._finish, campaign, begun, done))

    def _finish(self, campaign: Campaign, imeis: Sequence[str], moment: datetime) -> None:
        for imei in imeis:
            upgrade = campaign.devices[imei]
            fault = self._fault_of(campaign, imei, upgrade.attempts)
            upgrade.status, upgrade.updated = "success" if fault is None else "failed", moment
            upgrade.reason = fault or "DownloadInstallSucceeded"
            if fault is None:
                self.upgraded.add(imei)
                if campaign.package is not None:
                    self.versions[imei] = campaign.package.version_to
        self._announce(campaign, imeis)

    def _fault_of(self, campaign: Campaign, imei: str, attempt: int) -> str | None:
        """Return why the attempt to upgrade a device fails, or None."""
        managed = self.find(campaign.account_name, imei)
        if managed is None or managed.model is not campaign.model:
            return "DeviceModelMismatch"
        if campaign.package is not None and managed.version != campaign.package.version_from:
            return "FirmwareVersionMismatch"
        seeded = _ALWAYS if share(self._platform.seed, managed.device.number, "upgrade") < 0.02 else 0
        return "DownloadFailed" if attempt <= self.failures.get(imei, seeded) else None

    def _announce(self, campaign: Campaign, imeis: Sequence[str]) -> None:
        service, message = message_of(campaign, imeis)
        self._platform.outbox.send(campaign.account_name, service, message, api=f"software_{campaign.version}")

    @property
    def _now(self) -> datetime:
        return self._platform.clock.now()
