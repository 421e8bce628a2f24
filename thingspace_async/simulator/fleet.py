"""Simulated devices. Each is computed from the seed and its index, so 100,000 of them cost no memory."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import attrs

from thingspace_async.simulator.mechanisms.seeded import STEPS, mix

__all__ = ["DEFAULT_GROUP", "PLANS", "PLAN_CODES", "Device", "Event", "Fleet", "Group", "Groups", "Profile", "stamp"]

PLANS: Final = {"M2M_4G_5MB": 5 * 1024, "M2M_4G_50MB": 50 * 1024, "M2M_5G_1GB": 1024 * 1024, "M2M_PP": 0}
"""Kilobytes per month that each service plan includes; 0 for a plan that bills each kilobyte."""
PLAN_CODES: Final = tuple(PLANS)
DEFAULT_GROUP: Final = "Unassigned Devices"
"""The group of devices that are in no other group (PROTOCOL.md 5)."""

_MOST: Final = 1_000_000
"""The number of distinct generated identifiers, and so of devices."""
_FIRST_NUMBER: Final = 4_000_000_007
_STEP: Final = 3
_AT_ONCE: Final = 4
"""Devices per second of creation. Equal dates are the difficult case of paging by date (PROTOCOL.md 4.3)."""
_GROUPS: Final = (DEFAULT_GROUP, "East fleet", "West fleet", "Smart meters")
_MODELS: Final = ("VZM20Q", "LE910C4", "BG96", "EM7565")
_CITIES: Final = (("Basking Ridge", "NJ", "07920"), ("Irving", "TX", "75039"), ("Alpharetta", "GA", "30004"))
_FIRST_NEW_LINE: Final = 5_560_000_000
"""The first number for new lines, above all generated numbers."""


def _pair(key: str, value: str | None = None) -> dict[str, str]:
    return {"key": key} if value is None else {"key": key, "value": value}


def _attributes(place: int) -> list[dict[str, str]]:
    # The keys are those of the sample on the reference page for 5G devices. Some have no value there either:
    # https://thingspace.verizon.com/documentation/apis/connectivity-management/5gbi/api_reference/device_attributes.html
    city, state, zip_code = _CITIES[place % len(_CITIES)]
    return [
        _pair("PrimaryPlaceOfUseTitle"),
        _pair("PrimaryPlaceOfUseFirstName", "Zaphod"),
        _pair("PrimaryPlaceOfUseLastName", "Beeblebrox"),
        _pair("PrimaryPlaceOfUseAddressLine1", f"{place + 1} Main Street"),
        _pair("PrimaryPlaceOfUseAddressLine2"),
        _pair("PrimaryPlaceOfUseCity", city),
        _pair("PrimaryPlaceOfUseState", state),
        _pair("PrimaryPlaceOfUseCountry", "USA"),
        _pair("PrimaryPlaceOfUseZipCode", zip_code),
        _pair("PrimaryPlaceOfUseZipCode4"),
        _pair("SkuNumber", _MODELS[place % len(_MODELS)]),
        _pair("CostCenterCode", f"CC{place + 10}"),
        _pair("PreIMEI"),
        _pair("RoamingStatus", "NotRoaming"),
    ]


_ATTRIBUTES: Final = [_attributes(place) for place in range(60)]
"""Built once: building them for each device would take most of the time of a page."""


_DOUBLED: Final = dict(zip("0123456789", (0, 2, 4, 6, 8, 1, 3, 5, 7, 9), strict=True))
"""The digit sum of twice each digit."""


def _luhn(digits: str) -> str:
    """Append the Luhn check digit of an IMEI or ICCID."""
    total = sum(map(int, digits[-2::-2])) + sum(map(_DOUBLED.__getitem__, digits[-1::-2]))
    return digits + str(-total % 10)


def spelled_as_answered(device_ids: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return a request's identifiers with their kinds spelled as in answers (PROTOCOL.md 4.1)."""
    kinds = ((own["id"], own["kind"].casefold()) for own in device_ids)
    return [{"id": identifier, "kind": "iccId" if kind == "iccid" else kind} for identifier, kind in kinds]


