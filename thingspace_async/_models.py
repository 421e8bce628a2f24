"""Models that the requests of several products share."""

from __future__ import annotations

import attrs

from thingspace_async import _checks

__all__ = ["Address", "CustomerName", "PlaceOfUse"]


@attrs.frozen(kw_only=True)
class Address:
    """A postal address."""

    address_line1: str = attrs.field(validator=_checks.text)
    address_line2: str | None = attrs.field(default=None, validator=_checks.text)
    city: str = attrs.field(validator=_checks.text)
    state: str = attrs.field(validator=_checks.text)
    """Two letters, such as `NJ`."""
    zip: str = attrs.field(validator=_checks.text)
    """Five digits."""
    zip4: str | None = attrs.field(default=None, validator=_checks.text)
    """The four digits behind it."""
    country: str = attrs.field(validator=_checks.text)
    """Such as `USA`."""
    phone: str | None = attrs.field(default=None, validator=_checks.text)
    phone_type: str | None = attrs.field(default=None, validator=_checks.text)
    """A single letter, such as `H` for home."""
    email_address: str | None = attrs.field(default=None, validator=_checks.text)


@attrs.frozen(kw_only=True)
class CustomerName:
    """The name of a person who uses a device."""

    title: str | None = attrs.field(default=None, validator=_checks.text)
    first_name: str = attrs.field(validator=_checks.text)
    middle_name: str | None = attrs.field(default=None, validator=_checks.text)
    last_name: str = attrs.field(validator=_checks.text)
    suffix: str | None = attrs.field(default=None, validator=_checks.text)


@attrs.frozen(kw_only=True)
class PlaceOfUse:
    """Who uses a device, and where."""

    address: Address = attrs.field(validator=_checks.instance(Address))
    customer_name: CustomerName = attrs.field(validator=_checks.instance(CustomerName))
