"""Fleet runs: calls for any number of devices, split into requests, sent at the platform's pace, and awaited.

    from thingspace_async import DeviceId
    from thingspace_async.callbacks import CallbackService, MemoryInbox
    from thingspace_async.callbacks.receiver import Receiver
    from thingspace_async.callbacks.web import serve

    account = "0000123456-00001"
    fleet = [DeviceId.imei(one.identifier("imei")) async for one in session.devices.list(account_name=account)]

    def show(progress):
        print(f"{progress.done} of {progress.total}, {progress.failed} failed, {progress.waiting} accepted")
        cloud.clock.advance(60)  # The simulator's; the platform takes minutes, or hours.

    receiver = Receiver(MemoryInbox())
    services = [CallbackService.CARRIER]
    async with (
        serve(receiver, port=0) as url,
        session.listen(account, receiver, base_url=url, services=services) as outcomes,
    ):
        run = session.devices.suspend_all(fleet, outcomes, run="winter", account_name=account, on_progress=show)
        async for outcome in run:
            print(outcome.device.identifier("imei"), outcome.result, outcome.reason)

With any other inbox, you can stop a run at any moment and continue it under the same name. Any number of processes with
the same inbox may share a run.
"""

from thingspace_async.devices.fleet.calls import OPERATIONS, Fleet
from thingspace_async.devices.fleet.interface import (
    ActivateAll,
    ChangePlanAll,
    DeactivateAll,
    FleetDevices,
    FleetOutcome,
    Progress,
    RestoreAll,
    RunOptions,
    SuspendAll,
)
from thingspace_async.devices.fleet.progress import FleetProgress
from thingspace_async.devices.fleet.results import FleetResult
from thingspace_async.devices.fleet.status import FleetRunInfo, FleetStatus, fleet_runs, fleet_status

__all__ = [
    "OPERATIONS",
    "ActivateAll",
    "ChangePlanAll",
    "DeactivateAll",
    "Fleet",
    "FleetDevices",
    "FleetOutcome",
    "FleetProgress",
    "FleetResult",
    "FleetRunInfo",
    "FleetStatus",
    "Progress",
    "RestoreAll",
    "RunOptions",
    "SuspendAll",
    "fleet_runs",
    "fleet_status",
]