def stamp(moment: datetime) -> str:
    """Format a time as most answers do: in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@attrs.frozen
class _Block:
    """Devices that were added together."""

    first: int
    account_name: str
    created: datetime
    pace: timedelta


@attrs.frozen(kw_only=True)
class Event:
    """One entry of a device's provisioning history."""

    occurred_at: datetime
    event_type: str
    """For example `Activate`, `Suspend`, `Restore`, `Deactivate`, `Change Plan`, `Change Identifier`, `Move`."""
    status: str
    """`Success` or `Failed`."""
    event_by: str
    """The user who sent the request."""
    service_plan: str | None
    """The plan after the event; None for a device that never had one."""
    mdn: str | None
    """The number after the event; None for a device without a line."""


@attrs.define(eq=False)
class Group:
    """A group of devices."""

    name: str
    description: str


class Groups:
    """The groups of one account."""

    def __init__(self) -> None:
        self.seeded: Final = tuple(Group(name, f"Simulated: {name}") for name in _GROUPS)
        """The groups that devices start in."""
        self.current: Final = list(self.seeded)

    @property
    def default(self) -> Group:
        """The group of devices that are in no other group."""
        return self.seeded[0]

    def find(self, name: str) -> Group | None:
        """Return the group with a name."""
        return next((group for group in self.current if group.name == name), None)

    def add(self, name: str, description: str = "") -> Group:
        """Add a group without devices."""
        group = Group(name, description)
        self.current.append(group)
        return group


@attrs.define
class Profile:
    """The downloaded profile on a device's eSIM. The device's original profile is not modelled."""

    # This page names the statuses, and the ones that an active device may have:
    # https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/working-with-verizon/working-with-euicc-devices.html
    status: str = "Not Downloaded"
    """Or `DOWNLOAD_DISABLE`, `DOWNLOAD_ENABLE`, `ENABLE`, `DISABLE`."""
    suspended: bool = False
    is_fallback: bool = False
    activation_code: str | None = None
    """The latest requested code; None before the first request."""


