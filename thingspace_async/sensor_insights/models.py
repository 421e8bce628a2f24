"""Models that several parts of Sensor Insights share: queries, pages and identifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Generic, TypeVar, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import as_tuple
from thingspace_async.errors import InvalidRequest
from thingspace_async.sensor_insights._names import checked_low

__all__ = ["DeviceIdentifier", "DeviceQuery", "InsightsFilter", "InsightsPage", "InsightsQuery", "ResourceQuery"]

Item = TypeVar("Item")
Wrapper = TypeVar("Wrapper")


def json_object(model: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check for a dict with names as its keys. The codec checks the values."""
    if value is field.default:
        return
    if not isinstance(value, dict):
        fault = f"must be a dict, not {type(value).__name__}"
    elif not value:
        fault = "must not be empty"
    elif not all(isinstance(name, str) and name and name.isprintable() for name in value):
        fault = "must have printable strings as its keys"
    else:
        return
    raise InvalidRequest(f"{type(model).__name__}: {field.name} {fault}")


def to_names(given: Iterable[str]) -> tuple[str, ...]:
    """Convert names to a tuple. The validator refuses other values, and a single string."""
    return cast("tuple[str, ...]", as_tuple(given))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class InsightsFilter(Model):
    """Selection of resources, of their members, and of a page."""

    selection: dict[str, Any] | None = attrs.field(
        default=None, validator=json_object, metadata=named_on_wire("$selection")
    )
    """Members that must have these values, such as `{"state": "active"}`, by their names on the wire."""
    projection: tuple[str, ...] = attrs.field(default=(), converter=to_names, metadata=named_on_wire("$projection"))
    """Members to answer, by their names on the wire. Their `id` is always needed."""
    expand: str | None = attrs.field(default=None, metadata=named_on_wire("$expand"))
    """Part to answer in full, for example the device of an alert."""
    limit_number: Annotated[int | None, Range(least=1)] = attrs.field(
        default=None, metadata=named_on_wire("$limitnumber")
    )
    """Resources on a page."""
    page: str | None = attrs.field(default=None, metadata=named_on_wire("$page"))
    """Token of a page: the `next` of the page before."""
    page_number: Annotated[int | None, Range(least=1)] = attrs.field(
        default=None, metadata=named_on_wire("$pagenumber")
    )
    """Number of a page, as the first is 1."""
    no_pagination: bool = attrs.field(default=False, metadata=named_on_wire("$nopagination"))
    """Answer all resources at once."""

    def __attrs_post_init__(self) -> None:
        checks.exclusive(self, "page", "page_number")
        if self.no_pagination:
            for name in ("page", "page_number", "limit_number"):
                if getattr(self, name) is not None:
                    raise InvalidRequest(f"InsightsFilter: give either no_pagination or {name}, not both")


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class InsightsQuery(Model):
    """A list of resources of an account."""

    account_name: str
    """Account of the resources."""
    filter: InsightsFilter | None = None
    """Without a filter, the platform answers its usual page of all resources."""


def to_number(given: int | str | None) -> int | None:
    """Convert digits to a number. The validator refuses other values."""
    return int(given) if isinstance(given, str) and given.isascii() and given.isdigit() else cast("int | None", given)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class DeviceIdentifier(Model):
    """A device, by at least one of its identifiers."""

    device_id: str | None = None
    """`id` of the device in Sensor Insights."""
    dev_eui: str | None = None
    """EUI of a LoRaWAN sensor, 16 hexadecimal characters."""
    imei: int | None = attrs.field(default=None, converter=to_number)
    """A number here, unlike in the other products. A string of digits is converted."""
    imsi: int | None = attrs.field(default=None, converter=to_number)
    esn: int | None = attrs.field(default=None, converter=to_number)
    iccid: str | None = None
    meid: str | None = None
    msisdn: str | None = None
    mac: str | None = None
    """Address of its network interface."""
    serial: str | None = None
    """Serial number. Give the `manufacturer`, too."""
    manufacturer: str | None = None
    node_uuid: str | None = attrs.field(default=None, metadata=named_on_wire("node_uuid"))
    qr_code: str | None = None
    """Text of the QR code on the device."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(DeviceIdentifier)))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class DeviceQuery(InsightsQuery):
    """A list of devices of an account."""

    device: DeviceIdentifier | None = attrs.field(default=None, metadata=named_on_wire("resourceidentifier"))
    """One device only."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class ResourceIdentifier(Model):
    """A resource by its id, in the form of the wire."""

    id: str
    """Id of the resource."""


def wrapped(make: Callable[[str], Wrapper], given: Wrapper | str) -> Wrapper:
    """Convert a string to the form of the wire. The validator refuses other values, and strings that do not fit."""
    try:
        return make(given) if isinstance(given, str) else given
    except InvalidRequest:
        return cast("Wrapper", given)


def wrapper(kind: type, make: Callable[[str], object]) -> checks.Validator:
    """Check for a string that `wrapped` has converted. The error names the field of the outer model."""

    def validate(model: object, field: attrs.Attribute[Any], value: object) -> None:
        if value is field.default or isinstance(value, kind):
            return
        fault = f"must be a str, not {type(value).__name__}"
        if isinstance(value, str):
            try:
                make(value)
            except InvalidRequest as error:
                fault = str(error).split(" ", 2)[2]  # After the inner model and its field.
        raise InvalidRequest(f"{type(model).__name__}: {field.name} {fault}")

    return validate


def _resource(given: str) -> ResourceIdentifier:
    return ResourceIdentifier(id=given)


def to_resource(given: ResourceIdentifier | str) -> ResourceIdentifier:
    """Convert an id. The validator refuses other values."""
    return wrapped(_resource, given)


is_resource: Final = wrapper(ResourceIdentifier, _resource)


def to_optional_resource(given: ResourceIdentifier | str | None) -> ResourceIdentifier | None:
    """Convert an id, if there is one."""
    return None if given is None else to_resource(given)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class ResourceQuery(InsightsQuery):
    """A list of rules or alerts of an account."""

    resource: ResourceIdentifier | None = attrs.field(
        default=None,
        validator=is_resource,
        converter=to_optional_resource,
        metadata=named_on_wire("resourceidentifier"),
    )
    """The id of one resource, to list only this one."""


@attrs.frozen(kw_only=True)
class InsightsPage(Generic[Item]):
    """One page of a list."""

    items: tuple[Item, ...]
    next: str | None = None
    """Pass it as `page` to request the next page. None after the last page."""
