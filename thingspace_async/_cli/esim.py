"""`thingspace esim`: devices with an eSIM, and the profiles on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import attrs
import typer

from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import Change, number
from thingspace_async._cli._devices import Devices
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._printing import note
from thingspace_async._cli._results import Results
from thingspace_async._cli._run import SOME_FAILED, run
from thingspace_async.accounts import SubRequest
from thingspace_async.esim import (
    ActivateAndEnableRequest,
    ActivateProfileRequest,
    ChangeProfileRequest,
    DeactivateProfileRequest,
    DownloadProfileRequest,
    GlobalFallbackRequest,
    ProfileChangeStateRequest,
    RenewActivationCodeRequest,
    SetFallbackAttributeRequest,
    SuspendProfileRequest,
)

__all__ = ["app"]

app = typer.Typer(help="Devices with an eSIM, and its profiles.", no_args_is_help=True, add_completion=False)


@app.callback()
def esim() -> None:
    """Put devices with an eSIM into service, and change its profiles: up to 100 devices at a time."""


# The options of the requests: each field has the name of the request's own field.

_Plan = Annotated[str | None, typer.Option("--plan", help="Code of a service plan.")]
_Zip = Annotated[str | None, typer.Option("--zip-code", help="Where the devices will mostly be used, in five digits.")]
_SMSR_HELP = "Object identifier of the system that routes to the eUICC, such as 1.3.6.1.4.1.31746.1.500.200.101.5."
_Smsr = Annotated[str | None, typer.Option("--smsr-oid", help=_SMSR_HELP)]
_Carrier = Annotated[str | None, typer.Option("--carrier", help="Carrier that provides the service.")]


@attrs.frozen(kw_only=True)
class _Plain:
    """No options."""

    example = ""
    """The required options, for the example of the help."""

    def of_request(self) -> dict[str, Any]:
        """Return the fields of the request."""
        return attrs.asdict(self)


@attrs.frozen(kw_only=True)
class _WithPlan(_Plain):
    service_plan: _Plan = None


@attrs.frozen(kw_only=True)
class _WithPlace(_WithPlan):
    mdn_zip_code: _Zip = None


@attrs.frozen(kw_only=True)
class _Activation(_WithPlace):
    carrier_name: _Carrier = None
    smsr_oid: _Smsr = None
    carrier_ip_pool_name: Annotated[
        str | None, typer.Option("--ip-pool", help="Pool that provides the IP addresses.")
    ] = None


@attrs.frozen(kw_only=True)
class _Deactivation(_WithPlan):
    carrier_name: _Carrier = None
    reason_code: Annotated[str | None, typer.Option(help="FF, the only value for other devices.")] = None
    etf_waiver: Annotated[
        bool | None, typer.Option("--etf-waiver/--no-etf-waiver", help="Waive the early termination fee.")
    ] = None
    check_fallback_profile: Annotated[
        bool | None,
        typer.Option("--check-fallback/--no-check-fallback", help="Check that a fallback profile is enabled."),
    ] = None


@attrs.frozen(kw_only=True)
class _Profile(_WithPlan):
    smsr_oid: _Smsr = None


@attrs.frozen(kw_only=True)
class _LocalProfile(_Plain):
    example = "--smsr-oid 1.3.6.1.4.1.31746.1.500.200.101.5 "
    smsr_oid: Annotated[str, typer.Option("--smsr-oid", help=_SMSR_HELP)]


@attrs.frozen(kw_only=True)
class _Suspension(_WithPlace):
    smsr_oid: _Smsr = None


@attrs.frozen(kw_only=True)
class _Fallback(_Plain):
    carrier_name: _Carrier = None


# The commands that change devices


@attrs.frozen
class _Action:
    """A command, the call of `session.esim` with its name, and the request."""

    request: type[Any]
    options: type[_Plain]
    names: str
    """The identifiers that a request needs for each device."""
    what: str
    """The change, for the question. {} is the number of devices."""
    help: str


_PROFILE: Final = "EID,ICCID"

_ACTIONS: Final = {
    "activate": _Action(
        ActivateProfileRequest,
        _Activation,
        "EID,IMEI",
        "activate {}, which is billed",
        "Put devices into service, which is billed.\n\nThe result has the new ICCID: keep it for the other commands. "
        "A device that is activated again also needs its ICCID.",
    ),
    "activate-and-enable": _Action(
        ActivateAndEnableRequest,
        _WithPlace,
        "EID,IMEI",
        "activate {} and enable the profiles, which is billed",
        "Put devices into service and enable their profile, which is billed.\n\n",
    ),
    "deactivate": _Action(
        DeactivateProfileRequest,
        _Deactivation,
        _PROFILE,
        "end the service of {}, which may cost a fee for early termination",
        "End the service of devices, which may cost a fee.\n\nThey cannot connect until you renew their activation "
        "code and activate them.",
    ),
    "renew-activation-code": _Action(
        RenewActivationCodeRequest,
        _WithPlace,
        _PROFILE,
        "request new activation codes for {}",
        "Request new activation codes for deactivated devices.\n\nThe result has the code.",
    ),
    "download": _Action(
        DownloadProfileRequest,
        _WithPlan,
        "EID,ICCID,IMEI",
        "download a global profile to {}",
        "Download a global profile to devices, and leave it disabled.\n\nThey must be active and connected.",
    ),
    "download-and-enable": _Action(
        ChangeProfileRequest,
        _Profile,
        _PROFILE,
        "download a profile to {}, enable it and disable all others",
        "Download a profile to devices and enable it.\n\nAll their other profiles are disabled.",
    ),
    "download-and-disable": _Action(
        ProfileChangeStateRequest,
        _LocalProfile,
        _PROFILE,
        "download a local profile to {}",
        "Download a local profile to devices, and leave it disabled.\n\nNot all accounts have this call.",
    ),
    "enable": _Action(
        ChangeProfileRequest,
        _Profile,
        _PROFILE,
        "enable the profile of {}, and disable all others",
        "Enable the downloaded profile of devices.\n\nAll their other profiles are disabled.",
    ),
    "disable": _Action(
        ProfileChangeStateRequest,
        _LocalProfile,
        _PROFILE,
        "disable the local profile of {}, which will roam with the factory profile",
        "Disable the local profile of devices: they roam with their factory profile.\n\n"
        "Not all accounts have this call.",
    ),
    "delete": _Action(
        ChangeProfileRequest,
        _Profile,
        _PROFILE,
        "delete the profile from {}",
        "Delete the profile from devices.\n\nDisable it first, to be sure: the platform's pages disagree.",
    ),
    "suspend": _Action(
        SuspendProfileRequest,
        _Suspension,
        "ICCID",
        "suspend the global profiles of {}",
        "Suspend global profiles.\n\nsuspend-device suspends Verizon's own profile.",
    ),
    "resume": _Action(
        SuspendProfileRequest,
        _Suspension,
        "ICCID",
        "resume the profiles of {}",
        "Resume suspended profiles.\n\n",
    ),
    "suspend-device": _Action(
        SuspendProfileRequest,
        _Suspension,
        "EID",
        "suspend {} with all profiles",
        "Suspend devices with all their profiles.\n\nresume does not resume devices: see the page of session.esim.",
    ),
    "set-fallback": _Action(
        SetFallbackAttributeRequest,
        _Fallback,
        "EID,ICCID,IMEI",
        "set the fallback profile of {}",
        "Set the fallback profile of devices.\n\n",
    ),
    "set-global-fallback": _Action(
        GlobalFallbackRequest,
        _Plain,
        "EID,ICCID,IMEI",
        "set the global fallback profile of {}",
        "Set the global fallback profile of devices.\n\nTry set-fallback first: this address is known from SDKs only.",
    ),
}


def _command(name: str, action: _Action) -> Callable[..., None]:
    """Return the function of a command, with the options of its request."""

    def change_devices(
        *, access: Access, output: Output, change: Change, results: Results, devices: Devices, options: _Plain
    ) -> None:
        async def work() -> None:
            account, chosen = access.required_account, devices.read_some(all_identifiers=True)
            request = action.request(account_name=account, devices=chosen, **options.of_request())
            async with results.opened(output) as inbox:
                what = action.what.format(f"{number(len(chosen), 'device')} of {account}")
                if not await change.allowed(what):
                    return
                async with access.session() as session:
                    accepted = await getattr(session.esim, name.replace("-", "_"))(request)
                await results.show(output, accepted, inbox)

        run(work)

    change_devices.__annotations__["options"] = action.options
    return with_groups(change_devices)


for _name, _action in _ACTIONS.items():
    app.command(
        _name,
        help=f"{_action.help} Name each device by {_action.names}.",
        epilog=f"Example: thingspace esim {_name} {_action.names} {_action.options.example}--inbox messages.db",
    )(_command(_name, _action))


# The status of a request

_STATUSES: Final[Columns[SubRequest]] = {
    "iccid": lambda one: one.identifier("iccid"),
    "eid": lambda one: one.identifier("eid"),
    "status": lambda one: one.status,
    "imei": lambda one: one.identifier("imei"),
}


@app.command("status", epilog="Example: thingspace esim status 2c90bd28-e969-4d3c-a3b4-0d5c3f6f2a11")
@with_groups
def show_status(
    access: Access,
    output: Output,
    *,
    request_id: Annotated[
        str, typer.Argument(help="The request id, as the other commands print it.", show_default=False)
    ],
) -> None:
    """Print the status of a request for each of its devices. The exit status is 4 if it has failed for some."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            found = await session.accounts.request_status_by_device(account, request_id)
        note(f"request {found.request_id or request_id}: {found.status or 'no status'}")
        await output.rows(each(found.sub_requests), _STATUSES)
        if found.failed or found.failed_devices:
            raise typer.Exit(SOME_FAILED)

    run(work)