class Device:
    """One device. Its attributes are computed from its place in the fleet until they are set."""

    def __init__(self, fleet: Fleet, place: int) -> None:
        self._fleet = fleet
        self.place = place
        """Its index in the fleet."""

    @property
    def number(self) -> int:
        """The platform's own number, the extended attribute DeviceId. It increases with each added device."""
        return _FIRST_NUMBER + _STEP * self.place

    @property
    def created_at(self) -> datetime:
        """When it was added to its account."""
        return self._fleet.created_at(self.place)

    @cached_property
    def _luck(self) -> int:
        # An inlined `bits(seed, place)`: a page of 2,000 devices needs 2,000 of these.
        return mix(self._fleet.seed * STEPS[0] + self.place * STEPS[1])

    @cached_property
    def account_name(self) -> str:
        """The account that it belongs to."""
        return self._fleet.block_of(self.place).account_name

    @cached_property
    def state(self) -> str:
        """`active`, `suspend`, `deactive`, `preactive`, or any state that a test sets."""
        draw = self._luck % 100
        if draw < 80:
            return "active"
        return "suspend" if draw < 87 else "deactive" if draw < 94 else "preactive"

    @cached_property
    def service_plan(self) -> str:
        """The code of its plan."""
        return PLAN_CODES[(self._luck >> 8) % len(PLAN_CODES)]

    @property
    def group(self) -> Group:
        """Its group: the default group if its own was deleted."""
        groups = self._fleet.groups[self.account_name]
        return self._group if self._group in groups.current else groups.default

    @group.setter
    def group(self, group: Group) -> None:
        self._group = group

    @cached_property
    def _group(self) -> Group:
        seeded = self._fleet.groups[self.account_name].seeded
        return seeded[(self._luck >> 12) % len(seeded)]

    @property
    def group_name(self) -> str:
        """The name of its group. Setting it moves the device, and creates the group if necessary."""
        return self.group.name

    @group_name.setter
    def group_name(self, name: str) -> None:
        groups = self._fleet.groups[self.account_name]
        self.group = groups.find(name) or groups.add(name)

    @cached_property
    def texts(self) -> list[str]:
        """The SMS messages that were delivered to it, oldest first."""
        return []

    @cached_property
    def connected(self) -> bool:
        """Whether it has a data session at the moment."""
        return self.state == "active" and (self._luck >> 16) % 3 > 0

    @cached_property
    def events(self) -> list[Event]:
        """Its provisioning history since the simulator started, oldest first. Earlier events come from the seed."""
        return []

    @property
    def mdn(self) -> str | None:
        """Its phone number; None before its first activation."""
        return self._identifier("mdn")

    @property
    def imei(self) -> str | None:
        """The number of its hardware."""
        return self._identifier("imei")

    @property
    def iccid(self) -> str | None:
        """The number of its SIM."""
        return self._identifier("iccid")

    def _identifier(self, kind: str) -> str | None:
        return next((own["id"] for own in self._device_ids if own["kind"].casefold() == kind), None)

    @property
    def was_activated(self) -> bool:
        """Whether it is or was in service."""
        return self.state != "preactive" and (self.state != "pending activation" or self.mdn is not None)

    @property
    def last_activation(self) -> tuple[datetime, str]:
        """The time and user of its last activation. Only meaningful if `was_activated`."""
        for event in reversed(self.events):
            if event.event_type == "Activate" and event.status == "Success":
                return event.occurred_at, event.event_by
        created = self.created_at
        # A device that is added later is in service at once: its activation must not be in the future.
        delay = timedelta(minutes=self._luck % 1440) if created < self._fleet.start else timedelta()
        return created + delay, "Simulated User"

    @cached_property
    def eid(self) -> str:
        """The number of its eSIM. Requests can name it, but answers omit it until it is changed."""
        return self._identifier("eid") or f"89049032{self._fleet.serial(self.place):024d}"

    @cached_property
    def profile(self) -> Profile:
        """The downloaded profile on its eSIM."""
        return Profile()

    @property
    def device_ids(self) -> list[dict[str, str]]:
        """Its identifiers, with `iccId` spelled as in answers. Only an activated device has a phone number.

        The list is a copy: assign a new list to change them.
        """
        return list(self._device_ids)

    @device_ids.setter
    def device_ids(self, identifiers: list[dict[str, str]]) -> None:
        self._device_ids = list(identifiers)
        self._fleet.name(self)

    @cached_property
    def _device_ids(self) -> list[dict[str, str]]:
        serial = self._fleet.serial(self.place)
        sim = {"id": _luhn(f"8914800000{serial:09d}"), "kind": "iccId"}
        module = {"id": _luhn(f"35327209{serial:06d}"), "kind": "imei"}
        if self.state == "preactive":
            return [module, sim]
        line = str(5_550_000_000 + serial)
        return [{"id": line, "kind": "mdn"}, {"id": f"1{line}", "kind": "msisdn"}, module, sim]

    @cached_property
    def custom_fields(self) -> list[dict[str, str]]:
        """Its values of CustomField1 to CustomField5."""
        values = (
            f"Site {self._luck % 50}",
            f"Unit {self.place}",
            "Telemetry",
            f"Depot {self._luck % 7}",
            f"{self._fleet.start.year}",
        )
        return [_pair(f"CustomField{place}", value) for place, value in enumerate(values, start=1)]

    def write(self, fields: Iterable[dict[str, str]]) -> None:
        """Set custom fields; keep the others."""
        written = {field["key"]: field for field in [*self.custom_fields, *fields]}
        self.custom_fields = [written[key] for key in sorted(written)]

    @cached_property
    def extended_attributes(self) -> list[dict[str, str]]:
        """Its extended attributes without DeviceId. Devices share the list: change it with `describe`."""
        return _ATTRIBUTES[self._luck % len(_ATTRIBUTES)]

    def describe(self, values: Mapping[str, str | None]) -> None:
        """Set extended attributes. An attribute without a value is listed with its key only."""
        pairs = {pair["key"]: pair for pair in self.extended_attributes}
        self.extended_attributes = list((pairs | {key: _pair(key, value) for key, value in values.items()}).values())

    @cached_property
    def labels(self) -> list[dict[str, str]]:
        """Usage segmentation labels, each with its name and its value."""
        return []

    @cached_property
    def expected_imei(self) -> str | None:
        """The IMEI that Verizon expects for its SIM, if it differs; one in ten generated devices has one."""
        return _luhn(f"35327208{self._fleet.serial(self.place):06d}") if (self._luck >> 24) % 10 == 0 else None

    def has(self, kind: str, identifier: str) -> bool:
        """Return whether it has an identifier. The case of the kind is ignored (PROTOCOL.md 4.1)."""
        if kind.casefold() == "eid":
            return identifier == self.eid
        return any(own["id"] == identifier and own["kind"].casefold() == kind.casefold() for own in self._device_ids)

    def as_json(self, *, with_number: bool = True, bare_keys: bool = True) -> dict[str, Any]:
        """Return the platform's JSON object for it. Several members are absent before its first activation."""
        carrier = {"carrierName": "Verizon Wireless", "state": self.state}
        document: dict[str, Any] = {
            "accountName": self.account_name,
            "carrierInformations": [carrier],
            "connected": self.connected,
            "createdAt": stamp(self.created_at),
            "customFields": self.custom_fields,
            "deviceIds": self._device_ids,
            "extendedAttributes": self._shown_attributes(with_number=with_number, bare_keys=bare_keys),
            "groupNames": [self.group_name],
        }
        if self.was_activated:
            moment, user = self.last_activation
            carrier["servicePlan"] = self.service_plan
            # This date has an offset, the others are in UTC: the platform's samples have both (PROTOCOL.md 5).
            document["billingCycleEndDate"] = self._fleet.cycle_end
            document["ipAddress"] = f"10.{self._luck % 256}.{self._luck >> 8 & 255}.{self._luck >> 16 & 255}"
            document["lastActivationBy"] = user
            document["lastActivationDate"] = stamp(moment)
            last_seen = self._fleet.start - timedelta(seconds=self._luck % 86_400)
            document["lastConnectionDate"] = stamp(max(moment, last_seen))
        return document

    def _shown_attributes(self, *, with_number: bool, bare_keys: bool) -> list[dict[str, str]]:
        own = self.extended_attributes
        if not bare_keys:
            own = [_pair(pair["key"], pair.get("value", "")) for pair in own]
        return [*own, _pair("DeviceId", str(self.number))] if with_number else own


