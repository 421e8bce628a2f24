"""Models for the requests of several rooms."""

from __future__ import annotations

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model

__all__ = ["Address", "CustomerName", "PlaceOfUse"]


@attrs.frozen(kw_only=True, field_transformer=checked)
class Address(Model):
    """A postal address."""

    address_line1: str
    """Street and house number."""
    address_line2: str | None = None
    """Second line of the address."""
    city: str
    """Name of the city."""
    state: str
    """Two letters, such as `NJ`."""
    zip: str
    """Five digits."""
    zip4: str | None = None
    """Four further digits of the ZIP code."""
    country: str
    """Name of the country, such as `USA`."""
    phone: str | None = None
    """Phone number."""
    phone_type: str | None = None
    """One letter, such as `H` for home."""
    email_address: str | None = None
    """E-mail address."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class CustomerName(Model):
    """The name of a person who uses a device."""

    title: str | None = None
    """Title before the name, such as `Dr.`."""
    first_name: str
    """First name."""
    middle_name: str | None = None
    """Middle name or initial."""
    last_name: str
    """Last name."""
    suffix: str | None = None
    """Suffix after the name, such as `Jr.`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PlaceOfUse(Model):
    """Who uses a device, and where."""

    address: Address
    """Where the device is used."""
    customer_name: CustomerName
    """Who uses the device."""
