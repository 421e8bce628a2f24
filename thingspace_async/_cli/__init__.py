"""The commands of `thingspace`. Each has a module with its name."""

from __future__ import annotations

import typer

from thingspace_async._cli import demo, devices, firmware, fleet, receiver, simulator, stream, v2x
from thingspace_async._cli.locate import locate

__all__ = ["app"]

app = typer.Typer(
    help="Manage devices on Verizon's network through ThingSpace.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command("demo")(demo.demo)
app.command("locate")(locate)
app.command("receiver")(receiver.receiver)
app.command("simulator")(simulator.simulator)
app.command("stream")(stream.stream)
app.add_typer(devices.app, name="devices")
app.add_typer(firmware.app, name="firmware")
app.add_typer(fleet.app, name="fleet")
app.add_typer(v2x.app, name="v2x")
