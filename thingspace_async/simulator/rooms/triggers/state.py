"""The triggers of the simulated platform, and when they fire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import attrs

from thingspace_async.simulator.fleet import PLANS, Device, Event, stamp
from thingspace_async.simulator.mechanisms.agenda import Daily
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.rooms.devices.history import longest_session
from thingspace_async.simulator.rooms.devices.timeline import midnight
from thingspace_async.simulator.rooms.devices.usage import usage_of
from thingspace_async.simulator.rooms.intelligence import Intelligence
from thingspace_async.simulator.rooms.triggers.rules import Rule, cycle_of, rule_of

__all__ = ["PROMO_ALERTS", "Stored", "Triggers"]

PROMO_ALERTS: Final = "PromoAlerts"

_HOUR: Final = 1
_SERVICE: Final = "AlertService"
_A_DAY: Final = timedelta(days=1)
_DIRECTIONS: Final = {"MO": "MoSms", "MT": "MtSms"}


@attrs.define(eq=False, kw_only=True)
class Stored:
    """A trigger."""

    id: str
    version: int
    """1 or 2: each version of the API lists its own triggers."""
    account_name: str
    document: dict[str, Any]
    """The latest request."""
    created: datetime
    updated: datetime
    fired: dict[tuple[int | None, int | None], date] = attrs.field(factory=dict[tuple[int | None, int | None], date])
    """The cycle in which it fired last, for each device and percentage."""

    @property
    def category(self) -> str:
        """Its category."""
        return str(self.document["triggerCategory"])

    @property
    def name(self) -> str:
        """Its name. Requests spell the member in two ways."""
        return str(self.document.get("name") or self.document.get("triggerName") or "")

    @property
    def active(self) -> bool:
        """Whether it may fire. Price plan triggers take strings instead of booleans."""
        return self.document.get("active") not in (False, "false")

    @property
    def calls_back(self) -> bool:
        """Whether it sends alerts to listeners. Those of the first version always do."""
        return self.version == 1 or (self.document.get("notification") or {}).get("callback") is True


@attrs.frozen
class _Used:
    """The usage of a device, or of several devices together."""

    devices: tuple[Device, ...]
    total: int
    """The usage of the cycle so far."""
    last: int
    """The usage of the latest day: without any, nothing fires."""
    allowance: int
    """The plan's allowance in bytes."""

    @classmethod
    def together(cls, several: Sequence[_Used]) -> _Used:
        """Add up the usage of several devices."""
        return cls(
            tuple(device for one in several for device in one.devices),
            sum(one.total for one in several),
            sum(one.last for one in several),
            sum(one.allowance for one in several),
        )