class Fleet:
    """The devices of all accounts, oldest first: sorted by date and by number.

    A device object is created on access. Objects that a test accessed are kept, because the test may have changed them.
    """

    def __init__(self, seed: int, start: datetime) -> None:
        self.seed = seed
        self.start = start
        following = start.replace(day=1) + timedelta(days=31)
        self.cycle_end: Final = f"{following.year}-{following.month:02}-09T20:00:00-05:00"
        """The end of the billing cycle at the simulator's start."""
        self._size = 0
        self._blocks: list[_Block] = []
        self._kept: dict[int, Device] = {}
        self._named: dict[tuple[str, str], Device] = {}
        """Devices whose identifiers were set, by identifier. Generated identifiers are computed instead."""
        self._gone: set[int] = set()
        self._added: set[int] = set()
        """The places of devices that requests added by identifier: the seed defines nothing about them."""
        self.groups: defaultdict[str, Groups] = defaultdict(Groups)
        """The groups of each account, by account name."""
        self._lines = itertools.count(_FIRST_NEW_LINE)
        self.uploaded: set[tuple[str, str]] = set()
        """Identifiers that manufacturers uploaded: kind in lower case, and value."""

    def add(self, account_name: str, count: int, created: datetime, pace: timedelta) -> None:
        """Add devices: groups of four with the same date, each group `pace` later than the one before."""
        if count < 0 or self._size + count > _MOST:
            raise ValueError(f"a simulator can have from 0 to {_MOST:,} devices")
        self._blocks.append(_Block(self._size, account_name, created.replace(microsecond=0), pace))
        self._size += count

    def add_named(self, account_name: str, device_ids: list[dict[str, str]], created: datetime) -> Device:
        """Add a device with given identifiers: preactive, in the default group, and without custom fields."""
        self.add(account_name, 1, created, timedelta())
        device = self._keep(self._size - 1)
        self._added.add(device.place)
        device.state, device.group, device.custom_fields = "preactive", self.groups[account_name].default, []
        device.extended_attributes = [_pair(pair["key"]) for pair in device.extended_attributes]
        device.expected_imei = None
        device.device_ids = spelled_as_answered(device_ids)
        return device

    def new_line(self) -> list[dict[str, str]]:
        """Return the identifiers of a new line: no device has had them."""
        line = str(next(self._lines))
        return [{"id": line, "kind": "mdn"}, {"id": f"1{line}", "kind": "msisdn"}]

    def __len__(self) -> int:
        return self._size - len(self._gone)

    def __getitem__(self, index: int) -> Device:
        return self._keep(self._places()[index])

    def __iter__(self) -> Iterator[Device]:
        return (self._keep(place) for place in self._places())

    def _places(self) -> Sequence[int]:
        if not self._gone:
            return range(self._size)
        return [place for place in range(self._size) if place not in self._gone]

    def _keep(self, place: int) -> Device:
        return self._kept.setdefault(place, self._peek(place))

    def _peek(self, place: int) -> Device:
        return self._kept.get(place) or Device(self, place)

    def walk(self, *, behind: int = 0, earliest: datetime | None = None) -> Iterator[Device]:
        """Yield the devices after a number and from a date on. Callers must not change them: see `keep`."""
        begin = max(0, (behind - _FIRST_NUMBER) // _STEP + 1)
        if earliest is not None:
            begin = max(begin, bisect.bisect_left(range(self._size), earliest, key=self.created_at))
        return (self._peek(place) for place in range(begin, self._size) if place not in self._gone)

    def find(self, kind: str, identifier: str) -> Device | None:
        """Return the device with an identifier. Callers must not change it: see `find_to_change`."""
        named = self._named.get((kind.casefold(), identifier))
        if named is not None and named.place not in self._gone and named.has(kind, identifier):
            return named
        candidates = (self._peek(place) for place in self._indexes(identifier) if place < self._size)
        for device in candidates:
            if device.has(kind, identifier) and device.place not in self._gone:
                return device
        return None

    def knew(self, kind: str, identifier: str) -> bool:
        """Return whether an existing device has or once had an identifier."""
        seeded = (self.seeded(place) for place in self._indexes(identifier) if place < self._size)
        known = [device for device in seeded if device is not None and device.has(kind, identifier)]
        if (named := self._named.get((kind.casefold(), identifier))) is not None:
            known.append(named)
        return any(device.place not in self._gone for device in known)

    def find_to_change(self, kind: str, identifier: str) -> Device | None:
        """Return the device with an identifier, and keep changes to it."""
        device = self.find(kind, identifier)
        return None if device is None else self.keep(device)

    def keep(self, device: Device) -> Device:
        """Return the device to change for one that was found read-only."""
        return self._keep(device.place)

    def seeded(self, place: int) -> Device | None:
        """Return a device as generated, before all changes; None for a device that a request added."""
        return None if place in self._added else Device(self, place)

    def remove(self, device: Device) -> None:
        """Delete a device without a trace."""
        self._gone.add(device.place)
        self._kept.pop(device.place, None)

    def name(self, device: Device) -> None:
        """Index a device whose identifiers were set."""
        for own in (*device.device_ids, {"kind": "eid", "id": device.eid}):
            self._named[own["kind"].casefold(), own["id"]] = device

    def serial(self, index: int) -> int:
        """Return the number in a device's generated identifiers."""
        return (index + self.seed * 7919) % _MOST

    def _indexes(self, identifier: str) -> Iterator[int]:
        """Yield the possible places of a generated identifier, whose last digit may be a check digit."""
        for digits in (identifier[-6:], identifier[-7:-1]):
            if digits.isascii() and digits.isdigit():
                yield (int(digits) - self.seed * 7919) % _MOST

    def block_of(self, index: int) -> _Block:
        """Return the block that a device was added with."""
        return self._blocks[bisect.bisect_right(self._blocks, index, key=lambda block: block.first) - 1]

    def created_at(self, index: int) -> datetime:
        """Return the time at which a device was added."""
        block = self.block_of(index)
        return block.created + (index - block.first) // _AT_ONCE * block.pace
