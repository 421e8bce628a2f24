"""What a run over a fleet is told, and what it tells."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Required, TypeAlias, TypedDict

import attrs

from thingspace_async._models import PlaceOfUse
from thingspace_async._outcomes import DeviceOutcome
from thingspace_async._types import CustomField, DeviceId, DeviceIds
from thingspace_async.errors import ThingSpaceError

__all__ = [
    "ActivateAll",
    "ChangePlanAll",
    "DeactivateAll",
    "FleetDevices",
    "FleetOutcome",
    "FleetResult",
    "Progress",
    "RestoreAll",
    "RunOptions",
    "SuspendAll",
]

FleetDevices: TypeAlias = (
    "Iterable[DeviceIds | DeviceId | Iterable[DeviceId]] | AsyncIterable[DeviceIds | DeviceId | Iterable[DeviceId]]"
)
"""Devices as a request takes them, any number of them; they may come one by one."""

Progress: TypeAlias = Callable[[int, int, int, int | None], object]
"""Called with `done`, `failed`, `waiting`, `total`: devices with an outcome, those among them whose result is not
SUCCEEDED, accepted ones without an outcome, and all; None while nobody knows how many they are."""


class FleetResult(StrEnum):
    """What became of a device in a run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The platform refused the device, or the request that it was in."""
    MISSING = "missing"
    """Accepted, but no outcome came in time; the next run of the same name awaits it again."""
    UNKNOWN = "unknown"
    """Sent, and the answer is lost: find out before you do it again. No run of the same name sends it again."""
    NOT_SENT = "not sent"
    """Never accepted; the next run of the same name sends it."""


@attrs.frozen(kw_only=True)
class FleetOutcome:
    """What became of one device of a run."""

    device: DeviceIds
    result: FleetResult
    request_id: str | None = None
    """The request that the device was in; None where none was accepted."""
    outcome: DeviceOutcome | None = None
    """What the platform told of the device, a `callbacks.Outcome`; None where it told nothing."""
    reason: str | None = None
    """Why it has not succeeded, in one line."""
    error: ThingSpaceError | None = attrs.field(default=None, repr=False)
    """What the request met; None where that was in an earlier run, of which `reason` is kept."""


class RunOptions(TypedDict, total=False):
    """How to run over a fleet."""

    run: Required[str]
    """The run's name in the ledger: under the same name, what was sent is never sent again."""
    devices_a_request: int
    """At most; 10,000 unless you say fewer."""
    in_flight: int
    """Requests whose outcomes are awaited at a time; 10 unless you say otherwise."""
    timeout: timedelta
    """How long to wait for the outcomes of a request; an hour unless you say otherwise."""
    on_progress: Progress


class ActivateAll(RunOptions, total=False):
    """Options of `activate_all`; those of the requests are as in ActivateRequest."""

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


class SuspendAll(RunOptions, total=False):
    """Options of `suspend_all`; those of the requests are as in SuspendRequest."""

    account_name: str | None
    with_billing: bool | None


class RestoreAll(RunOptions, total=False):
    """Options of `restore_all`; those of the requests are as in RestoreRequest."""

    account_name: str | None


class DeactivateAll(RunOptions, total=False):
    """Options of `deactivate_all`; those of the requests are as in DeactivateRequest."""

    account_name: Required[str]
    reason_code: Required[str]
    etf_waiver: bool | None
    delete_after_deactivation: bool | None


class ChangePlanAll(RunOptions, total=False):
    """Options of `change_plan_all`; those of the requests are as in ServicePlanUpdateRequest."""

    service_plan: Required[str]
    account_name: str | None
    carrier_ip_pool_name: str | None
    take_effect: datetime | None
