"""Messages of the APIs other than Connectivity Management, as far as documented (PROTOCOL.md 3.6)."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from thingspace_async._core import codec
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.events import DeviceEvent
from thingspace_async._core.faults import fault_of_identifier
from thingspace_async._core.observations import ObservedValue
from thingspace_async._core.positions import Located, Position, PositionError
from thingspace_async._core.reports import AggregateUsage, ReportError, ReportErrorDetails
from thingspace_async._core.types import DeviceId
from thingspace_async.callbacks.messages.base import DetailedMessage

__all__ = [
    "STREAMED",
    "AggregateUsage",
    "DeviceEvent",
    "DiagnosticsMessage",
    "EventMessage",
    "Firmware",
    "FirmwareProgress",
    "FirmwareUpgrade",
    "HyperPreciseReport",
    "LocationMessage",
    "Position",
    "PositionError",
    "ReportError",
    "ReportErrorDetails",
    "SoftwareDevice",
    "SoftwareMessage",
]


@attrs.frozen(kw_only=True)
class LocationMessage(Located, DetailedMessage):
    """A message of Location or DeviceLocation: the position of a device, or that a report on several is ready."""

    request_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid", also="requestId"))
    """The transaction's id, `txid`."""
    msid: str | None = None
    """The device's phone number (MDN)."""
    position: Position | None = attrs.field(default=None, metadata=named_on_wire("pd"))
    error: PositionError | None = None

    @property
    def reported_ids(self) -> tuple[DeviceId, ...]:
        """The device's MDN, if `msid` is one. The platform does not report other identifiers."""
        if fault_of_identifier("mdn", self.msid) is not None:
            return ()
        return (DeviceId.mdn(self.msid or ""),)

    @property
    def failed(self) -> bool:
        """Whether the device could not be located."""
        return self._unlocated or super().failed


@attrs.frozen(kw_only=True)
class DiagnosticsMessage(DetailedMessage):
    """Observed values of a device, or the progress of a restart. A fault has the message's `errorCode`."""

    request_id: str | None = attrs.field(default=None, metadata=named_on_wire("transactionID", also="transactionId"))
    """The transaction's id."""
    account_name: str | None = None
    device: DeviceId | None = None

    @property
    def values(self) -> tuple[ObservedValue, ...]:
        """The observed values, from `details`."""
        given = self.details.get("attributes")
        listed = given if isinstance(given, list) else [given]
        return tuple([found for one in listed if (found := _observed(one)) is not None])

    @property
    def reported_ids(self) -> tuple[DeviceId, ...]:
        """The device."""
        return () if self.device is None else (self.device,)

    @property
    def pending(self) -> bool:
        """Whether another message will have the result.

        ASSUMPTION: the statuses of the first two messages of a restart have one of these words.
        """
        if self.fault is not None:
            return self.fault.short_code == "DEVICE_UNREACHABLE"  # Queued until the device is reachable.
        return self.status is not None and re.search(_PENDING, self.status) is not None

    @property
    def failed(self) -> bool:
        """Whether the request failed. It has not if the platform waits for the device."""
        return super().failed and not self.pending

    @property
    def is_dated(self) -> bool:
        """Whether each value, or the whole message, has a time, so that equal messages are one message."""
        values = self.values
        return "createdOn" in self.details or (bool(values) and all(one.created_on is not None for one in values))


_PENDING: Final = r"(?i)pending|queued|sent|transmitted|progress"


def _observed(given: Any) -> ObservedValue | None:
    if not isinstance(given, dict):
        return None
    data = {name: str(value) if isinstance(value, float) else value for name, value in given.items()}
    try:
        found: ObservedValue = codec.loader(ObservedValue)(data)
    except codec.Mismatch:
        return None
    return found


STREAMED: Final = "ts.event"
"""The request id of all streamed events: they have none of their own."""


@attrs.frozen(kw_only=True)
class EventMessage(DetailedMessage):
    """An event of a device, streamed by Cloud Connector."""

    event: DeviceEvent = attrs.field(factory=DeviceEvent)
    kind: str | None = None
    action: str | None = None
    """`create` for a new event."""


@attrs.frozen(kw_only=True)
class HyperPreciseReport(DetailedMessage):
    """A message of BullseyeReporting: the usage of devices.

    ASSUMPTION: its members are those of the answer to `session.hyper_precise.reports.aggregate`.
    """

    request_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid", also="requestId"))
    """The id of the request, `txid`."""
    usage: tuple[AggregateUsage, ...] = ()
    errors: tuple[ReportError, ...] = ()
    """Devices without usage, and why."""


@attrs.frozen(kw_only=True)
class Firmware(Model):
    """An available version of a device's firmware."""

    firmware_name: str | None = None
    participant_name: str | None = None
    launch_date: str | None = None
    release_note: str | None = None
    model: str | None = None
    make: str | None = None
    from_version: str | None = None
    to_version: str | None = None


@attrs.frozen(kw_only=True)
class FirmwareUpgrade(Model):
    """A scheduled upgrade."""

    firmware_name: str | None = None
    upgrade_id: str | None = None
    start_date: str | None = None


@attrs.frozen(kw_only=True)
class SoftwareDevice(Model):
    """A device of an upgrade or a campaign."""

    device_id: str | None = None
    """IMEI."""
    status: str | None = None
    """For example `UpgradeSuccess`."""
    result_reason: str | None = None
    firmware_version: str | None = None
    """Version of its firmware, if `session.software.firmware.request_report` caused the message."""


@attrs.frozen(kw_only=True)
class FirmwareProgress(FirmwareUpgrade):
    """The progress of an upgrade. ASSUMPTION: the documents name only the members of `FirmwareUpgrade`."""

    status: str | None = None
    devices: tuple[SoftwareDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))


@attrs.frozen(kw_only=True)
class SoftwareMessage(DetailedMessage):
    """A message of software management: there is new firmware, or an upgrade was scheduled, has progressed or ended.

    ASSUMPTION: the members for v2 and v3. The documents have the schema of v1 only.
    """

    request_id: str | None = attrs.field(default=None, metadata=named_on_wire("campaignId", also="requestId"))
    """Id of the campaign or upgrade, or of the request that caused the message."""
    account_name: str | None = None
    participant_name: str | None = None
    type: str | None = None
    firmware_list: tuple[Firmware, ...] = ()
    upgrade_scheduled: FirmwareUpgrade | None = None
    upgrade_progress: FirmwareProgress | None = None
    devices: tuple[SoftwareDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    """Devices whose status has changed."""
