"""Keys that are equal for all spellings of an identifier, because the platform and its users spell it differently.

The forms are those of the standards: 3GPP TS 23.003 for IMEIs, ITU-T E.118 for ICCIDs, E.164 for numbers, and
3GPP2 S.R0048 and C.S0072 for MEIDs and ESNs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from thingspace_async._core.faults import has_wrong_check_digit
from thingspace_async._core.types import DeviceId, Identified

__all__ = [
    "are_different",
    "hash_of",
    "hash_of_identifier",
    "hash_of_parts",
    "key_of",
    "keys_of",
    "name_of",
    "names_of",
]


def keys_of(device: Identified) -> tuple[str, ...]:
    """Return one key for each identifier of a device, in order and without duplicates.

    Two devices with a common key have a common identifier, possibly in different spellings.
    """
    several = device.device_ids
    if len(several) == 1:
        return (key_of(several[0]),)
    return tuple(dict.fromkeys([key_of(one) for one in several]))


def key_of(identifier: DeviceId) -> str:
    """Return `kind:value`, which is equal for all spellings of an identifier, and unique to it.

    A correct check digit is dropped. If it is wrong, any of the digits may be mistyped, so all are kept. An id without
    the form of its kind keeps its spelling, and the kind gets a question mark: `imei?:12`.
    """
    return _key(identifier.kind, identifier.id)


def _key(kind: str, value: str) -> str:
    kind = kind.casefold()
    key = _KEYS.get(kind)
    return f"{kind}:{value}" if key is None else key(value) or f"{kind}?:{value}"


def hash_of(key: bytes) -> int:
    """Return a signed 64-bit hash."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), signed=True)


def hash_of_identifier(identifier: DeviceId) -> int:
    """Return the hash of an identifier, which is equal for all its spellings."""
    return hash_of_parts(identifier.kind, identifier.id)


def hash_of_parts(kind: str, value: str) -> int:
    """Return the hash of an identifier that is not a DeviceId: making one takes as long as the hash."""
    return hash_of(_key(kind, value).encode("utf-8", "surrogatepass"))


def are_different(some: Iterable[str], others: Iterable[str]) -> bool:
    """Return whether keys cannot belong to the same device: both have values of one kind, but none in common.

    If one value begins with the other, they may be the same value with a wrong check digit.
    """
    mine, theirs = _by_kind(some), _by_kind(others)
    return any(
        not any(one.startswith(other) or other.startswith(one) for one in mine[kind] for other in theirs[kind])
        for kind in mine.keys() & theirs.keys()
        if not kind.endswith("?")
    )


def _by_kind(keys: Iterable[str]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for key in keys:
        kinds.setdefault(key.partition(":")[0], set()).add(key)
    return kinds


def name_of(device: Identified) -> str:
    """Return a device's identifiers for an error message, in their own spelling."""
    return ", ".join([f"{one.kind} {one.id}" for one in device.device_ids]) or "an unnamed device"


def names_of(devices: Sequence[Identified], *, most: int = 3) -> str:
    """Return the names of the first devices and the number of the others, for an error message."""
    more = [f"{len(devices) - most:,} more"] if len(devices) > most else []
    return "; ".join([*map(name_of, devices[:most]), *more])


_is_imei: Final = re.compile("[0-9]{14,16}").fullmatch
_is_iccid: Final = re.compile("[0-9]{16,20}[Ff]*").fullmatch
_is_number: Final = re.compile("[+]?[0-9]{10,15}").fullmatch
_is_meid: Final = re.compile("[0-9A-Fa-f]{14,15}").fullmatch
_is_decimal_meid: Final = re.compile("[0-9]{18}").fullmatch
_is_esn: Final = re.compile("[0-9A-Fa-f]{8}").fullmatch
_is_decimal_esn: Final = re.compile("[0-9]{11}").fullmatch


def _imei(value: str) -> str | None:
    # 14 digits identify the hardware. A check digit may follow, or two digits of the software version.
    if not _is_imei(value):
        return None
    return f"imei:{value}" if len(value) == 15 and has_wrong_check_digit(value) else f"imei:{value[:14]}"


def _iccid(value: str) -> str | None:
    # The 20th digit is a check digit. Systems that read the SIM's bytes pad 19 digits with an F.
    if not _is_iccid(value):
        return None
    digits = value.rstrip("Ff")
    return f"iccid:{digits}" if len(digits) == 20 and has_wrong_check_digit(digits) else f"iccid:{digits[:19]}"


def _number(value: str) -> str | None:
    if not _is_number(value):
        return None
    return f"msisdn:1{value}" if len(value) == 10 else f"msisdn:{value.removeprefix('+')}"


def _meid(value: str) -> str | None:
    if _is_decimal_meid(value):
        value = _in_hexadecimal(value, 8)
    # MEIDs and IMEIs share one number space: a MEID without letters is the IMEI of the same hardware.
    return f"imei:{value[:14].upper()}" if _is_meid(value) else None


def _esn(value: str) -> str | None:
    if _is_decimal_esn(value):
        value = _in_hexadecimal(value, 2)
    return f"esn:{value.upper()}" if _is_esn(value) else None


def _in_hexadecimal(value: str, width: int) -> str:
    """Convert a manufacturer's number and an 8-digit serial number, or return an empty string if one is too large."""
    maker, serial = int(value[:-8]), int(value[-8:])
    return f"{maker:0{width}X}{serial:06X}" if maker < 16**width and serial < 16**6 else ""


_KEYS: Final[dict[str, Callable[[str], str | None]]] = {
    "imei": _imei,
    "iccid": _iccid,
    "mdn": _number,
    "msisdn": _number,
    "meid": _meid,
    "esn": _esn,
}
