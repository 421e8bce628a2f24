"""Calls for devices of any number."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final, Unpack

from thingspace_async._namespace import Namespace
from thingspace_async._operation import Operation
from thingspace_async._outcomes import OutcomeSource
from thingspace_async._types import Accepted
from thingspace_async.devices.fleet.interface import (
    ActivateAll,
    ChangePlanAll,
    DeactivateAll,
    FleetDevices,
    FleetOutcome,
    RestoreAll,
    RunOptions,
    SuspendAll,
)
from thingspace_async.devices.fleet.run import Action, FleetRun, Plan
from thingspace_async.devices.lifecycle.calls import ACTIVATE, CHANGE_PLAN, DEACTIVATE, RESTORE, SUSPEND

__all__ = ["OPERATIONS", "Fleet"]

OPERATIONS: Final = (ACTIVATE, DEACTIVATE, SUSPEND, RESTORE, CHANGE_PLAN)
"""What these calls send; `devices.lifecycle` has them for up to 10,000 devices."""


class Fleet(Namespace):
    """The service of devices of any number: cut into requests, sent at the platform's pace, and awaited."""

    def activate_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[ActivateAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Put any number of devices into service, and walk what becomes of each.

        `devices` may be any iterable, async or plain; one that is given twice is sent once. `outcomes` is what
        `session.listen` gives. All runs of a session share a pace of 100 requests a minute. Each device has one
        outcome, whatever becomes of it; nothing is raised for one that fails.

        What was sent is noted in the inbox of `outcomes` under the name `run`, before it is sent. Stopped at any moment
        and called again with the same name, options and devices, these in any order, it sends those that were not sent,
        awaits the others, and gives the outcomes of all of them. What was sent while no answer came is UNKNOWN, and not
        sent again. All of that is kept until the inbox's `forget_run`, after which the name begins anew. To leave it
        early, close it: `contextlib.aclosing`.

        With a RedisInbox, any number of processes that are given the same run divide it. Each gives the outcomes of the
        devices that it has sent, and those of processes that have died or left meanwhile, whose devices it takes over;
        it ends when all of them have finished. With any other inbox, one process at a time may carry out a run.

        Raises Unauthorized, Forbidden and SessionClosed, InboxUnavailable, and InvalidRequest for options that no
        request may have, and for a run that is under way, or was begun by another call, with other options, or on
        another platform.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Activate_Devices/
        """
        return self._run(ACTIVATE, devices, outcomes, options)

    def deactivate_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[DeactivateAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """End the service of any number of devices, and walk what becomes of each; see `activate_all`.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/deactivate-devices.html
        """
        return self._run(DEACTIVATE, devices, outcomes, options)

    def suspend_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[SuspendAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Suspend the service of any number of devices, and walk what becomes of each; see `activate_all`.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Suspend_Devices/
        """
        return self._run(SUSPEND, devices, outcomes, options)

    def restore_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[RestoreAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Restore the service of any number of devices, and walk what becomes of each; see `activate_all`.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/restore-devices.html
        """
        return self._run(RESTORE, devices, outcomes, options)

    def change_plan_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[ChangePlanAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Change the service plan of any number of devices, and walk what becomes of each; see `activate_all`.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Service_Plan/
        """
        return self._run(CHANGE_PLAN, devices, outcomes, options)

    def _run(
        self, operation: Operation[Any, Accepted], devices: FleetDevices, outcomes: OutcomeSource, options: RunOptions
    ) -> AsyncGenerator[FleetOutcome]:
        given: dict[str, Any] = dict(options)
        plan = Plan(**{name: given.pop(name) for name in RunOptions.__annotations__ if name in given})
        return FleetRun(self._caller, Action(operation, given), devices, outcomes, plan).outcomes()
