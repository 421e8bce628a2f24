"""Simulated devices: each follows from the seed and its place, so a hundred thousand cost no memory."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import attrs

__all__ = ["DEFAULT_GROUP", "PLAN_CODES", "Device", "Event", "Fleet", "Group", "Groups", "Profile", "stamp"]

PLAN_CODES: Final = ("M2M_4G_5MB", "M2M_4G_50MB", "M2M_5G_1GB", "M2M_PP")
DEFAULT_GROUP: Final = "Unassigned Devices"
"""The group of devices that are in no other (protocol.md 5)."""

_MOST: Final = 1_000_000
"""Devices that the generated identifiers have room for."""
_FIRST_NUMBER: Final = 4_000_000_007
_STEP: Final = 3
_AT_ONCE: Final = 4
"""Devices that were added in the same second, since that is what paging by date stumbles over (protocol.md 4.3)."""
_GROUPS: Final = (DEFAULT_GROUP, "East fleet", "West fleet", "Smart meters")
_MODELS: Final = ("VZM20Q", "LE910C4", "BG96", "EM7565")
_CITIES: Final = (("Basking Ridge", "NJ", "07920"), ("Irving", "TX", "75039"), ("Alpharetta", "GA", "30004"))
_MASK: Final = (1 << 64) - 1
_FIRST_NEW_LINE: Final = 5_560_000_000
"""Behind the numbers that are generated."""


def _pair(key: str, value: str | None = None) -> dict[str, str]:
    return {"key": key} if value is None else {"key": key, "value": value}


def _attributes(place: int) -> list[dict[str, str]]:
    # Keys of the sample on the reference page for 5G devices, some without a value as there:
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
"""Made once, since making them for each device would take most of the time that a page takes."""


_DOUBLED: Final = dict(zip("0123456789", (0, 2, 4, 6, 8, 1, 3, 5, 7, 9), strict=True))
"""The sum of the digits of twice a digit."""


def _luhn(digits: str) -> str:
    """Append the check digit that IMEIs and ICCIDs end with."""
    total = sum(map(int, digits[-2::-2])) + sum(map(_DOUBLED.__getitem__, digits[-1::-2]))
    return digits + str(-total % 10)


def spelled_as_answered(device_ids: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return identifiers of a request with their kinds as answers spell them (protocol.md 4.1)."""
    kinds = ((own["id"], own["kind"].casefold()) for own in device_ids)
    return [{"id": identifier, "kind": "iccId" if kind == "iccid" else kind} for identifier, kind in kinds]


def stamp(moment: datetime) -> str:
    """Write a time as most answers have it: in UTC, to the second."""
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
    """What provisioning did to a device."""

    occurred_at: datetime
    event_type: str
    """Such as `Activate`, `Suspend`, `Restore`, `Deactivate`, `Change Plan`, `Change Identifier`, `Move`."""
    status: str
    """`Success` or `Failed`."""
    event_by: str
    """The user who asked for it."""
    service_plan: str | None
    """As it was afterwards; None for a device that never had one."""
    mdn: str | None
    """As it was afterwards; None for a device without a line."""


@attrs.define(eq=False)
class Group:
    """A group of devices."""

    name: str
    description: str


class Groups:
    """The groups of one account."""

    def __init__(self) -> None:
        self.seeded: Final = tuple(Group(name, f"Simulated: {name}") for name in _GROUPS)
        """Those that devices are in until they are moved."""
        self.current: Final = list(self.seeded)

    @property
    def default(self) -> Group:
        """The group of the devices that are in no other."""
        return self.seeded[0]

    def find(self, name: str) -> Group | None:
        """Return the group of a name."""
        return next((group for group in self.current if group.name == name), None)

    def add(self, name: str, description: str = "") -> Group:
        """Add a group without devices."""
        group = Group(name, description)
        self.current.append(group)
        return group


@attrs.define
class Profile:
    """The profile on a device's eSIM, other than the one that the device was made with."""

    # The page on these devices names the statuses, and says which of them an active device may have:
    # https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/working-with-verizon/working-with-euicc-devices.html
    status: str = "Not Downloaded"
    """Or `DOWNLOAD_DISABLE`, `DOWNLOAD_ENABLE`, `ENABLE`, `DISABLE`."""
    suspended: bool = False
    is_fallback: bool = False
    activation_code: str | None = None
    """The latest that was asked for; None before the first."""


