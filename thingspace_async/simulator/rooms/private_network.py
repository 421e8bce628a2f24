"""Handlers for private networks. The measured values follow from the seed and the hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.private_network.calls import (
    ACTIVATE,
    CHANGE_IP_ADDRESS,
    CHANGE_PROFILE,
    DEACTIVATE,
    KPIS,
    PERFORMANCE_CONSENT,
    PROFILES,
)
from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.mechanisms.seeded import share
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import Chosen, chosen_devices, objects_of
from thingspace_async.simulator.wire import Answer, Call, Handler, required, unexpected

__all__ = ["HANDLERS", "Member", "PrivateNetwork"]

_SERVICE: Final = "PwnService"
_UNEXPECTED: Final = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
# The names are those of the SDKs' samples.
_PROFILES: Final = {
    "HSS-EsmProfile_Enterprise": "HSS EsmProfile Enterprise",
    "HSS-EsmProfile_Enterprise_5G": "HSS EsmProfile Enterprise 5G",
    "HSS-EsmProfile_Enterprise_5G_internet": "HSS EsmProfile Enterprise 5G internet",
}
_NODES: Final = ("132924_ENB_VZ_EULESS_OLTE_RD-01", "132925_GNB_VZ_EULESS_N77_RD-02")
_THROUGHPUTS: Final = {
    "DOWNLINK_THROUGHPUT": ("Downlink throughput (4G)", 80),
    "UPLINK_THROUGHPUT": ("Uplink throughput (4G)", 20),
}
"""The description and the highest value of each measurement, in Mbps."""


@attrs.define
class Member:
    """A device in service in a private network."""

    profile: str
    ip_address: str | None = None


class PrivateNetwork:
    """The devices in service, and the consents."""

    def __init__(self, _: Platform) -> None:
        self.members: dict[int, Member] = {}
        """The devices in service, by their index in the fleet."""
        self.consents: defaultdict[str, bool] = defaultdict(lambda: True)
        """Whether each account has consented to measurements."""


Change = Callable[[dict[int, Member], int], object]
"""Changes the device with an index in the fleet."""


def activate(call: Call) -> Answer:
    """Accept devices that begin service."""
    wanted = call.document()
    chosen = required(wanted, "activate", dict)
    profile = required(chosen, "profile", str)

    def change(members: dict[int, Member], place: int) -> None:
        if place in members:
            raise DeviceFault("UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive", "Device is already active")
        members[place] = Member(_known(profile))

    return _accept(call, wanted, [change])


def deactivate(call: Call) -> Answer:
    """Accept devices that end service."""

    def change(members: dict[int, Member], place: int) -> None:
        _member(members, place)
        del members[place]

    return _accept(call, call.document(), [change])


def change_profile(call: Call) -> Answer:
    """Accept devices that get another profile."""
    wanted = call.document()
    profile = required(wanted, "newProfile", str)

    def change(members: dict[int, Member], place: int) -> None:
        _member(members, place).profile = _known(profile)

    return _accept(call, wanted, [change])


def change_ip_address(call: Call) -> Answer:
    """Accept devices that get other addresses."""
    wanted = call.document()
    listed = objects_of(wanted, "deviceList")
    addresses = [required(one, "ipAddress", str) for one in listed]

    def change_to(address: str) -> Change:
        def change(members: dict[int, Member], place: int) -> None:
            _member(members, place).ip_address = address

        return change

    return _accept(call, wanted, [change_to(address) for address in addresses])


def _known(profile: str) -> str:
    if profile not in _PROFILES.values():
        raise DeviceFault(_UNEXPECTED, f"The profile {profile} could not be found.")
    return profile


def _member(members: Mapping[int, Member], place: int) -> Member:
    if place not in members:
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not in service.")
    return members[place]


def _accept(call: Call, wanted: Mapping[str, Any], changes: list[Change]) -> Answer:
    """Accept changes of the listed devices: one for all of them, or one for each."""
    account_name = call.check_account(required(wanted, "accountName", str))
    devices = chosen_devices(call, wanted, name="deviceList")
    if not devices:
        raise unexpected("must list a device", at=(wanted, "deviceList"))
    members = call.platform.room(PrivateNetwork).members

    def carry_out(one: Chosen, change: Change) -> object:
        return change(members, one.existing(account_name).place)

    each = changes if len(changes) == len(devices) else changes * len(devices)
    work = [Work(one.device_ids, partial(carry_out, one, change)) for one, change in zip(devices, each, strict=True)]
    return Answer(200, {"requestId": call.platform.accept(work, account_name=account_name, service=_SERVICE)})


def profiles(call: Call) -> Answer:
    """List the profiles, which are the same for all accounts."""
    call.check_account(call.path["account_name"])
    return Answer(200, {"profiles": [{"profileId": one, "profileName": name} for one, name in _PROFILES.items()]})


def kpis(call: Call) -> Answer:
    """List the measured values of the present hour. Without consent, there are none."""
    account_name = call.check_account(call.path["account_name"])
    hour = call.platform.clock.now().replace(minute=0, second=0, microsecond=0)
    number = int(hour.timestamp()) // 3600
    listed = [
        {
            "name": name,
            "value": f"{most * share(call.platform.seed, node, name, number):.1f}",
            "nodeName": node,
            "nodeType": "BASEBAND",
            "description": description,
            "unit": "Mbps",
            "category": "Network Performance Radio",
            "timeOfLastUpdate": stamp(hour),
        }
        for node in _NODES
        for name, (description, most) in _THROUGHPUTS.items()
    ]
    consents = call.platform.room(PrivateNetwork).consents
    return Answer(200, {"KpiInfoList": listed if consents[account_name] else []})


def performance_consent(call: Call) -> Answer:
    """Report whether the account has consented."""
    account_name = call.check_account(call.path["account_name"])
    given = call.platform.room(PrivateNetwork).consents[account_name]
    return Answer(200, {"consent": "true" if given else "false"})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    ACTIVATE: activate,
    DEACTIVATE: deactivate,
    CHANGE_PROFILE: change_profile,
    CHANGE_IP_ADDRESS: change_ip_address,
    PROFILES: profiles,
    KPIS: kpis,
    PERFORMANCE_CONSENT: performance_consent,
}
