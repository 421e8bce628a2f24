"""The commands of `thingspace fleet` that change devices, and their options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import typer

from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._inboxes import DEFAULT, InboxOption
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.devices.lifecycle.calls import ACTIVATE, CHANGE_PLAN, DEACTIVATE, RESTORE, SUSPEND

__all__ = ["ACTIONS", "Action", "Options"]

_BRAKES: Final = "Before it sends"
_RECEIVING: Final = "Receiving outcomes"


@attrs.frozen(kw_only=True)
class Options:
    """Options of every command that changes devices."""

    source: Annotated[
        Path,
        typer.Option("--from", help="A CSV file whose first line names the columns: one of them imei, iccid or mdn."),
    ]
    results: Annotated[
        Path | None,
        typer.Option(help="The CSV file to write, with a line for each device.", show_default="next to --from"),
    ] = None
    inbox: InboxOption = DEFAULT
    run: Annotated[
        str | None,
        typer.Option(help="The run's name: under one name, no device is sent twice.", show_default="command and file"),
    ] = None
    hours: Annotated[float, typer.Option(min=0, max=8760, help="How long to wait for the outcomes of a request.")] = 1.0
    give_up_hours: Annotated[
        float,
        typer.Option(
            min=0, max=8760, help="How long to wait while the platform is unavailable, or the inbox at the start."
        ),
    ] = 1.0
    as_json: Annotated[bool, typer.Option("--json", help="Print the result of the run as a JSON object.")] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, and send nothing.", rich_help_panel=_BRAKES)
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Scripts need it.", rich_help_panel=_BRAKES)] = (
        False
    )
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out rows whose device cannot be sent.", rich_help_panel=_BRAKES),
    ] = False
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Forget an earlier run of this name, and send all devices again.", rich_help_panel=_BRAKES
        ),
    ] = False
    retry: Annotated[
        str | None,
        typer.Option(
            help="Send the devices with these results again: failed, missing, unknown, separated by commas.",
            rich_help_panel=_BRAKES,
        ),
    ] = None
    base_url: Annotated[
        str | None,
        typer.Option(
            help="Register this URL for the outcomes, and receive them on --port. "
            "The listener that was registered before is put back when the command ends.",
            rich_help_panel=_RECEIVING,
        ),
    ] = None
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="The port that --base-url leads to; 0 picks a free port.", rich_help_panel=_RECEIVING
        ),
    ] = 9002
    no_serve: Annotated[
        bool,
        typer.Option(
            "--no-serve",
            help="Register --base-url only, for a `thingspace receiver` with the same inbox; it stays registered.",
            rich_help_panel=_RECEIVING,
        ),
    ] = False
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Let --base-url replace a listener that another program registered.",
            rich_help_panel=_RECEIVING,
        ),
    ] = False

    def of_requests(self, account: str) -> dict[str, Any]:
        """Return the arguments of the session's call that are the same for all devices."""
        return {"account_name": account}


_Plan = Annotated[str, typer.Option(help="The code of a service plan.")]


@attrs.frozen(kw_only=True)
class PlanOptions(Options):
    """Options of `change-plan`."""

    plan: _Plan

    def of_requests(self, account: str) -> dict[str, Any]:
        """Add the plan."""
        return {**super().of_requests(account), "service_plan": self.plan}


@attrs.frozen(kw_only=True)
class ActivateOptions(PlanOptions):
    """Options of `activate`."""

    zip_code: Annotated[
        str, typer.Option(help="Five-digit ZIP code of the area where the devices will mostly be used.")
    ]

    def of_requests(self, account: str) -> dict[str, Any]:
        """Add the ZIP code."""
        return {**super().of_requests(account), "mdn_zip_code": self.zip_code}


@attrs.frozen(kw_only=True)
class DeactivateOptions(Options):
    """Options of `deactivate`."""

    def of_requests(self, account: str) -> dict[str, Any]:
        """Add the only reason that the platform accepts (PROTOCOL.md 4.2)."""
        return {**super().of_requests(account), "reason_code": "FF"}


@attrs.frozen(kw_only=True)
class Action:
    """A command that changes devices."""

    name: str
    """The command's name."""
    operation: Operation[Any, Accepted]
    question: str
    """The question before sending; `{}` stands for the devices."""
    asks: bool
    """Whether it asks for confirmation, because it ends the service of devices or changes their cost."""
    help: str
    options: type[Options] = Options
    example: str = ""
    """The options of its own in the example of its help."""

    def command(self, change: Callable[[Action, Options, Access], None]) -> Callable[..., None]:
        """Make the command's function."""

        def change_devices(*, options: Options, access: Access) -> None:
            change(self, options, access)

        change_devices.__doc__ = self.help
        change_devices.__annotations__["options"] = self.options
        return with_groups(change_devices)

    @property
    def call(self) -> str:
        """The name of the method of `session.devices` for any number of devices."""
        return f"{self.operation.name.removeprefix('devices.')}_all"

    @property
    def activates(self) -> bool:
        """Whether requests name a device by all its identifiers."""
        return self.options is ActivateOptions


ACTIONS: Final = (
    Action(
        name="activate",
        operation=ACTIVATE,
        question="Activate {}",
        asks=False,
        help="Put devices into service; a row names the IMEI and the ICCID of a device.",
        options=ActivateOptions,
        example="--plan M2M_4G_5MB --zip-code 94105",
    ),
    Action(
        name="suspend",
        operation=SUSPEND,
        question="Suspend {}",
        asks=True,
        help="Suspend the service of devices; asks before it sends.",
    ),
    Action(
        name="restore",
        operation=RESTORE,
        question="Restore {}",
        asks=False,
        help="Restore the service of suspended devices.",
    ),
    Action(
        name="deactivate",
        operation=DEACTIVATE,
        question="Deactivate {}",
        asks=True,
        help="End the service of devices; asks before it sends.",
        options=DeactivateOptions,
    ),
    Action(
        name="change-plan",
        operation=CHANGE_PLAN,
        question="Change the service plan of {}",
        asks=True,
        help="Change the service plan of devices; asks before it sends.",
        options=PlanOptions,
        example="--plan M2M_4G_10MB",
    ),
)
