"""Models of devices in Sensor Insights, their configuration and their experience."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import OpenEnum, as_tuple
from thingspace_async.sensor_insights._names import checked_low, low
from thingspace_async.sensor_insights.models import (
    DeviceIdentifier,
    ResourceIdentifier,
    is_resource,
    json_object,
    to_names,
    to_resource,
)

__all__ = [
    "ActionResult",
    "ActionResults",
    "BleConfiguration",
    "BleScan",
    "BleSetting",
    "DeviceChange",
    "DeviceConfigurationRequest",
    "DeviceEvent",
    "DeviceExperienceDay",
    "InsightsDevice",
    "LastReported",
    "LastReportedRequest",
    "NetworkExperience",
    "PeriodicReporting",
    "ReportingMode",
    "ReportingUnit",
    "SetConfigurationRequest",
    "TiltConfiguration",
    "TiltConfigurationRequest",
    "TiltScore",
    "TiltSetting",
    "UpdateDeviceRequest",
]


@attrs.frozen(kw_only=True, field_transformer=low)
class InsightsDevice(Model):
    """A gateway, a sensor or another device."""

    id: str
    """Id of the device in Sensor Insights."""
    name: str | None = None
    description: str | None = None
    state: str | None = None
    imei: int | str | None = None
    imsi: int | str | None = None
    esn: int | str | None = None
    iccid: str | None = None
    meid: str | None = None
    msisdn: str | None = None
    mac: str | None = None
    serial: str | None = None
    qr_code: str | None = None
    manufacturer: str | None = None
    product_model: str | None = None
    hardware_version: str | None = None
    software_version: str | None = None
    chipset: str | None = None
    sku: str | None = None
    parent_device_id: str | None = None
    """`id` of its gateway."""
    provider_id: str | None = None
    ref_id: str | None = None
    ref_id_type: str | None = None
    services: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    fields: dict[str, Any] | None = None
    """Latest readings and settings by name."""
    custom_data: dict[str, Any] | None = None
    """Data of your own."""
    commands: dict[str, Any] | None = None
    """Commands that the device understands."""
    model_metadata: Any = None
    """Description of the device's model."""
    event_retention: str | int | None = None
    """Days that the platform keeps its events. In Cloud Connector, the platform sends a string."""
    account_client_id: str | None = None
    billing_account_id: str | None = None
    """Name of the account."""
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class DeviceChange(Model):
    """Changes to a device. Omitted fields keep their value."""

    name: str | None = None
    description: str | None = None
    serial: str | None = None
    qr_code: str | None = None
    manufacturer: str | None = None
    product_model: str | None = None
    hardware_version: str | None = None
    software_version: str | None = None
    chipset: str | None = None
    sku: str | None = None
    parent_device_id: str | None = None
    """`id` of its gateway."""
    provider_id: str | None = None
    ref_id: str | None = None
    ref_id_type: str | None = None
    services: tuple[str, ...] = attrs.field(default=(), converter=to_names)
    licenses: tuple[str, ...] = attrs.field(default=(), converter=to_names)
    fields: dict[str, Any] | None = attrs.field(default=None, validator=json_object)
    custom_data: dict[str, Any] | None = attrs.field(default=None, validator=json_object)
    """Data of your own."""
    event_retention: int | None = None

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(DeviceChange)))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class UpdateDeviceRequest(Model):
    """A device and its changes."""

    account_name: str
    """Account of the device."""
    device: DeviceIdentifier = attrs.field(metadata=named_on_wire("resourceidentifier"))
    """The device to change."""
    change: DeviceChange = attrs.field(metadata=named_on_wire("device"))
    """The changes."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class LastReportedRequest(Model):
    """The device whose last report to read."""

    account_name: str
    """Account of the device."""
    device: DeviceIdentifier = attrs.field(metadata=named_on_wire("resourceidentifier"))
    """The device."""


@attrs.frozen(kw_only=True, field_transformer=low)
class DeviceEvent(Model):
    """A report of a device."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    state: str | None = None
    device_id: str | None = None
    model_id: str | None = None
    fields: dict[str, Any] | None = None
    """Readings by name."""
    field_id: str | None = None
    field_value: Any = None
    """Value of the field. ASSUMPTION: any JSON. The SDKs have a list of numbers."""
    transaction_id: str | None = None
    err_msg: str | None = None
    """Reason of the failure."""
    callback_url: str | None = None
    sensor_data_aggregation: bool | None = None
    account_client_id: str | None = None
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=low)
class LastReported(Model):
    """The last report of a device."""

    timestamp: str | None = None
    """Time of the report, as the platform writes it."""
    event: DeviceEvent | None = None


@attrs.frozen(kw_only=True, field_transformer=low)
class DeviceExperienceDay(Model):
    """Numbers of devices with a good connection on a day."""

    id: str | None = None
    date: datetime | None = None
    devices_good: int | None = None
    devices_fair: int | None = None
    devices_bad: int | None = None
    devices_total: int | None = None
    billing_account_id: str | None = None
    """Name of the account."""
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=low)
class NetworkExperience(DeviceExperienceDay):
    """Numbers of devices with a good network at a time."""

    hours: int | None = None
    minutes: int | None = None


