"""The service of devices of any number: cut into requests, sent at the platform's pace, and awaited.

    from thingspace_async import DeviceId
    from thingspace_async.callbacks import CallbackService, MemoryInbox
    from thingspace_async.callbacks.receiver import Receiver
    from thingspace_async.callbacks.web import serve

    account = "0000123456-00001"
    fleet = [DeviceId.imei(one.identifier("imei")) async for one in session.devices.list(account_name=account)]

    def show(done, failed, waiting, total):
        print(f"{done} of {total}, of which {failed} failed; {waiting} accepted")
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

With a SqliteInbox a run can be stopped at any moment, and goes on when it is started again under its name.
"""

from thingspace_async.devices.fleet.calls import OPERATIONS, Fleet
from thingspace_async.devices.fleet.interface import (
    ActivateAll,
    ChangePlanAll,
    DeactivateAll,
    FleetDevices,
    FleetOutcome,
    FleetResult,
    Progress,
    RestoreAll,
    RunOptions,
    SuspendAll,
)

__all__ = [
    "OPERATIONS",
    "ActivateAll",
    "ChangePlanAll",
    "DeactivateAll",
    "Fleet",
    "FleetDevices",
    "FleetOutcome",
    "FleetResult",
    "Progress",
    "RestoreAll",
    "RunOptions",
    "SuspendAll",
]
