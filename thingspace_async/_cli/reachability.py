"""`thingspace reachability`: whether devices can be reached, now or until a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import Change, number
from thingspace_async._cli._devices import Devices, device_named
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Output
from thingspace_async._cli._results import Results
from thingspace_async._cli._run import WrongUsage, run
from thingspace_async.reachability import (
    MonitorType,
    NotificationReportRequest,
    NotificationReportStatusRequest,
    RetrieveMonitorsRequest,
    StopMonitorRequest,
)

__all__ = ["app"]

app = typer.Typer(help="Whether devices can be reached.", no_args_is_help=True, add_completion=False)


class _Type(StrEnum):
    """Events that a monitor reports, as the option spells them."""

    DATA = "data"
    SMS = "sms"
    DATA_AND_SMS = "data-and-sms"
    LOSS = "loss"
    DATA_AND_LOSS = "data-and-loss"
    SMS_AND_LOSS = "sms-and-loss"
    DATA_SMS_AND_LOSS = "data-sms-and-loss"

    @property
    def on_wire(self) -> MonitorType:
        return MonitorType[self.name]


_TypeOption = Annotated[_Type, typer.Option("--type", help="Reachable for data or SMS, or loss of the connection.")]


@app.callback()
def reachability() -> None:
    """Monitor devices, and ask whether they can be reached."""


@app.command("start", epilog="Example: thingspace reachability start 353272090079193 --type data --days 7")
@with_groups
def start(
    access: Access,
    output: Output,
    change: Change,
    results: Results,
    devices: Devices,
    *,
    kind: _TypeOption = _Type.DATA,
    days: Annotated[int, typer.Option(min=1, max=3649, help="How long to monitor the devices.")] = 30,
) -> None:
    """Monitor devices: the platform sends a message whenever one of them can be reached.

    The first result has the id of each monitor. Later messages arrive until the monitor expires: print them with
    `thingspace requests follow`.
    """

    async def work() -> None:
        account, monitored = access.required_account, devices.read_some()
        what = f"monitor {number(len(monitored), 'device')} of {account} for {number(days, 'day')}"
        async with results.opened(output) as inbox:
            if not await change.allowed(what):
                return
            request = NotificationReportRequest(
                account_name=account,
                request_type=kind.on_wire,
                devices=monitored,
                monitor_expiration_time=datetime.now(UTC) + timedelta(days=days),
            )
            async with access.session() as session:
                accepted = await session.reachability.monitor(request)
            await results.show(output, accepted, inbox)

    run(work)


@app.command("list", epilog="Example: thingspace reachability list 353272090079193 --inbox messages.db")
@with_groups
def list_monitors(
    access: Access,
    output: Output,
    results: Results,
    devices: Devices,
    *,
    kind: Annotated[_Type | None, typer.Option("--type", help="Only monitors of this type.")] = None,
) -> None:
    """Print the active monitors of devices, which the platform sends to the inbox.

    Name all devices by the same kind of identifier. Nothing is changed.
    """

    async def work() -> None:
        account, monitored = access.required_account, devices.read_some()
        request = RetrieveMonitorsRequest(
            account_name=account, devices=monitored, monitor_type=None if kind is None else kind.on_wire
        )
        async with results.opened(output) as inbox:
            async with access.session() as session:
                accepted = await session.reachability.monitors(request)
            await results.show(output, accepted, inbox)

    run(work)


@app.command("status", epilog="Example: thingspace reachability status 353272090079193 --inbox messages.db")
@with_groups
def status(
    access: Access,
    output: Output,
    results: Results,
    *,
    device: Annotated[str, typer.Argument(help="An IMEI, ICCID, MDN or EID.", show_default=False)],
    kind: _TypeOption = _Type.DATA,
) -> None:
    """Print whether a device can be reached now, which the platform sends to the inbox.

    If it cannot, the platform waits for it for one hour, and sends another message. `thingspace requests follow`
    prints both.
    """

    async def work() -> None:
        account, asked = access.required_account, device_named(device)
        request = NotificationReportStatusRequest(account_name=account, device=asked, request_type=kind.on_wire)
        async with results.opened(output) as inbox:
            async with access.session() as session:
                accepted = await session.reachability.status(request)
            await results.show(output, accepted, inbox)

    run(work)


@app.command("stop", epilog="Example: thingspace reachability stop 353272090079193 --account 0000123456-00001")
@with_groups
def stop(
    access: Access,
    output: Output,
    change: Change,
    results: Results,
    devices: Devices,
    *,
    monitors: Annotated[
        list[str] | None, typer.Option("--monitor", help="Id of a monitor, as `list` prints it. Repeatable.")
    ] = None,
) -> None:
    """End monitors before they expire: all monitors of devices, or those with an id.

    Name about fifty devices or monitors at a time: the request must fit into a URL.
    """

    async def work() -> None:
        account, ids, monitored = access.required_account, tuple(monitors or ()), devices.read()
        if not ids and not monitored:
            raise WrongUsage("nothing to stop: name devices, or pass --monitor with the id of a monitor")
        request = StopMonitorRequest(account_name=account, monitor_ids=ids, devices=monitored)
        parts = [number(len(ids), "monitor")] * bool(ids)
        parts += [f"all monitors of {number(len(monitored), 'device')}"] * bool(monitored)
        async with results.opened(output) as inbox:
            if not await change.allowed(f"end {' and '.join(parts)} of account {account}"):
                return
            async with access.session() as session:
                accepted = await session.reachability.stop(request)
            await results.show(output, accepted, inbox, count=len(ids) + len(monitored) if ids else None)

    run(work)
