"""`thingspace simulator`: a ThingSpace of your own on loopback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from thingspace_async._cli._run import DevicesOption, listening, run
from thingspace_async._environment import VARIABLES

if TYPE_CHECKING:
    from thingspace_async.simulator import Simulator

__all__ = ["simulator"]


def simulator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 9001,
    devices: DevicesOption = 2000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Run an embedded ThingSpace until interrupted, and print how to reach it."""

    async def serve() -> None:
        with listening(host, port):
            from thingspace_async.simulator import Simulator  # It takes longer to load than all the rest.

            cloud = await Simulator(devices=devices, host=host, port=port).start()
        try:
            typer.echo(
                f"ThingSpace simulator with {devices:,} devices in account {cloud.account_name}. Reach it with\n"
            )
            for name, value in _variables(cloud).items():
                typer.echo(f"export {name}={value}")
            typer.echo("\nand stop it with Ctrl-C.")
            await asyncio.Event().wait()
        finally:
            await cloud.close()

    run(serve)


def _variables(cloud: Simulator) -> dict[str, str]:
    """Name the environment variables that lead the command line, or any program, to a simulator."""
    known = cloud.credentials
    values = (known.client_id, known.client_secret.reveal(), known.username, known.password.reveal())
    return {"THINGSPACE_ENVIRONMENT": cloud.url, **dict(zip(VARIABLES, values, strict=True))}
