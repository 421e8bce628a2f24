"""`thingspace simulator`: a ThingSpace of your own on loopback."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from thingspace_async._cli._run import run
from thingspace_async.simulator import Simulator

__all__ = ["simulator"]


def simulator(
    port: Annotated[int, typer.Option(help="0 takes any free one.")] = 9001,
    devices: Annotated[int, typer.Option(min=0, help="Devices in the account.")] = 2000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Run an embedded ThingSpace until interrupted, and print how to reach it."""

    async def serve() -> None:
        try:
            cloud = await Simulator(devices=devices, host=host, port=port).start()
        except OSError as error:
            typer.echo(
                f"thingspace: cannot listen on {host}:{port} ({error.strerror}); choose another --port", err=True
            )
            raise typer.Exit(1) from None
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
    return {
        "THINGSPACE_ENVIRONMENT": cloud.url,
        "THINGSPACE_CLIENT_ID": cloud.credentials.client_id,
        "THINGSPACE_CLIENT_SECRET": cloud.credentials.client_secret.reveal(),
        "THINGSPACE_USERNAME": cloud.credentials.username,
        "THINGSPACE_PASSWORD": cloud.credentials.password.reveal(),
    }
