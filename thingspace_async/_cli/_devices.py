"""Devices that are named on the command line, or in a file."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from thingspace_async import SuspiciousIdentifier
from thingspace_async._cli._changes import number
from thingspace_async._cli._printing import note
from thingspace_async._cli._run import WrongUsage
from thingspace_async._core.faults import fault_of_identifier
from thingspace_async._core.identity import keys_of
from thingspace_async._core.types import DeviceId, DeviceIds
from thingspace_async.errors import InvalidRequest

__all__ = ["KINDS", "Devices", "device_named", "kinds_of"]

KINDS: Final = ("imei", "iccid", "mdn", "msisdn", "eid", "meid", "esn", "imsi", "min")
"""The kinds of identifiers. If several fit an identifier, the first one is the most usual."""


def kinds_of(identifier: str) -> list[str]:
    """Return the kinds that an identifier may be of, the most usual ones first. Raises ConfigurationError for none."""
    if found := [kind for kind in KINDS if fault_of_identifier(kind, identifier) is None]:
        return found
    raise WrongUsage(f"{identifier} is not an identifier: use an IMEI, ICCID, MDN, EID, or another one of a device")


def device_named(text: str) -> DeviceIds:
    """Return the device that an argument names: `[KIND=]ID`, or several identifiers of it, joined by commas."""
    return DeviceIds(device_ids=tuple(_identifier(one) for one in text.split(",")))


def _identifier(text: str) -> DeviceId:
    kind, separator, identifier = text.strip().partition("=")
    if not separator:
        return DeviceId(kind=kinds_of(kind)[0], id=kind)
    if kind not in KINDS:
        raise WrongUsage(f"{text} has an unknown kind of identifier: choose from {', '.join(KINDS)}")
    if (fault := fault_of_identifier(kind, identifier)) is not None:
        raise WrongUsage(f"{text} {fault}")
    return DeviceId(kind=kind, id=identifier)


@attrs.frozen(kw_only=True)
class Devices:
    """Parameters of commands that change devices or ask about them."""

    named: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DEVICE",
            help="IMEIs, ICCIDs, MDNs or EIDs. imsi=ID names the kind. EID,ICCID are two identifiers of one device.",
            show_default=False,
        ),
    ] = None
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="A CSV file of devices. Its first line names the columns, such as imei or eid,iccid."
        ),
    ] = None

    def read(self, *, all_identifiers: bool = False) -> tuple[DeviceIds, ...]:
        """Return the devices, each once. A row of a file names a device by its first identifier, or by all of them.

        Raises an error for the first device that cannot be sent.
        """
        with warnings.catch_warnings(record=True) as suspicious:
            warnings.simplefilter("always", SuspiciousIdentifier)
            every = [*map(device_named, self.named or ()), *self._of_file(all_identifiers=all_identifiers)]
        for warning in suspicious[:1]:
            others = f" (and {len(suspicious) - 1:,} more)" if suspicious[1:] else ""
            note(f"{warning.message}{others}")
        return _each_once(every)

    def read_some(self, *, all_identifiers: bool = False) -> tuple[DeviceIds, ...]:
        """Return the devices. Raises ConfigurationError if there are none."""
        if devices := self.read(all_identifiers=all_identifiers):
            return devices
        raise WrongUsage("no devices: name them, or pass a file with --from")

    def _of_file(self, *, all_identifiers: bool) -> Iterable[DeviceIds]:
        if self.source is None:
            return ()
        from thingspace_async._cli.fleet.source import DevicesFile

        file = DevicesFile(self.source, activates=all_identifiers)
        file.read()
        if file.bad:
            first, others = file.bad[0], len(file.bad) - 1
            more = f", and {number(others, 'more bad row')}" if others else ""
            raise InvalidRequest(f"nothing was sent: {self.source}, line {first.line}: {first.fault}{more}")
        return file


def _each_once(devices: Iterable[DeviceIds]) -> tuple[DeviceIds, ...]:
    """Drop devices that are named a second time, so that nothing is done to them twice."""
    seen: set[str] = set()
    found: list[DeviceIds] = []
    for device in devices:
        keys = keys_of(device)
        if seen.isdisjoint(keys):
            found.append(device)
        seen.update(keys)
    return tuple(found)
