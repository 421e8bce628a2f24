"""Handlers for devices, gateways and sensors."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.mechanisms.seeded import share
from thingspace_async.simulator.rooms.sensor_insights.reading import (
    account_of,
    bad,
    change,
    device_of,
    resource_of,
    unknown,
)
from thingspace_async.simulator.rooms.sensor_insights.state import (
    Account,
    Boarding,
    Resource,
    SensorInsights,
    deveui_of,
)
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = [
    "last_reported",
    "list_experience",
    "list_network_experience",
    "offboard",
    "offboarding_status",
    "onboard",
    "onboarding_status",
    "set_configuration",
    "update_device",
]

_FIXED: Final = ("id", "version", "versionid", "createdon", "lastupdated", "foreignid", "billingaccountid")
_DAYS: Final = 30
_HOURS: Final = 24


def update_device(call: Call) -> Answer:
    """Change a device."""
    wanted = call.document()
    found = device_of(wanted, account_of(call, wanted))
    members = required(wanted, "device", dict)
    return change(call, found, {name: value for name, value in members.items() if name not in _FIXED})


def last_reported(call: Call) -> Answer:
    """Show the last report of a device: each reports at the full hour."""
    wanted = call.document()
    account = account_of(call, wanted)
    found = device_of(wanted, account)
    hour = call.platform.clock.now().replace(minute=0, second=0, microsecond=0)
    degrees = 15 + 10 * share(call.platform.seed, found["id"], hour.hour)
    room = call.platform.room(SensorInsights)
    event = {
        **room.made(account.name, f"{found['id']}-{hour.hour}", hour),
        "deviceid": found["id"],
        "name": "Reading",
        "state": "success",
        "fieldid": "temperature",
        "fields": {**found["fields"], "temperature": f"{degrees:.1f}"},
    }
    del event["billingaccountid"]
    return Answer(200, {"event": event, "timestamp": stamp(hour)})


def set_configuration(call: Call) -> Answer:
    """Accept settings for a device, in either of the two forms."""
    wanted = call.document()
    settings = required(wanted, "configuration", dict)
    if "RbsHighPrecisionTiltConfig" in settings:
        account = account_of(call, wanted, "accountName")
        found = resource_of(wanted, account.devices, "device")
    elif "deviceConfig" in settings:
        account = account_of(call, wanted)
        found = device_of(wanted, account)
    else:
        raise bad("must have deviceConfig or RbsHighPrecisionTiltConfig", at=(wanted, "configuration"))
    result = {
        **call.platform.room(SensorInsights).made(account.name),
        "deviceid": found["id"],
        "state": "pending",
        "transactionid": call.platform.new_id(),
        "fields": settings,
    }
    del result["billingaccountid"]
    return Answer(200, {"actionresult": [result]})


def list_experience(call: Call, account: Account) -> list[Resource]:
    """Return the experience of devices on each of the last days, newest first."""
    today = call.platform.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return [_experience(call, account, today - timedelta(days=back), "day") for back in range(_DAYS)]


def list_network_experience(call: Call, account: Account) -> list[Resource]:
    """Return the experience of the network in each of the last hours, newest first."""
    hour = call.platform.clock.now().replace(minute=0, second=0, microsecond=0)
    found: list[Resource] = []
    for back in range(_HOURS):
        moment = hour - timedelta(hours=back)
        found.append({**_experience(call, account, moment, "hour"), "hours": moment.hour, "minutes": 0})
    return found


def _experience(call: Call, account: Account, moment: datetime, what: str) -> Resource:
    total = len(account.devices)
    bad_ones = int(total * 0.2 * share(call.platform.seed, account.name, what, int(moment.timestamp())))
    fair = (total - bad_ones) // 4
    room, identifier = call.platform.room(SensorInsights), f"{account.name}-{what}-{moment:%Y%m%d%H}"
    return {
        **room.made(account.name, identifier, moment),
        "date": stamp(moment),
        "devicesbad": bad_ones,
        "devicesfair": fair,
        "devicesgood": total - bad_ones - fair,
        "devicestotal": total,
    }


# Onboarding


def onboard(call: Call) -> Answer:
    """Begin to onboard a sensor. ASSUMPTION: a sensor that is onboarded or on its way is refused."""
    wanted = call.document()
    account = account_of(call, wanted)
    added = required(required(wanted, "payload", dict), "addsensor", dict)
    required(added, "class", str)
    required(added, "kind", str)
    kept: Resource = {name: required(added, name, str) for name in ("name", "description")}
    kept |= {"customdata": custom} if (custom := optional(added, "customdata", dict)) else {}
    _hexadecimal(added, "appeui", 16)
    dev_eui, app_key = deveui_of(_hexadecimal(added, "deveui", 16)), _hexadecimal(added, "appkey", 32)
    boarding = account.onboarding.setdefault(dev_eui, Boarding())
    if boarding.running or account.sensor(dev_eui) is not None:
        raise bad("is the EUI of a sensor that is onboarded, or on its way", at=(added, "deveui"))
    platform = call.platform

    def finish(event: Resource, moment: datetime) -> None:
        # A key of zeros fails, so that clients in any language can test failures.
        if set(app_key) == {"0"}:
            event.update(state="failed", errmsg="The sensor did not join: check its keys.")
            return
        event["state"] = "registered"
        parents = {"parentdeviceid": account.gateways[0]["id"]} if account.gateways else {}
        made = {**platform.room(SensorInsights).made(account.name, at=moment), **kept, **parents}
        made |= {"state": "active", "refidtype": "sensor", "deveui": dev_eui, "fields": {"battery": "100"}}
        account.devices[made["id"]] = made

    return _begin(call, boarding, finish)


def offboard(call: Call) -> Answer:
    """Begin to offboard a sensor."""
    wanted = call.document()
    account = account_of(call, wanted)
    removed = required(required(wanted, "configuration", dict), "removesensor", dict)
    dev_eui = deveui_of(_hexadecimal(removed, "deveui", 16))
    sensor = account.sensor(dev_eui)
    boarding = account.offboarding.get(dev_eui) or Boarding()
    if sensor is None or boarding.running:
        raise bad("is not the EUI of an onboarded sensor, or it is being offboarded", at=(removed, "deveui"))
    account.offboarding[dev_eui] = boarding

    def finish(event: Resource, _: datetime) -> None:
        event["state"] = "deregistered"
        account.devices.pop(sensor["id"], None)

    return _begin(call, boarding, finish)


def _begin(call: Call, boarding: Boarding, finish: Callable[[Resource, datetime], None]) -> Answer:
    """Note the first event of a transaction, and finish it later."""
    platform, transaction_id = call.platform, call.platform.new_id()

    begin = platform.clock.now()
    due = begin + platform.assumptions.request_time

    def event(moment: datetime) -> Resource:
        return {"state": "pending", "transactionid": transaction_id, "createdon": stamp(moment)}

    def end() -> None:
        last = event(due)
        finish(last, due)
        boarding.running = False
        boarding.events.append(last)

    boarding.running = True
    boarding.events.append(event(begin))
    platform.agenda.put(due, end)
    return Answer(200)


def onboarding_status(call: Call) -> Answer:
    """Show the events of the onboardings of a sensor."""
    account, dev_eui = _named(call, "onboarding")
    found = account.onboarding.get(dev_eui)
    if found is None:
        raise unknown("sensor")
    return Answer(200, {"events": found.events})


def offboarding_status(call: Call) -> Answer:
    """Show the events of the offboardings of a sensor."""
    account, dev_eui = _named(call, "offboarding")
    found = account.offboarding.get(dev_eui)
    if found is None:
        raise unknown("sensor")
    return Answer(200, {"events": found.events, "isstillregistered": account.sensor(dev_eui) is not None})


def _named(call: Call, what: str) -> tuple[Account, str]:
    wanted = call.document()
    account = account_of(call, wanted)
    gateway = required(required(wanted, "gatewayidentifier", dict), "deviceid", str)
    if gateway not in {one["id"] for one in account.gateways}:
        raise unknown("gateway")
    return account, deveui_of(required(required(wanted, what, dict), "sensoridentifier", str))


def _hexadecimal(document: dict[str, Any], name: str, size: int) -> str:
    text = required(document, name, str)
    if re.fullmatch(rf"[0-9A-Fa-f]{{{size}}}", text) is None:
        raise bad(f"must be {size} hexadecimal characters", at=(document, name))
    return text