# Configuration


class ReportingMode(OpenEnum):
    """Occasions for the reports of a tilt sensor. `ReportingMode("…")` makes one that is not listed."""

    ON_CHANGE = "reportOnChange"


class ReportingUnit(OpenEnum):
    """The unit of the time between two reports."""

    MINUTES = "minutes"
    HOURS = "hours"


def to_integers(given: Iterable[int]) -> tuple[int, ...]:
    """Convert numbers to a tuple. The validator refuses other values."""
    return cast("tuple[int, ...]", as_tuple(given))


@attrs.frozen(kw_only=True, field_transformer=checked)
class BleScan(Model):
    """Settings of a device that scans for Bluetooth Low Energy. The platform does not document their units."""

    data_mode: int | None = None
    manufacturer_id: int | None = None
    max_num_scan: int | None = None
    """Most devices to report in a scan."""
    min_sig_str: Annotated[int | None, Range(least=-200)] = None
    """Weakest signal to report, such as -90."""
    monitor_period: int | None = None
    more_manuf_id: tuple[int, ...] = attrs.field(default=(), converter=to_integers)
    """Further manufacturers."""
    op_mode: int | None = None
    report_offset: int | None = None
    report_period: int | None = None
    report_type: int | None = None
    scan_duration: int | None = None

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(BleScan)))


@attrs.frozen(kw_only=True, field_transformer=checked)
class BleConfiguration(Model):
    """The settings of a device by kind, in the form of the wire."""

    ble: BleScan


@attrs.frozen(kw_only=True, field_transformer=checked)
class BleSetting(Model):
    """The settings of a device, in the form of the wire."""

    device_config: BleConfiguration


def to_ble_setting(given: BleScan | BleSetting) -> BleSetting:
    """Convert settings to the form of the wire. The validator refuses other values."""
    return BleSetting(device_config=BleConfiguration(ble=given)) if isinstance(given, BleScan) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class PeriodicReporting(Model):
    """The time between two reports."""

    unit: ReportingUnit
    hours: int | None = None
    """For the unit hours."""
    minutes: int | None = None
    """For the unit minutes."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "hours", "minutes")


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class TiltScore(Model):
    """The profile with the scores of a tilt sensor."""

    profile_id: str
    profile_version_id: str | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class TiltConfiguration(Model):
    """Settings of a high-precision tilt sensor."""

    mode: ReportingMode | None = None
    angle_away: int | None = attrs.field(default=None, metadata=named_on_wire("angle-away"))
    """Degrees."""
    angle_toward: int | None = attrs.field(default=None, metadata=named_on_wire("angle-toward"))
    """Degrees."""
    hold_time: int | None = attrs.field(default=None, metadata=named_on_wire("hold-time"))
    """Time before a new angle is reported."""
    periodic_reporting: PeriodicReporting | None = attrs.field(
        default=None, metadata=named_on_wire("periodic-reporting")
    )
    score: TiltScore | None = attrs.field(default=None, metadata=named_on_wire("tscore"))

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(TiltConfiguration)))


@attrs.frozen(kw_only=True, field_transformer=checked)
class TiltSetting(Model):
    """The settings of a tilt sensor, in the form of the wire."""

    tilt: TiltConfiguration = attrs.field(metadata=named_on_wire("RbsHighPrecisionTiltConfig"))


def to_tilt_setting(given: TiltConfiguration | TiltSetting) -> TiltSetting:
    """Convert settings to the form of the wire. The validator refuses other values."""
    return TiltSetting(tilt=given) if isinstance(given, TiltConfiguration) else given


@attrs.frozen(kw_only=True)
class SetConfigurationRequest(Model):
    """Base of the requests that configure a device: DeviceConfigurationRequest and TiltConfigurationRequest."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class DeviceConfigurationRequest(SetConfigurationRequest):
    """Settings for a device that scans for Bluetooth Low Energy."""

    account_name: str
    """Account of the device."""
    device: DeviceIdentifier = attrs.field(metadata=named_on_wire("resourceidentifier"))
    """The device."""
    configuration: BleSetting = attrs.field(converter=to_ble_setting)
    """A BleScan."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class TiltConfigurationRequest(SetConfigurationRequest):
    """Settings for a high-precision tilt sensor."""

    account_name: str
    """Account of the sensor."""
    device: ResourceIdentifier = attrs.field(
        validator=is_resource, converter=to_resource, metadata=named_on_wire("resourceidentifier")
    )
    """`id` of the sensor."""
    configuration: TiltSetting = attrs.field(converter=to_tilt_setting)
    """A TiltConfiguration."""


@attrs.frozen(kw_only=True, field_transformer=low)
class ActionResult(Model):
    """The result of a command to a device."""

    id: str | None = None
    state: str | None = None
    err_msg: str | None = None
    """Reason of the failure."""
    transaction_id: str | None = None
    device_id: str | None = None
    description: str | None = None
    fields: dict[str, Any] | None = None
    """The settings, by the names on the wire."""
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True)
class ActionResults(Model):
    """The results of a command, in the form of the wire."""

    results: tuple[ActionResult, ...] = attrs.field(default=(), metadata=named_on_wire("actionresult"))
