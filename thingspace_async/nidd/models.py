"""Models of Non-IP Data Delivery."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model
from thingspace_async._core.types import DeviceId, to_device_ids
from thingspace_async.errors import InvalidRequest

__all__ = ["NiddSendRequest"]

_MOST_BYTES: Final = 1_358
_THIRTY_DAYS: Final = 2_592_000


def to_base64(given: bytes | str) -> str:
    """Convert bytes to Base64. The validator refuses other strings and other values."""
    return base64.b64encode(given).decode() if isinstance(given, bytes) else given


def _base64(model: object, field: attrs.Attribute[Any], value: str) -> None:
    checks.text(model, field, value)
    try:
        size = len(base64.b64decode(value, validate=True))
    except ValueError:
        raise InvalidRequest("NiddSendRequest: message must be bytes, or a string in Base64") from None
    if not 0 < size <= _MOST_BYTES:
        raise InvalidRequest(f"NiddSendRequest: message must have 1 to {_MOST_BYTES:,} bytes, not {size:,}")


@attrs.frozen(kw_only=True, field_transformer=checked)
class NiddSendRequest(Model):
    """Data for devices."""

    account_name: str
    """Account of the devices."""
    device_ids: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids)
    """NB-IoT devices, one identifier each."""
    message: str = attrs.field(converter=to_base64, validator=_base64)
    """The data, 1 to 1,358 bytes. A string must be in Base64."""
    maximum_delivery_time: Annotated[int, Range(least=2, most=_THIRTY_DAYS)]
    """Seconds to keep trying, from 2 to 2,592,000 (30 days)."""
