"""Models of SIM-Secure licenses."""

from __future__ import annotations

from typing import Annotated

import attrs

from thingspace_async._core.checked import Count, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import DeviceIds, ExtendedAttribute, to_devices

__all__ = ["LicenseRequest", "SecuritySubscription", "SecuritySubscriptionRequest", "SecuritySubscriptions"]


@attrs.frozen(kw_only=True, field_transformer=checked)
class SecuritySubscriptionRequest(Model):
    """An account whose licenses to count."""

    account_name: str
    """Account that bought the licenses."""
    sku_number: str | None = None
    """Count only licenses of this SKU. Default: all SKUs."""


@attrs.frozen(kw_only=True)
class SecuritySubscription(Model):
    """The licenses of one SKU."""

    sku_number: str | None = None
    """`SIMSec-IoT`, `TS-BUNDLE-KTO-SIMSEC-MRC`, `TSS-IOT-INTLG-TIERED-SIMSEC` or `SIMSec-IoT-Lt`, for example."""
    license_type: str | None = None
    """For example `Flexible Bundle`."""
    license_purchased: int | None = None
    license_assigned: int | None = None
    license_available: int | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()


@attrs.frozen(kw_only=True)
class SecuritySubscriptions(Model):
    """The licenses of an account."""

    account_name: str | None = None
    subscriptions: tuple[SecuritySubscription, ...] = attrs.field(
        default=(), metadata=named_on_wire("subscriptionList")
    )


@attrs.frozen(kw_only=True, field_transformer=checked)
class LicenseRequest(Model):
    """Devices whose licenses to assign or unassign."""

    account_name: str
    """Account of the devices and of the licenses."""
    sku_number: str
    """SKU of the licenses. A request has one SKU, so send one request per SKU."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=100)] = attrs.field(converter=to_devices)
    """At most 100 active 4G devices. One identifier of each device is enough."""
