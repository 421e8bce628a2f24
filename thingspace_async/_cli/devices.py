"""`thingspace devices`: print the devices of an account and their history, for people or for other programs."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from thingspace_async import DeviceId, Session, SuspiciousIdentifier
from thingspace_async._cli._access import Access
from thingspace_async._cli._devices import KINDS, kinds_of
from thingspace_async._cli._file_output import FileOutput
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output
from thingspace_async._cli._run import WrongUsage, run
from thingspace_async.devices import (
    AccountDeviceListFilter,
    AccountDeviceListRequest,
    Device,
    DeviceIdSearch,
)
from thingspace_async.devices.history import (
    ConnectionEvent,
    DeviceConnectionListRequest,
    DeviceProvisioningHistoryListRequest,
    ProvisioningHistory,
)
from thingspace_async.errors import ConfigurationError, NotFound

__all__ = ["COLUMNS", "app", "check_state"]

app = typer.Typer(help="The devices of an account.", no_args_is_help=True, add_completion=False)

COLUMNS: Final[Columns[Device]] = {
    "imei": lambda device: device.imei,
    "iccid": lambda device: device.iccid,
    "mdn": lambda device: device.mdn,
    "state": lambda device: device.state,
    "service plan": lambda device: device.service_plan,
    "ip address": lambda device: device.ip_address,
    "last connection": lambda device: device.last_connection_date,
    "account": lambda device: device.account_name,
    "groups": lambda device: " ".join(device.group_names),
    "eid": lambda device: device.eid,
}

_KINDS: Final = {"last connection": datetime}

_STATES: Final = ("active", "deactive", "preactive", "suspend")

_SEARCHES: Final = {"^": "startswith", "$": "endswith"}
"""Where a filter looks, by the character before its sign of equality. Without one, anywhere."""


@app.callback()
def devices() -> None:
    """Read the devices of an account."""


@app.command("list", epilog="Example: thingspace devices list --state active --filter imei^=3532 --limit 20")
@with_groups
def list_devices(
    access: Access,
    output: FileOutput,
    *,
    state: Annotated[str | None, typer.Option(help="active, suspend, deactive, preactive, or a custom state.")] = None,
    group: Annotated[str | None, typer.Option(help="Only devices of this group.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only devices with this service plan.")] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Part of an identifier, such as imei=9900 (anywhere), imei^=9900 (at its start) or imei$=73 (at its "
            "end). A device must match all filters.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Print at most this number of devices.")] = None,
) -> None:
    """Print any number of devices as they arrive, or write them to a file."""

    async def work() -> None:
        searches, account = tuple(_search(one) for one in search or ()), access.optional_account
        output.check(COLUMNS)
        async with access.session() as session:
            if state is not None:
                await check_state(session, account, state)
            wanted = AccountDeviceListRequest(
                account_name=account,
                current_state=state,
                group_name=group,
                service_plan=plan,
                filter=AccountDeviceListFilter(device_identifier_filters=searches) if searches else None,
                max_number_of_devices=None if limit is None else min(limit, _PAGE),
            )
            async with aclosing(_first(session.devices.list(wanted), limit)) as found:
                await output.rows(found, COLUMNS, _KINDS)

    run(work)


_DeviceArgument = Annotated[
    str, typer.Argument(help="An IMEI, ICCID, MDN, EID or another identifier.", show_default=False)
]
_KindOption = Annotated[str | None, typer.Option(help=f"Its kind: {', '.join(KINDS)}.", show_default="its length")]


@app.command("get", epilog="Example: thingspace devices get 353272090079193")
@with_groups
def get_device(access: Access, output: Output, *, device: _DeviceArgument, kind: _KindOption = None) -> None:
    """Print one device. The kind of its identifier follows from its length: --kind names another one."""

    async def work() -> None:
        account = access.optional_account
        kinds = _kinds(device, kind)
        async with access.session() as session:
            output.one(await _found(session, account, device, kinds), COLUMNS)

    run(work)


@app.command("history", epilog="Example: thingspace devices history 353272090079193 --from 2026-11-01 --connections")
@with_groups
def show_history(
    access: Access,
    output: Output,
    *,
    device: _DeviceArgument,
    kind: _KindOption = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="A day or a time, such as 2026-11-01 or 2026-11-01T08:00.", show_default="30 days ago"
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="A day, which is included, or a time.", show_default="now")
    ] = None,
    connections: Annotated[
        bool, typer.Option("--connections", help="Print the data sessions instead of the changes of the service.")
    ] = False,
) -> None:
    """Print the history of a device, oldest first: activations, suspensions and other changes of its service.

    Times without an offset, such as +02:00, are in UTC.
    """

    async def work() -> None:
        account, kinds = access.optional_account, _kinds(device, kind)
        earliest, latest = _span(start, end)
        async with access.session() as session:
            found = await _found(session, account, device, kinds)
            calls = session.devices.history
            span: dict[str, Any] = {"device_id": found, "earliest": earliest, "latest": latest}
            if connections:
                async with aclosing(calls.connections(DeviceConnectionListRequest(**span))) as events:
                    await output.rows(events, _CONNECTIONS)
            else:
                async with aclosing(calls.provisioning(DeviceProvisioningHistoryListRequest(**span))) as changes:
                    await output.rows(changes, _CHANGES)

    run(work)


_CHANGES: Final[Columns[ProvisioningHistory]] = {
    "time": lambda change: change.occurred_at,
    "change": lambda change: change.event_type,
    "status": lambda change: change.status,
    "by": lambda change: change.event_by,
    "service plan": lambda change: change.service_plan,
    "mdn": lambda change: change.mdn,
    "msisdn": lambda change: change.msisdn,
}

_CONNECTIONS: Final[Columns[ConnectionEvent]] = {
    "time": lambda event: event.occurred_at,
    "event": lambda event: event.attribute("Event"),
    "bytes": lambda event: event.attribute("BytesUsed"),
    "attributes": lambda event: ", ".join(
        f"{one.key}: {one.value}"
        for one in event.connection_event_attributes
        if one.value and one.key not in ("Event", "BytesUsed")
    ),
}


def _kinds(device: str, kind: str | None) -> list[str]:
    """Return the kinds to look an identifier up as. Raises ConfigurationError for an unknown kind."""
    if kind is None:
        return kinds_of(device)
    if kind.casefold() not in KINDS:
        raise WrongUsage(f"--kind {kind} does not exist: choose from {', '.join(KINDS)}")
    return [kind.casefold()]


async def _found(session: Session, account: str | None, device: str, kinds: list[str]) -> Device:
    """Read a device by an identifier that may be of several kinds. Raises ConfigurationError if there is none."""
    for kind in kinds:
        with warnings.catch_warnings():  # If the device exists, the identifier is right.
            warnings.simplefilter("ignore", SuspiciousIdentifier)
            identifier = DeviceId(kind=kind, id=device)
        try:
            return await session.devices.get(identifier, account_name=account)
        except NotFound:
            continue
    raise ConfigurationError(f"no device has the {' or '.join(kinds)} {device}: name its kind with --kind")


def _span(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    """Return the time span of a history. Raises ConfigurationError unless it has two times in order."""
    now = datetime.now(UTC)
    latest = now if end is None else min(_moment("--to", end, is_end=True), now)
    earliest = latest - _DEFAULT_SPAN if start is None else _moment("--from", start)
    if earliest >= latest:
        raise WrongUsage(f"--from {start} is not before {'now' if end is None else f'--to {end}'}")
    return earliest, latest


_DEFAULT_SPAN: Final = timedelta(days=30)


_YEARS: Final = range(2000, 2100)
"""Others are mistyped, and could not be computed with."""


def _moment(option: str, given: str, *, is_end: bool = False) -> datetime:
    """Return a time. A day means its first moment, or its last one at the end of a span."""
    time = None
    with suppress(ValueError):
        time = datetime.fromisoformat(given)
    if time is None or time.year not in _YEARS:
        raise WrongUsage(
            f"{option} {given} is not a time: use a day such as 2026-11-01, or a time such as 2026-11-01T08:00"
        )
    if is_end and len(given) <= len("2026-11-01"):
        time += timedelta(days=1)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


_PAGE: Final = 2000


def _search(given: str) -> DeviceIdSearch:
    name, separator, part = given.partition("=")
    how = _SEARCHES.get(name[-1:], "contains")
    kind = name.rstrip("^$").strip().casefold()
    if not separator or not part or kind not in KINDS:
        raise WrongUsage(
            f"--filter {given} is not a filter: use imei=PART, imei^=START or imei$=END, or another kind: "
            f"{', '.join(KINDS)}"
        )
    return DeviceIdSearch(kind=kind, **{how: part})


async def check_state(session: Session, account: str | None, state: str) -> None:
    """Raise WrongUsage for a state that neither the platform nor the account has."""
    if state in _STATES:
        return
    known = list(_STATES)
    if account is not None:
        found = await session.accounts.states_and_services(account)
        services = [service for one in found.engagement for service in one.services]
        known += [one.name for service in services for one in service.states if one.name]
    if state not in known:
        custom = "" if account is not None else "; custom states need --account"
        raise WrongUsage(f"--state {state} does not exist: choose from {', '.join(known)}{custom}")


async def _first(found: AsyncGenerator[Device], most: int | None) -> AsyncGenerator[Device]:
    """Yield the first devices."""
    async with aclosing(found) as devices:
        count = 0
        async for device in devices:
            yield device
            count += 1
            if count == most:
                return
