"""The commands of `thingspace`; each has a module of its name."""

from __future__ import annotations

import typer

from thingspace_async._cli import demo, devices, fleet, receiver, simulator

__all__ = ["app"]

app = typer.Typer(
    help="Manage devices on Verizon's network through ThingSpace.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command("demo")(demo.demo)
app.command("fleet")(fleet.fleet)
app.command("receiver")(receiver.receiver)
app.command("simulator")(simulator.simulator)
app.add_typer(devices.app, name="devices")