class Triggers:
    """The triggers. Once a day, those whose condition is met fire."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.by_id: dict[str, Stored] = {}
        self._daily = Daily(platform.agenda, platform.clock, _HOUR, self._check)
        # The platform creates the triggers on promotions itself.
        self.add(
            2,
            platform.account_name,
            {
                "triggerName": f"{PROMO_ALERTS}_{platform.account_name}",
                "accountName": platform.account_name,
                "triggerCategory": PROMO_ALERTS,
                "promoAlerts": [
                    {
                        "filterCriteria": [{"servicePlan": next(iter(PLANS))}],
                        "condition": [{"dataPercentage90": True, "smsPercentage90": True, "NoOfDaysB4PromoExp": 7}],
                        "enablePromoExp": True,
                    }
                ],
            },
        )

    def add(self, version: int, account_name: str, document: dict[str, Any]) -> Stored:
        """Add a trigger."""
        now = self._platform.clock.now()
        trigger = Stored(
            id=self._platform.new_id(),
            version=version,
            account_name=account_name,
            document=document,
            created=now,
            updated=now,
        )
        self.by_id[trigger.id] = trigger
        if trigger.category != PROMO_ALERTS:
            self._daily.start()
        return trigger

    def change(self, trigger: Stored, document: dict[str, Any]) -> None:
        """Replace the settings of a trigger. It may fire again in this cycle."""
        trigger.document, trigger.updated = document, self._platform.clock.now()
        trigger.fired.clear()

    def fire(self, trigger: Stored) -> None:
        """Send the alert of a trigger now, about the first device that it watches, whatever its usage is."""
        rule = Rule() if trigger.category == PROMO_ALERTS else rule_of(trigger.document)
        now = self._platform.clock.now()
        device = next(self._watched(rule), None)
        self._fire(trigger, rule, device, now)

    def _check(self, moment: datetime) -> bool:
        """Fire the triggers whose condition was met yesterday. Return whether there are any left to check."""
        watching = [one for one in self.by_id.values() if one.category != PROMO_ALERTS]
        for trigger in watching:
            if trigger.active:
                self._check_one(trigger, moment)
        return bool(watching)

    def _check_one(self, trigger: Stored, moment: datetime) -> None:
        rule, day = rule_of(trigger.document), (moment - _A_DAY).date()
        first, last = cycle_of(rule.cycle, day)
        if rule.comparator == "lt" and day != last and not rule.percentages:
            return  # Only a finished cycle can have too little usage.
        used = [self._used(rule, device, first, day) for device in self._watched(rule)]
        for one in [_Used.together(used)] if rule.combined else used:
            self._fire_if_reached(trigger, rule, one, first, moment)

    def _fire_if_reached(self, trigger: Stored, rule: Rule, used: _Used, cycle: date, moment: datetime) -> None:
        """Fire a trigger once in a cycle for each device, or for all of them together, and for each percentage."""
        if not (used.total if rule.comparator == "lt" else used.last):
            return  # The devices were not in service.
        device = None if rule.combined else used.devices[0]
        for percentage in rule.reached(used.total, used.allowance):
            key = (None if device is None else device.place, percentage)
            if trigger.fired.get(key) != cycle:
                trigger.fired[key] = cycle
                self._fire(trigger, rule, device, moment, used=used.total, percentage=percentage)
                for each in used.devices:
                    self._act(rule, each, moment)

    def _fire(
        self,
        trigger: Stored,
        rule: Rule,
        device: Device | None,
        moment: datetime,
        *,
        used: int = 0,
        percentage: int | None = None,
    ) -> None:
        """Send the alert. ASSUMPTION: the members have the names of the trigger's own."""
        if not trigger.calls_back:
            return
        message: dict[str, Any] = {
            "accountName": trigger.account_name,
            "triggerId": trigger.id,
            "triggerName": trigger.name,
            "triggerCategory": trigger.category,
            "deviceIds": [] if device is None else device.device_ids,
            "usage": used,
            "timestamp": stamp(moment),
            **_threshold_of(trigger.document, percentage),
        }
        if len(rule.groups) == 1:
            message["groupName"] = rule.groups[0]
        self._platform.outbox.send(trigger.account_name, _SERVICE, message, due=moment)

    def _act(self, rule: Rule, device: Device, moment: datetime) -> None:
        """Suspend a device, or change its plan, if the rule says so."""
        if rule.suspends and device.state == "active":
            device.state, device.connected = "suspend", False
            self._note(device, "Suspend", moment)
        if rule.new_plan is not None and device.state == "active":
            device.service_plan = rule.new_plan
            self._note(device, "Change Plan", moment)

    def _note(self, device: Device, event_type: str, moment: datetime) -> None:
        device.events.append(
            Event(
                occurred_at=moment,
                event_type=event_type,
                status="Success",
                event_by="Trigger",
                service_plan=device.service_plan,
                mdn=device.mdn,
            )
        )

    def _watched(self, rule: Rule) -> Iterator[Device]:
        """Yield the devices that a rule watches. Those that an action may change are kept."""
        fleet, changes = self._platform.devices, rule.suspends or rule.new_plan is not None
        for device in fleet.walk():
            if (
                device.state != "preactive"
                and (not rule.accounts or device.account_name in rule.accounts)
                and (not rule.groups or device.group_name in rule.groups)
                and (not rule.plans or device.service_plan in rule.plans)
            ):
                yield fleet.keep(device) if changes else device

    def _used(self, rule: Rule, device: Device, first: date, day: date) -> _Used:
        """Return a device's usage from the first day of a cycle up to a day."""
        records = usage_of(self._platform, device, midnight(first), midnight(day))
        amounts = {moment.date(): self._amount(rule, device, record) for moment, record in records}
        allowance = PLANS.get(device.service_plan, 0) * 1024
        return _Used((device,), sum(amounts.values()), amounts.get(day, 0), allowance)

    def _amount(self, rule: Rule, device: Device, record: Mapping[str, Any]) -> int:
        if rule.measure == "data":
            return int(record["bytesUsed"])
        if rule.measure == "sms":
            return int(record["smsUsed"])
        if rule.anomalies is not None:
            found = self._platform.room(Intelligence).anomaly_in(device, _day_of(record), record["bytesUsed"])
            return int(found is not None and rule.anomalies.include(found.kind, is_over=found.is_over))
        if rule.measure == "session":
            return longest_session(self._platform, device, _day_of(record)) // timedelta(minutes=1)
        pairs = {pair["key"]: pair["value"] for pair in record["extendedAttributes"]}
        return int(pairs[_DIRECTIONS[rule.measure]])


def _day_of(record: Mapping[str, Any]) -> date:
    return datetime.fromisoformat(record["timestamp"]).date()


def _threshold_of(document: Mapping[str, Any], percentage: int | None) -> dict[str, Any]:
    """Return the members of an alert about the threshold, as the trigger's request has them."""
    if percentage is not None:
        return {"percentage": percentage}
    for part in _parts(document):
        if "threshold" in part:
            members = ("threshold", "thresholdUnit", "comparator", "comparitor")
            return {name.replace("comparitor", "comparator"): part[name] for name in members if name in part}
    return {}


def _parts(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a request's objects, outermost first."""
    yield value
    for inner in value.values():
        if isinstance(inner, Mapping):
            yield from _parts(inner)
