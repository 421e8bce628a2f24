"""`thingspace demo`: log in, read an account, list its devices, and log out, with the time of each step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from thingspace_async import Exchange, Session
from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._printing import printing
from thingspace_async._cli._run import DevicesOption, run
from thingspace_async._cli.devices import COLUMNS
from thingspace_async.devices import AccountDeviceListRequest, Device

__all__ = ["demo"]

_SHOWN = 8


@with_groups
def demo(
    access: Access,
    *,
    devices: DevicesOption = 10_000,
    live: Annotated[
        bool, typer.Option("--live", help="Use the platform and the account that the other commands use.")
    ] = False,
) -> None:
    """Show the main calls: on a simulator, or on the real platform with --live."""

    async def show() -> None:
        console = Console(highlight=False)
        steps = _Steps(console)
        async with AsyncExitStack() as stack:
            if not live:
                from thingspace_async.simulator import Simulator  # Imported late because it is slow.

                cloud = await stack.enter_async_context(Simulator(devices=devices))
                name, total = None, devices
                session = Session(cloud.credentials, environment=cloud.environment, on_exchange=steps)
                console.print(f"Using a simulator with {devices:,} devices. For the real platform, pass --live.")
            else:
                name, total, place = access.optional_account, None, access.place
                session = access.session(on_exchange=steps)
                where = place.name if place.is_loopback else f"the real platform ({place.name})"
                console.print(f"Using {where} with your credentials.")
            try:
                await _walk(console, session, name, total)
            except asyncio.CancelledError:
                console.print(f"  Interrupted. {steps.ending}")
                raise
            console.print(f"  {steps.ending}")

    run(show)


class _Steps:
    """Prints each finished exchange, except the pages of devices, which have a progress bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.ending: str = "Connections closed."

    def __call__(self, exchange: Exchange) -> None:
        if exchange.operation == "session.log_out" and exchange.status == 200:
            self.ending = "Logged out, connections closed."
        if exchange.operation == "devices.list" and exchange.status in (200, 202):
            return
        status = exchange.status or "no answer"
        self._console.print(f"  {exchange.operation:<24} {status}  {exchange.seconds * 1000:7.1f} ms")


async def _walk(console: Console, session: Session, account: str | None, total: int | None) -> None:
    async with session:
        name = account or await _first_account(session)
        if name is not None:
            found = await session.accounts.get(name)
            plans = ", ".join(plan.name or "?" for plan in found.service_plans[:4])
            console.print(f"  Account {name} of {found.organization_name or '?'}, with the plans {plans or 'none'}.")
        began = time.perf_counter()
        shown: list[Device] = []
        count = 0
        with _bar(console, total) as advance:
            async for device in session.devices.list(account_name=name):
                if count < _SHOWN:
                    shown.append(device)
                count += 1
                advance(count)
        found_in = f"  {count:,} devices in {time.perf_counter() - began:.2f} s"
        if shown:
            console.print(f"{found_in}; the first of them:")
            console.print(Padding(_table(shown), (0, 0, 0, 2)))
        else:
            console.print(f"{found_in}.")
        console.print("  Logging out.")


async def _first_account(session: Session) -> str | None:
    page = await session.devices.list_page(AccountDeviceListRequest(max_number_of_devices=1))
    return page.devices[0].account_name if page.devices else None


@contextmanager
def _bar(console: Console, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar, redrawn for every hundredth device because people cannot follow more."""
    columns = (TextColumn("  devices"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(quiet=True) if printing.quiet else console) as progress:
        task = progress.add_task("devices", total=total)
        reached = 0

        def advance(count: int) -> None:
            nonlocal reached
            reached = count
            if count % 100 == 0:
                progress.update(task, completed=count)

        yield advance
        progress.update(task, completed=reached, total=reached)


def _table(devices: list[Device]) -> Table:
    """Return a table of the columns that fit 80 characters."""
    shown = {name: COLUMNS[name] for name in ("imei", "iccid", "mdn", "state", "service plan")}
    table = Table(box=None, pad_edge=False)
    for name in shown:
        table.add_column(name, no_wrap=True)
    for device in devices:
        table.add_row(*(str(read(device) or "") for read in shown.values()))
    return table
