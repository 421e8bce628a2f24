"""Calls for any number of devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final, Unpack

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.outcomes import OutcomeSource
from thingspace_async._core.types import Accepted
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
from thingspace_async.devices.fleet.plan import Action, Plan
from thingspace_async.devices.lifecycle.calls import ACTIVATE, CHANGE_PLAN, DEACTIVATE, RESTORE, SUSPEND

__all__ = ["OPERATIONS", "Fleet"]

OPERATIONS: Final = (ACTIVATE, DEACTIVATE, SUSPEND, RESTORE, CHANGE_PLAN)
"""Requests of these calls. `devices.lifecycle` has the calls for up to 10,000 devices."""


class Fleet(Namespace):
    """Fleet runs: calls for any number of devices, split into requests, sent at the platform's pace, and awaited."""

    def activate_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[ActivateAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Put any number of devices into service, and iterate over the outcome of each.

        `devices` may be any iterable, async or plain. Exact duplicates are sent once. A device that shares an
        identifier with a different device ends as FAILED, and `reason` names that device. `outcomes` comes from
        `session.listen`. Each device has one outcome, and a failed device raises no error.

        The inbox of `outcomes` records every batch under the name `run` before it is sent. You can stop a run at any
        moment: close it with `contextlib.aclosing`. Call it again with the same name and options to continue: it sends
        the devices that were not sent, awaits the others, and then returns the outcomes of earlier runs again, marked
        as `repeat`. If the answer to a request was lost, the run searches for its messages, and never sends it again.
        Without messages its devices end as UNKNOWN. The inbox keeps a run until `forget_run`.

        Any number of processes with the same inbox may share a run. Each returns the outcomes of the devices that it
        sends, and of those that it takes over from processes that have crashed or left. The run ends when all processes
        have finished.

        All runs of a session share a rate limit of 100 requests per minute, including retries. While the platform is
        unreachable, throttles, or fails at logins, all requests wait together, at most for `give_up_after`.

        Raises LoginRefused, Forbidden and SessionClosed, InboxUnavailable if the inbox stays unavailable, and RunLost
        if it has lost changes. Raises InvalidRequest for invalid options, and for a run that was begun by another call,
        with other options, or on another platform.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Activate_Devices/
        """
        return self._run(ACTIVATE, devices, outcomes, options)

    def deactivate_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[DeactivateAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """End the service of any number of devices, and iterate over the outcome of each; see `activate_all`.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/deactivate-devices.html
        """
        return self._run(DEACTIVATE, devices, outcomes, options)

    def suspend_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[SuspendAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Suspend the service of any number of devices, and iterate over the outcome of each; see `activate_all`.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Suspend_Devices/
        """
        return self._run(SUSPEND, devices, outcomes, options)

    def restore_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[RestoreAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Restore the service of any number of devices, and iterate over the outcome of each; see `activate_all`.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/restore-devices.html
        """
        return self._run(RESTORE, devices, outcomes, options)

    def change_plan_all(
        self, devices: FleetDevices, outcomes: OutcomeSource, **options: Unpack[ChangePlanAll]
    ) -> AsyncGenerator[FleetOutcome]:
        """Change the service plan of any number of devices, and iterate over the outcome of each; see `activate_all`.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Service_Plan/
        """
        return self._run(CHANGE_PLAN, devices, outcomes, options)

    def _run(
        self, operation: Operation[Any, Accepted], devices: FleetDevices, outcomes: OutcomeSource, options: RunOptions
    ) -> AsyncGenerator[FleetOutcome]:
        from thingspace_async.devices.fleet.run import FleetRun  # Imported late: other calls need not wait for it.

        given: dict[str, Any] = dict(options)
        plan = Plan(**{name: given.pop(name) for name in RunOptions.__annotations__ if name in given})
        return FleetRun(self._caller, Action(operation, given), devices, outcomes, plan).outcomes()
