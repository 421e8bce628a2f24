"""The state of Sensor Insights: the resources of each account, and the sensors on their way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import attrs

from thingspace_async.simulator.fleet import Device, stamp
from thingspace_async.simulator.mechanisms.seeded import bits, chosen, share
from thingspace_async.simulator.platform import Platform

__all__ = ["Account", "Boarding", "Resource", "SensorInsights", "deveui_of"]

Resource = dict[str, Any]
"""A resource in the form of answers. A sensor has its EUI, too, which answers leave out."""

_SEEDED: Final = 20
"""Devices of an account that Sensor Insights knows from the start."""
_GATEWAY_EVERY: Final = 4
_SEVERITIES: Final = ("critical", "major", "minor")


def deveui_of(text: str) -> str:
    """Return the one spelling of an EUI."""
    return text.upper()


@attrs.define(kw_only=True)
class Boarding:
    """The onboardings, or the offboardings, of a sensor."""

    running: bool = False
    events: list[Resource] = attrs.field(factory=list[Resource])
    """Oldest first."""


@attrs.define(kw_only=True)
class Account:
    """The resources of an account by id."""

    name: str
    devices: dict[str, Resource] = attrs.field(factory=dict[str, Resource])
    profiles: dict[str, Resource] = attrs.field(factory=dict[str, Resource])
    rules: dict[str, Resource] = attrs.field(factory=dict[str, Resource])
    alerts: dict[str, Resource] = attrs.field(factory=dict[str, Resource])
    groups: dict[str, Resource] = attrs.field(factory=dict[str, Resource])
    users: dict[str, Resource] = attrs.field(factory=dict[str, Resource])
    onboarding: dict[str, Boarding] = attrs.field(factory=dict[str, Boarding])
    """By the EUI of the sensor."""
    offboarding: dict[str, Boarding] = attrs.field(factory=dict[str, Boarding])

    @property
    def gateways(self) -> list[Resource]:
        """The gateways."""
        return [one for one in self.devices.values() if one["refidtype"] == "gateway"]

    @property
    def sensors(self) -> list[Resource]:
        """The onboarded sensors."""
        return [one for one in self.devices.values() if one["refidtype"] == "sensor"]

    def sensor(self, dev_eui: str) -> Resource | None:
        """Return the onboarded sensor with an EUI."""
        return next((one for one in self.sensors if one["deveui"] == dev_eui), None)


class SensorInsights:
    """The accounts. A few devices, rules and alerts follow from the seed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._accounts: dict[str, Account] = {}

    def account(self, name: str) -> Account:
        """Return the resources of an account."""
        if name not in self._accounts:
            self._accounts[name] = self._seeded(name)
        return self._accounts[name]

    def all_accounts(self) -> Iterator[Account]:
        """Yield the accounts of the user."""
        return (self.account(name) for name in sorted(self._platform.accounts))

    def made(self, account_name: str, identifier: str | None = None, at: datetime | None = None) -> Resource:
        """Return the members that every resource has."""
        moment = stamp(at or self._platform.clock.now())
        return {
            "id": identifier or self._platform.new_id(),
            "version": "1",
            "versionid": "1",
            "foreignid": account_name,
            "billingaccountid": account_name,
            "createdon": moment,
            "lastupdated": moment,
        }

    def touch(self, resource: Resource) -> None:
        """Note a change of a resource."""
        resource["versionid"] = str(int(resource["versionid"]) + 1)
        resource["lastupdated"] = stamp(self._platform.clock.now())

    def _id(self, what: str, place: int) -> str:
        """Return an id that follows from the seed. Reads must not use up the platform's ids."""
        seed = self._platform.seed
        return str(uuid.UUID(int=bits(seed, what, place) << 64 | bits(seed, what, place, 1), version=4))

    def _seeded(self, name: str) -> Account:
        account = Account(name=name)
        walk = self._platform.devices.walk()
        for device in islice((one for one in walk if one.account_name == name), _SEEDED):
            made = self._device(device)
            account.devices[made["id"]] = made
            if made["refidtype"] == "gateway":
                self._add_rule(account, made, device.place)
        return account

    def _device(self, device: Device) -> Resource:
        place, seed = device.place, self._platform.seed
        is_gateway = place % _GATEWAY_EVERY == 0
        return {
            **self.made(device.account_name, self._id("device", place), device.created_at),
            "name": f"{'Gateway' if is_gateway else 'Tracker'} {place}",
            "state": device.state,
            "imei": int(device.imei or 0),
            "iccid": device.iccid,
            "serial": f"VZ{place:06d}",
            "manufacturer": chosen(("Quectel", "Sierra Wireless", "Telit"), seed, place, "maker"),
            "refidtype": "gateway" if is_gateway else "device",
            "fields": {"battery": str(int(20 + 80 * share(seed, place, "battery")))},
        }

    def _add_rule(self, account: Account, gateway: Resource, place: int) -> None:
        begin = self._platform.devices.start - timedelta(hours=23)  # The time of the first request must not matter.
        about = {"deviceid": gateway["id"], "accountclientid": account.name}
        rule = {
            **self.made(account.name, self._id("rule", place), begin),
            **about,
            "name": f"Low battery of {gateway['name']}",
            "disabled": False,
            "rulesyntax": "json",
            "rulechain": {"if": {"field": "battery", "below": 20}, "then": {"alert": "low battery"}},
        }
        alert = {
            **self.made(account.name, self._id("alert", place), begin),
            **about,
            "name": f"Low battery of {gateway['name']}",
            "ruleid": rule["id"],
            "severity": chosen(_SEVERITIES, self._platform.seed, place, "severity"),
            "state": "active",
            "isacknowledged": False,
            "iscleared": False,
            "isdisabled": False,
        }
        account.rules[rule["id"]] = rule
        account.alerts[alert["id"]] = alert
