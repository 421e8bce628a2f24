"""Options and outcomes of fleet runs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Required, TypeAlias, TypedDict

import attrs

from thingspace_async._core.models import PlaceOfUse
from thingspace_async._core.outcomes import DeviceOutcome
from thingspace_async._core.types import CustomField, DeviceId, DeviceIds, Identified
from thingspace_async.devices.fleet.progress import FleetProgress
from thingspace_async.devices.fleet.results import FleetResult
from thingspace_async.errors import ThingSpaceError

__all__ = [
    "ActivateAll",
    "ChangePlanAll",
    "DeactivateAll",
    "FleetDevices",
    "FleetOutcome",
    "FleetProgress",
    "FleetResult",
    "Progress",
    "RestoreAll",
    "RunOptions",
    "SuspendAll",
]

FleetDevices: TypeAlias = (
    Iterable[DeviceId | Identified | Iterable[DeviceId]] | AsyncIterable[DeviceId | Identified | Iterable[DeviceId]]
)
"""Any number of devices, in any form that requests accept."""

Progress: TypeAlias = Callable[[FleetProgress], object]
"""Called after each change of the counts."""


@attrs.frozen(kw_only=True)
class FleetOutcome:
    """The outcome of one device of a run."""

    device: DeviceIds
    result: FleetResult
    request_id: str | None = None
    """Id of the accepted request, or None if none was accepted."""
    outcome: DeviceOutcome | None = None
    """A `callbacks.Outcome` with the platform's message about the device, or None without a message."""
    reason: str | None = None
    """Why the device did not succeed, in one line."""
    error: ThingSpaceError | None = attrs.field(default=None, repr=False)
    """Error of the request. None if it occurred in an earlier run or another worker, which keep only `reason`."""
    repeat: bool = False
    """Whether an earlier run or a crashed worker may have reported this outcome already."""


class RunOptions(TypedDict, total=False):
    """Options of all fleet runs."""

    run: Required[str]
    """Name of the run. No device is sent twice under the same name."""
    devices_per_request: int
    """Maximum number of devices per request. Default: 10,000."""
    in_flight: int
    """Requests in progress at the same time. Default: 10."""
    most_awaited: int
    """Devices that are being sent or wait for their outcome at the same time. A silent device counts until its
    `timeout`. Default: 200,000."""
    timeout: timedelta
    """How long to wait for the outcomes of a request, and for messages about a request whose answer was lost. Default:
    one hour."""
    give_up_after: timedelta
    """How long the platform may be unreachable, throttle or refuse tokens before devices end as NOT_SENT. A run that
    starts while its inbox is unavailable waits as long for the inbox. Default: one hour."""
    replay: bool
    """Whether to return the outcomes that an earlier run of this name has reported, after the new ones. Default:
    True."""
    retry: Iterable[FleetResult]
    """Results of an earlier run of this name after which to send a device again: FAILED, MISSING or UNKNOWN. NOT_SENT
    devices are always sent again."""
    on_progress: Progress
    """Called after each change of the counts."""


class ActivateAll(RunOptions, TypedDict, total=False):
    """Options of `activate_all`. See ActivateRequest for those of its requests."""

    service_plan: Required[str]
    mdn_zip_code: Required[str]
    account_name: str | None
    carrier_ip_pool_name: str | None
    carrier_name: str | None
    cost_center_code: str | None
    custom_fields: Sequence[CustomField]
    group_name: str | None
    lead_id: str | None
    primary_place_of_use: PlaceOfUse | None
    public_ip_restriction: str | None
    sku_number: str | None


class SuspendAll(RunOptions, TypedDict, total=False):
    """Options of `suspend_all`. See SuspendRequest for those of its requests."""

    account_name: str | None
    with_billing: bool | None


class RestoreAll(RunOptions, TypedDict, total=False):
    """Options of `restore_all`. See RestoreRequest for those of its requests."""

    account_name: str | None


class DeactivateAll(RunOptions, TypedDict, total=False):
    """Options of `deactivate_all`. See DeactivateRequest for those of its requests."""

    account_name: Required[str]
    reason_code: Required[str]
    etf_waiver: bool | None
    delete_after_deactivation: bool | None


class ChangePlanAll(RunOptions, TypedDict, total=False):
    """Options of `change_plan_all`. See ServicePlanUpdateRequest for those of its requests."""

    service_plan: Required[str]
    account_name: str | None
    carrier_ip_pool_name: str | None
    take_effect: datetime | None
