"""Messages of the APIs beside Connectivity Management, as far as they are documented (protocol.md 3.6)."""

from __future__ import annotations

import attrs

from thingspace_async._codec import wire
from thingspace_async._types import DeviceId
from thingspace_async.callbacks.messages.base import DetailedMessage

__all__ = [
    "DiagnosticsMessage",
    "Firmware",
    "FirmwareUpgrade",
    "LocationMessage",
    "Position",
    "PositionError",
    "SoftwareMessage",
]


@attrs.frozen(kw_only=True)
class Position:
    """Where a device is; the platform writes the numbers as texts."""

    time: str | None = None
    utc_offset: str | None = attrs.field(default=None, metadata=wire("utcoffset"))
    x: str | None = None
    y: str | None = None
    radius: str | None = None
    """In metres."""
    qos: bool | str | None = None
    """Whether the accuracy that was asked for has been reached."""


@attrs.frozen(kw_only=True)
class PositionError:
    """Why a device could not be located."""

    time: str | None = None
    utc_offset: str | None = attrs.field(default=None, metadata=wire("utcoffset"))
    type: str | None = None
    info: str | None = None


@attrs.frozen(kw_only=True)
class LocationMessage(DetailedMessage):
    """Where a device is, or that a report on many is ready; what the services Location and DeviceLocation send."""

    request_id: str | None = attrs.field(default=None, metadata=wire("txid", also="requestId"))
    """The transaction's id, `txid`."""
    msid: str | None = None
    """The device's number."""
    position: Position | None = attrs.field(default=None, metadata=wire("pd"))
    error: PositionError | None = None

    @property
    def failed(self) -> bool:
        """Whether the device could not be located."""
        return self.error is not None or super().failed


@attrs.frozen(kw_only=True)
class DiagnosticsMessage(DetailedMessage):
    """What an observation of a device's radio has found."""

    request_id: str | None = attrs.field(default=None, metadata=wire("transactionID", also="transactionId"))
    """The transaction's id."""
    account_name: str | None = None
    device: DeviceId | None = None


@attrs.frozen(kw_only=True)
class Firmware:
    """A version of a device's firmware that is there."""

    firmware_name: str | None = None
    participant_name: str | None = None
    launch_date: str | None = None
    release_note: str | None = None
    model: str | None = None
    make: str | None = None
    from_version: str | None = None
    to_version: str | None = None


@attrs.frozen(kw_only=True)
class FirmwareUpgrade:
    """An upgrade that is scheduled."""

    firmware_name: str | None = None
    upgrade_id: str | None = None
    start_date: str | None = None


@attrs.frozen(kw_only=True)
class SoftwareMessage(DetailedMessage):
    """There is new firmware, or an upgrade was scheduled, goes on or has ended: what the service Fota sends.

    How an upgrade goes on is in `details`.
    """

    account_name: str | None = None
    participant_name: str | None = None
    type: str | None = None
    firmware_list: tuple[Firmware, ...] = ()
    upgrade_scheduled: FirmwareUpgrade | None = None