class Device:
    """One device. Its attributes follow from its place in the fleet until they are set."""

    def __init__(self, fleet: Fleet, place: int) -> None:
        self._fleet = fleet
        self.place = place
        """Where it stands in the fleet."""

    @property
    def number(self) -> int:
        """The platform's own number, the extended attribute DeviceId; later devices have larger ones."""
        return _FIRST_NUMBER + _STEP * self.place

    @property
    def created_at(self) -> datetime:
        """When it was added to its account."""
        return self._fleet.created_at(self.place)

    @cached_property
    def _luck(self) -> int:
        """Bits that look random: splitmix64 of seed and place."""
        mixed = (self.place * 0x9E3779B97F4A7C15 + self._fleet.seed * 0xD1B54A32D192ED03) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    @cached_property
    def account_name(self) -> str:
        """The account that it belongs to."""
        return self._fleet.block_of(self.place).account_name

    @cached_property
    def state(self) -> str:
        """`active`, `suspend`, `deactive`, `preactive`, or whatever a test sets."""
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
        """The one group that it is in: the default one when its own has been deleted."""
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
        """The name of its group; set it to move the device, into a new group where there is none of the name."""
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
        """What was done to it since the simulator began, oldest first; what was before follows from the seed."""
        return []

    @property
    def mdn(self) -> str | None:
        """The number of its line; None before it is activated for the first time."""
        return next((own["id"] for own in self._device_ids if own["kind"].casefold() == "mdn"), None)

    @property
    def was_activated(self) -> bool:
        """Whether it is or was in service."""
        return self.state != "preactive" and (self.state != "pending activation" or self.mdn is not None)

    @property
    def last_activation(self) -> tuple[datetime, str]:
        """When it was last activated and by whom, if it was."""
        for event in reversed(self.events):
            if event.event_type == "Activate" and event.status == "Success":
                return event.occurred_at, event.event_by
        created = self.created_at
        # What is added while the simulator runs is in service at once, and not at a time that is still to come.
        delay = timedelta(minutes=self._luck % 1440) if created < self._fleet.start else timedelta()
        return created + delay, "Simulated User"

    @cached_property
    def eid(self) -> str:
        """The number of its eSIM, by which it is found though answers leave it out until it is changed."""
        given = next((own["id"] for own in self._device_ids if own["kind"].casefold() == "eid"), None)
        return given or f"89049032{self._fleet.serial(self.place):024d}"

    @cached_property
    def profile(self) -> Profile:
        """What is on its eSIM."""
        return Profile()

    @property
    def device_ids(self) -> list[dict[str, str]]:
        """Its identifiers, with `iccId` spelled as answers spell it; only an activated line has a number.

        Set them to change them: the list is a copy.
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
        """CustomField1 to CustomField5."""
        values = (f"Site {self._luck % 50}", f"Unit {self.place}", "Telemetry", f"Depot {self._luck % 7}", "2026")
        return [_pair(f"CustomField{place}", value) for place, value in enumerate(values, start=1)]

    def write(self, fields: Iterable[dict[str, str]]) -> None:
        """Write custom fields; those that are not named stay."""
        written = {field["key"]: field for field in [*self.custom_fields, *fields]}
        self.custom_fields = [written[key] for key in sorted(written)]

    @cached_property
    def extended_attributes(self) -> list[dict[str, str]]:
        """What an answer lists beside the documented members, less the number; shared between devices: `describe`."""
        return _ATTRIBUTES[self._luck % len(_ATTRIBUTES)]

    def describe(self, values: Mapping[str, str | None]) -> None:
        """Set extended attributes; one without a value is listed by its key alone."""
        pairs = {pair["key"]: pair for pair in self.extended_attributes}
        self.extended_attributes = list((pairs | {key: _pair(key, value) for key, value in values.items()}).values())

    @cached_property
    def labels(self) -> list[dict[str, str]]:
        """Usage segmentation labels, each with its name and its value."""
        return []

    @cached_property
    def expected_imei(self) -> str | None:
        """The hardware that Verizon expects its SIM in, if it is in other: of the seed, one in ten is."""
        return _luhn(f"35327208{self._fleet.serial(self.place):06d}") if (self._luck >> 24) % 10 == 0 else None

    def has(self, kind: str, identifier: str) -> bool:
        """Say whether it bears an identifier; the case of the kind does not matter (protocol.md 4.1)."""
        if kind.casefold() == "eid":
            return identifier == self.eid
        return any(own["id"] == identifier and own["kind"].casefold() == kind.casefold() for own in self._device_ids)

    def as_json(self, *, with_number: bool = True) -> dict[str, Any]:
        """Return what the platform answers about it; one that was never activated lacks several fields."""
        carrier = {"carrierName": "Verizon Wireless", "state": self.state}
        document: dict[str, Any] = {
            "accountName": self.account_name,
            "carrierInformations": [carrier],
            "connected": self.connected,
            "createdAt": stamp(self.created_at),
            "customFields": self.custom_fields,
            "deviceIds": self._device_ids,
            "extendedAttributes": self._numbered_attributes(with_number=with_number),
            "groupNames": [self.group_name],
        }
        if self.was_activated:
            moment, user = self.last_activation
            carrier["servicePlan"] = self.service_plan
            # This one with an offset and the others in UTC: the platform's samples have both (protocol.md 5).
            document["billingCycleEndDate"] = "2026-02-09T20:00:00-05:00"
            document["ipAddress"] = f"10.{self._luck % 256}.{self._luck >> 8 & 255}.{self._luck >> 16 & 255}"
            document["lastActivationBy"] = user
            document["lastActivationDate"] = stamp(moment)
            last_seen = self._fleet.start - timedelta(seconds=self._luck % 86_400)
            document["lastConnectionDate"] = stamp(max(moment, last_seen))
        return document

    def _numbered_attributes(self, *, with_number: bool) -> list[dict[str, str]]:
        own = self.extended_attributes
        return [*own, _pair("DeviceId", str(self.number))] if with_number else own


class Fleet:
    """The devices of all accounts, oldest first, so that date and number sort them alike.

    A device is made when it is asked for. One that a test has asked for is kept, since the test may have set something.
    """

    def __init__(self, seed: int, start: datetime) -> None:
        self.seed = seed
        self.start = start
        self._size = 0
        self._blocks: list[_Block] = []
        self._kept: dict[int, Device] = {}
        self._named: dict[tuple[str, str], Device] = {}
        """Devices whose identifiers were set, by each of them; those that follow from the seed are computed."""
        self._gone: set[int] = set()
        self._added: set[int] = set()
        """Of the devices that requests have named, of which nothing follows from the seed."""
        self.groups: defaultdict[str, Groups] = defaultdict(Groups)
        """The groups of each account, by its name."""
        self._lines = itertools.count(_FIRST_NEW_LINE)
        self.uploaded: set[tuple[str, str]] = set()
        """Kinds, in small letters, and values of identifiers that manufacturers made known."""

    def add(self, account_name: str, count: int, created: datetime, pace: timedelta) -> None:
        """Add devices, a few at the same time and the next ones a `pace` later."""
        if count < 0 or self._size + count > _MOST:
            raise ValueError(f"a simulator has from 0 to {_MOST:,} devices")
        self._blocks.append(_Block(self._size, account_name, created.replace(microsecond=0), pace))
        self._size += count

    def add_named(self, account_name: str, device_ids: list[dict[str, str]], created: datetime) -> Device:
        """Add a device that a request has named; nothing is written on it, and it is in no group of its own."""
        self.add(account_name, 1, created, timedelta())
        device = self._keep(self._size - 1)
        self._added.add(device.place)
        device.state, device.group, device.custom_fields = "preactive", self.groups[account_name].default, []
        device.extended_attributes = [_pair(pair["key"]) for pair in device.extended_attributes]
        device.expected_imei = None
        device.device_ids = spelled_as_answered(device_ids)
        return device

    def new_line(self) -> list[dict[str, str]]:
        """Return the identifiers of a line that no device has had."""
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
        """Yield the devices behind a number and not older than a date, to be read only."""
        begin = max(0, (behind - _FIRST_NUMBER) // _STEP + 1)
        if earliest is not None:
            begin = max(begin, bisect.bisect_left(range(self._size), earliest, key=self.created_at))
        return (self._peek(place) for place in range(begin, self._size) if place not in self._gone)

    def find(self, kind: str, identifier: str) -> Device | None:
        """Return the device with an identifier, to be read only."""
        named = self._named.get((kind.casefold(), identifier))
        if named is not None and named.place not in self._gone and named.has(kind, identifier):
            return named
        candidates = (self._peek(place) for place in self._indexes(identifier) if place < self._size)
        for device in candidates:
            if device.has(kind, identifier) and device.place not in self._gone:
                return device
        return None

    def knew(self, kind: str, identifier: str) -> bool:
        """Say whether an identifier is, or has ever been, that of a device which is still there."""
        seeded = (self.seeded(place) for place in self._indexes(identifier) if place < self._size)
        known = [device for device in seeded if device is not None and device.has(kind, identifier)]
        if (named := self._named.get((kind.casefold(), identifier))) is not None:
            known.append(named)
        return any(device.place not in self._gone for device in known)

    def find_to_change(self, kind: str, identifier: str) -> Device | None:
        """Return the device with an identifier; what is set on it stays."""
        device = self.find(kind, identifier)
        return None if device is None else self.keep(device)

    def keep(self, device: Device) -> Device:
        """Keep a device that was found to be read, so that what is set on it stays."""
        return self._keep(device.place)

    def seeded(self, place: int) -> Device | None:
        """Return a device as it was before anything was changed about it; None for one that a request has added."""
        return None if place in self._added else Device(self, place)

    def remove(self, device: Device) -> None:
        """Delete a device, of which no trace is left."""
        self._gone.add(device.place)
        self._kept.pop(device.place, None)

    def name(self, device: Device) -> None:
        """Note that a device's identifiers were set."""
        for own in (*device.device_ids, {"kind": "eid", "id": device.eid}):
            self._named[own["kind"].casefold(), own["id"]] = device

    def serial(self, index: int) -> int:
        """Return the number in a device's generated identifiers."""
        return (index + self.seed * 7919) % _MOST

    def _indexes(self, identifier: str) -> Iterator[int]:
        """Yield where a device with a generated identifier may be: its last digit may be a check digit."""
        for digits in (identifier[-6:], identifier[-7:-1]):
            if digits.isascii() and digits.isdigit():
                yield (int(digits) - self.seed * 7919) % _MOST

    def block_of(self, index: int) -> _Block:
        """Return what a device was added with."""
        return self._blocks[bisect.bisect_right(self._blocks, index, key=lambda block: block.first) - 1]

    def created_at(self, index: int) -> datetime:
        """Return when a device was added."""
        block = self.block_of(index)
        return block.created + (index - block.first) // _AT_ONCE * block.pace
