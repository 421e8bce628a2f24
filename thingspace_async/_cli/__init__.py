"""The commands of `thingspace`. Each is in a module of its own, which is imported when the command is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from thingspace_async import __version__
from thingspace_async._cli._printing import QuietOption, VerboseOption, printing, with_printing

__all__ = ["COMMANDS", "app"]


class _Place(NamedTuple):
    """Where a command is, and its line in the list of commands."""

    module: str
    line: str
    example: str | None = None
    """The example in the help of a command without subcommands, whose modules have their own."""


COMMANDS: Final = {
    "accounts": _Place(
        "accounts",
        "Print the accounts that the user can see, with their numbers of devices.",
        "--format csv",
    ),
    "callbacks": _Place("callbacks", "The listeners that the platform posts messages to."),
    "demo": _Place(
        "demo",
        "Show the main calls: on a simulator, or on the real platform with --live.",
        "--devices 1000",
    ),
    "devices": _Place("devices", "The devices of an account."),
    "esim": _Place("esim", "Devices with an eSIM, and its profiles."),
    "firmware": _Place("firmware", "The firmware of devices (software management v3)."),
    "fleet": _Place("fleet", "Change any number of devices."),
    "groups": _Place("groups", "The groups of an account's devices."),
    "locate": _Place(
        "locate",
        "Locate the devices of an account.",
        "--account 0000123456-00001 --html devices.html",
    ),
    "plans": _Place(
        "plans",
        "Print the service plans that are available to devices of an account.",
        "--account 0000123456-00001",
    ),
    "reachability": _Place("reachability", "Whether devices can be reached."),
    "receiver": _Place(
        "receiver",
        "Store the platform's messages in an inbox until interrupted.",
        "--port 9001 --inbox messages.db",
    ),
    "request": _Place(
        "request",
        "Call any endpoint with the tokens of a session, and print the answer.",
        "GET /m2m/v1/accounts/0000123456-00001",
    ),
    "requests": _Place("requests", "Requests whose result arrives later."),
    "simulator": _Place(
        "simulator",
        "Run a simulated ThingSpace until interrupted.",
        "--devices 2000",
    ),
    "sms": _Place("sms", "SMS messages to and from devices."),
    "stream": _Place(
        "stream",
        "Stream the events of devices to a receiver, and print them, as JSON, until interrupted.",
        "--account 0000123456-00001 --url https://fleet.example.com:9001/CloudConnector",
    ),
    "usage": _Place(
        "usage",
        "Read the usage of devices in a month, or between two days.",
        "--account 0000123456-00001 --month 2026-11 --output usage.csv",
    ),
    "v2x": _Place("v2x", "Clients of the Edge Transportation Exchange (V2X)."),
    "whoami": _Place(
        "whoami",
        "Print the login that commands use, and how often it may still be refused.",
        "--offline --json",
    ),
}


class _Commands(TyperGroup):
    """Loads a command when it is used. The list of commands loads none: each needs other libraries."""

    _is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if (place := COMMANDS.get(cmd_name)) is None:
            return None
        if self._is_listing:
            return TyperCommand(cmd_name, help=place.line)
        return _loaded(cmd_name, place)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with self._listing():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        with self._listing():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        self._is_listing = True
        try:
            yield
        finally:
            self._is_listing = False


@cache  # The options of a command must not be added twice.
def _loaded(name: str, place: _Place) -> Any:
    loaded = import_module(f"{__name__}.{place.module}")
    found: typer.Typer | None = getattr(loaded, "app", None)
    if found is None:
        found = typer.Typer(add_completion=False)
        found.command(name, epilog=f"Example: thingspace {name} {place.example}")(getattr(loaded, name))
    for one in found.registered_commands:
        if one.callback is not None:
            one.callback = with_printing(one.callback)
    command = get_command(found)
    command.name = name
    return command


app = typer.Typer(
    help="Manage devices on Verizon's network through ThingSpace.",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes it by place
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def thingspace(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Manage devices on Verizon's network through ThingSpace."""
    del version
    printing.begin(verbose=verbose, quiet=quiet)
