"""`thingspace devices`: print the devices of an account, for people or for other programs."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

import typer

from thingspace_async import DeviceId, Session, SuspiciousIdentifier
from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output
from thingspace_async._cli._run import run
from thingspace_async._core.faults import fault_of_identifier
from thingspace_async.devices import (
    AccountDeviceListFilter,
    AccountDeviceListRequest,
    Device,
    DeviceIdSearch,
)
from thingspace_async.errors import ConfigurationError, NotFound

__all__ = ["COLUMNS", "app"]

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

_STATES: Final = ("active", "deactive", "preactive", "suspend")

_KINDS: Final = ("imei", "iccid", "mdn", "msisdn", "eid", "meid", "esn", "imsi", "min")

_SEARCHES: Final = {"^": "startswith", "$": "endswith"}
"""Where a filter looks, by the character before its sign of equality. Without one, anywhere."""


@app.callback()
def devices() -> None:
    """Read the devices of an account."""


@app.command("list")
@with_groups
def list_devices(
    access: Access,
    output: Output,
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
    """Print any number of devices as they arrive."""

    async def work() -> None:
        searches, account = tuple(_search(one) for one in search or ()), access.optional_account
        async with access.session() as session:
            if state is not None and state not in _STATES:
                await _check_state(session, account, state)
            wanted = AccountDeviceListRequest(
                account_name=account,
                current_state=state,
                group_name=group,
                service_plan=plan,
                filter=AccountDeviceListFilter(device_identifier_filters=searches) if searches else None,
                max_number_of_devices=None if limit is None else min(limit, _PAGE),
            )
            async with aclosing(_first(session.devices.list(wanted), limit)) as found:
                await output.rows(found, COLUMNS)

    run(work)


@app.command("get")
@with_groups
def get_device(
    access: Access,
    output: Output,
    *,
    device: Annotated[str, typer.Argument(help="An IMEI, ICCID, MDN, EID or another identifier.", show_default=False)],
    kind: Annotated[str | None, typer.Option(help=f"Its kind: {', '.join(_KINDS)}.", show_default="its length")] = None,
) -> None:
    """Print one device. The kind of its identifier follows from its length: --kind names another one."""

    async def work() -> None:
        warnings.simplefilter("ignore", SuspiciousIdentifier)  # If the device exists, it is the right one.
        kinds, account = _kinds_of(device) if kind is None else [kind], access.optional_account
        async with access.session() as session:
            for each in kinds:
                try:
                    found = await session.devices.get(DeviceId(kind=each, id=device), account_name=account)
                except NotFound:
                    continue
                output.one(found, COLUMNS)
                return
        raise ConfigurationError(f"no device has the {' or '.join(kinds)} {device}: name its kind with --kind")

    run(work)


_PAGE: Final = 2000


def _search(given: str) -> DeviceIdSearch:
    name, separator, part = given.partition("=")
    how = _SEARCHES.get(name[-1:], "contains")
    kind = name.rstrip("^$").strip().casefold()
    if not separator or not part or kind not in _KINDS:
        raise ConfigurationError(
            f"--filter {given} is not a filter: use imei=PART, imei^=START or imei$=END, or another kind: "
            f"{', '.join(_KINDS)}"
        )
    return DeviceIdSearch(kind=kind, **{how: part})


def _kinds_of(identifier: str) -> list[str]:
    """Return the kinds that an identifier may be of, the most usual ones first."""
    if found := [kind for kind in _KINDS if fault_of_identifier(kind, identifier) is None]:
        return found
    raise ConfigurationError(
        f"{identifier} is not an identifier: use an IMEI, ICCID, MDN, EID, or another one of a device"
    )


async def _check_state(session: Session, account: str | None, state: str) -> None:
    """Raise ConfigurationError for a state that neither the platform nor the account has."""
    known = list(_STATES)
    if account is not None:
        found = await session.accounts.states_and_services(account)
        services = [service for one in found.engagement for service in one.services]
        known += [one.name for service in services for one in service.states if one.name]
    if state not in known:
        custom = "" if account is not None else "; custom states need --account"
        raise ConfigurationError(f"--state {state} does not exist: choose from {', '.join(known)}{custom}")


async def _first(found: AsyncGenerator[Device], most: int | None) -> AsyncGenerator[Device]:
    """Yield the first devices."""
    async with aclosing(found) as devices:
        count = 0
        async for device in devices:
            yield device
            count += 1
            if count == most:
                return
