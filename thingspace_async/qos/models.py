"""Models of Quality of Service."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import DeviceId, as_tuple, to_device_id
from thingspace_async.errors import InvalidRequest

__all__ = ["Flow", "QosDevice", "QosRequest"]


def _version_of(address: str) -> int | None:
    """Return the IP version of an address with an optional port; None for any other string."""
    try:
        return ip_address(address).version
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{address}")
        if parts.port is None or parts.netloc != address or "@" in address:
            return None
        return ip_address(parts.hostname or "").version
    except ValueError:
        return None


def _address(model: object, field: attrs.Attribute[Any], value: str) -> None:
    checks.text(model, field, value)
    if _version_of(value) is None:
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must be an IP address, such as 203.0.113.7, 203.0.113.7:443 "
            "or [2001:db8::7]:443"
        )


def _ipv6_address(model: object, field: attrs.Attribute[Any], value: str | None) -> None:
    if value is None:
        return
    checks.text(model, field, value)
    try:
        IPv6Address(value)
    except ValueError:
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must be an IPv6 address without a port, such as 2001:db8::7"
        ) from None


@attrs.frozen(kw_only=True, field_transformer=checked)
class Flow(Model):
    """A data flow between a device and a server. Both addresses must be of the same IP version."""

    flow_server: str = attrs.field(validator=_address)
    """IP address of your server. Without a port, all ports are meant. With a port, an IPv6 address needs brackets."""
    flow_device: str = attrs.field(validator=_address)
    """IP address of the device, in the same forms."""
    flow_direction: str | None = None
    """For example `UPLINK`."""
    flow_protocol: str | None = None
    """For example `UDP`."""
    qci_option: str | None = None
    """For example `Premium`."""

    def __attrs_post_init__(self) -> None:
        if _version_of(self.flow_server) != _version_of(self.flow_device):
            raise InvalidRequest("Flow: flow_server and flow_device must both be IPv4 or both be IPv6 addresses")


def to_flows(given: Iterable[Flow]) -> tuple[Flow, ...]:
    """Convert flows. The validator refuses other values."""
    found: tuple[Flow, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True, field_transformer=checked)
class QosDevice(Model):
    """A device and its flows."""

    device_id: DeviceId = attrs.field(converter=to_device_id)
    """IMEI, MDN, MSISDN or ICCID of the device."""
    ipv6_address: str | None = attrs.field(
        default=None, validator=_ipv6_address, metadata=named_on_wire("deviceIPv6Addr")
    )
    """IPv6 address of the device, without a port."""
    flows: tuple[Flow, ...] = attrs.field(converter=to_flows, metadata=named_on_wire("flowInfo"))


def to_qos_devices(given: Iterable[QosDevice]) -> tuple[QosDevice, ...]:
    """Convert devices. The validator refuses other values."""
    found: tuple[QosDevice, ...] = as_tuple(given)
    return found


_some_devices: Final = checks.instances(QosDevice, least=1)


def _of_one_kind(model: object, field: attrs.Attribute[Any], value: tuple[QosDevice, ...]) -> None:
    _some_devices(model, field, value)
    kinds = sorted({device.device_id.kind.casefold() for device in value})
    if len(kinds) > 1:
        raise InvalidRequest(
            f"QosRequest: device_info mixes the kinds {' and '.join(kinds)}: use identifiers of one kind"
        )


@attrs.frozen(kw_only=True, field_transformer=checked)
class QosRequest(Model):
    """Devices and flows that need a better service."""

    account_name: str
    """Account of the devices."""
    device_info: tuple[QosDevice, ...] = attrs.field(converter=to_qos_devices, validator=_of_one_kind)
    """Devices, all by identifiers of the same kind: the platform does not accept a mixture."""
