"""Simulated devices: each follows from the seed and its place, so a hundred thousand cost no memory."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import attrs

__all__ = ["PLAN_CODES", "Device", "Fleet"]

PLAN_CODES: Final = ("M2M_4G_5MB", "M2M_4G_50MB", "M2M_5G_1GB", "M2M_PP")

_MOST: Final = 1_000_000
"""Devices that the generated identifiers have room for."""
_FIRST_NUMBER: Final = 4_000_000_007
_STEP: Final = 3
_AT_ONCE: Final = 4
"""Devices that were added in the same second, since that is what paging by date stumbles over (protocol.md 4.3)."""
_GROUPS: Final = ("Unassigned Devices", "East fleet", "West fleet", "Smart meters")
_MODELS: Final = ("VZM20Q", "LE910C4", "BG96", "EM7565")
_CITIES: Final = (("Basking Ridge", "NJ", "07920"), ("Irving", "TX", "75039"), ("Alpharetta", "GA", "30004"))
_MASK: Final = (1 << 64) - 1


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


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@attrs.frozen
class _Block:
    """Devices that were added together."""

    first: int
    account_name: str
    created: datetime
    pace: timedelta


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

    @cached_property
    def group_name(self) -> str:
        """The one group that it is in."""
        return _GROUPS[(self._luck >> 12) % len(_GROUPS)]

    @cached_property
    def connected(self) -> bool:
        """Whether it has a data session at the moment."""
        return self.state == "active" and (self._luck >> 16) % 3 > 0

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

    def has(self, kind: str, identifier: str) -> bool:
        """Say whether it bears an identifier; the case of the kind does not matter (protocol.md 4.1)."""
        return any(own["id"] == identifier and own["kind"].casefold() == kind.casefold() for own in self._device_ids)

    def as_json(self, *, with_number: bool = True) -> dict[str, Any]:
        """Return what the platform answers about it; one that was never activated lacks several fields."""
        carrier = {"carrierName": "Verizon Wireless", "state": self.state}
        document: dict[str, Any] = {
            "accountName": self.account_name,
            "carrierInformations": [carrier],
            "connected": self.connected,
            "createdAt": _stamp(self.created_at),
            "customFields": self.custom_fields,
            "deviceIds": self._device_ids,
            "extendedAttributes": self._extended_attributes(with_number=with_number),
            "groupNames": [self.group_name],
        }
        if self.state != "preactive":
            carrier["servicePlan"] = self.service_plan
            # This one with an offset and the others in UTC: the platform's samples have both (protocol.md 5).
            document["billingCycleEndDate"] = "2026-02-09T20:00:00-05:00"
            document["ipAddress"] = f"10.{self._luck % 256}.{self._luck >> 8 & 255}.{self._luck >> 16 & 255}"
            document["lastActivationBy"] = "Simulated User"
            document["lastActivationDate"] = _stamp(self.created_at + timedelta(minutes=self._luck % 1440))
            document["lastConnectionDate"] = _stamp(self._fleet.start - timedelta(seconds=self._luck % 86_400))
        return document

    def _extended_attributes(self, *, with_number: bool) -> list[dict[str, str]]:
        common = _ATTRIBUTES[self._luck % len(_ATTRIBUTES)]
        return [*common, _pair("DeviceId", str(self.number))] if with_number else common


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

    def add(self, account_name: str, count: int, created: datetime, pace: timedelta) -> None:
        """Add devices, a few at the same time and the next ones a `pace` later."""
        if count < 0 or self._size + count > _MOST:
            raise ValueError(f"a simulator has from 0 to {_MOST:,} devices")
        self._blocks.append(_Block(self._size, account_name, created.replace(microsecond=0), pace))
        self._size += count

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
        candidates = [self._peek(place) for place in self._indexes(identifier) if place < self._size]
        named = self._named.get((kind.casefold(), identifier))
        for device in candidates if named is None else [named, *candidates]:
            if device.has(kind, identifier) and device.place not in self._gone:
                return device
        return None

    def find_to_change(self, kind: str, identifier: str) -> Device | None:
        """Return the device with an identifier; what is set on it stays."""
        device = self.find(kind, identifier)
        return None if device is None else self._keep(device.place)

    def remove(self, device: Device) -> None:
        """Delete a device, of which no trace is left."""
        self._gone.add(device.place)
        self._kept.pop(device.place, None)

    def name(self, device: Device) -> None:
        """Note that a device's identifiers were set."""
        for own in device.device_ids:
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
