"""`thingspace v2x`: enrol a client of the Edge Transportation Exchange, and keep its certificate in files."""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import Change
from thingspace_async._cli._files import all_replaced
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._run import WrongUsage, run
from thingspace_async.errors import ConfigurationError, NotFound, SecretNotKept
from thingspace_async.v2x import (
    ClientLookup,
    ClientSubtype,
    ClientType,
    NetworkType,
    Place,
    RegisterClientRequest,
    RegisteredClient,
)

__all__ = ["app"]

app = typer.Typer(help="Clients of the Edge Transportation Exchange (V2X).", no_args_is_help=True, add_completion=False)


class _Network(StrEnum):
    VERIZON = "VZ"
    OTHER = "non-VZ"


@app.callback()
def v2x() -> None:
    """Manage clients of the Edge Transportation Exchange."""


@app.command(
    "enrol",
    epilog="Example: thingspace v2x enrol --vendor ACME --device-id 11a2b3c4-0000-4000-8000-000000000001 "
    "--at 33.45,-112.07 --folder certificates",
)
@with_groups
def enrol(
    *,
    access: Access,
    change: Change,
    vendor: Annotated[str, typer.Option(help="Id of your business at Verizon.")],
    device_id: Annotated[str, typer.Option(help="A UUID for the client. The same client keeps it.")],
    at: Annotated[str, typer.Option(help="Where the client is: latitude,longitude, such as 33.45,-112.07.")],
    folder: Annotated[Path, typer.Option(help="Where to write the certificate and the key.")],
    kind: Annotated[str, typer.Option("--type", help=f"Such as {ClientType.VEHICLE}.")] = ClientType.VEHICLE,
    subtype: Annotated[str, typer.Option(help=f"Such as {ClientSubtype.TRUCK}.")] = ClientSubtype.PASSENGER_CAR,
    network: Annotated[_Network, typer.Option(help="The network of the client.")] = _Network.VERIZON,
) -> None:
    """Register a client or renew its certificate, write its files, and print its MQTT servers as JSON.

    The files are DEVICE_ID.key.pem, DEVICE_ID.cert.pem and DEVICE_ID.ca.pem. Only you can read them. They replace
    earlier ones. The platform limits the number of clients, and makes a new certificate in the last 30 days of the old
    one.
    """

    async def work() -> None:
        request = RegisterClientRequest(client_type=kind, client_subtype=subtype, vendor_id=vendor, device_id=device_id)
        place = _place(at)
        async with access.session() as session:
            known = True
            try:
                await session.v2x.clients.get(vendor, ClientLookup(device_id=device_id))
            except NotFound:
                known = False
            what = f"renew the certificate of {device_id}" if known else f"register {device_id} as a new client"
            if not await change.allowed(what):
                return
            _make_folder(folder)
            client = await session.v2x.enrol(
                request, place, keep=lambda made: _keep(folder, made), network_type=NetworkType(network)
            )
        names = {name: str(path) for name, path in _paths(folder, client.device_id).items()}
        expires = client.certificate.expires_at
        about = {"deviceId": client.device_id, **names, "expiresAt": expires, "mqttUrls": client.urls}
        typer.echo(orjson.dumps(about, option=orjson.OPT_INDENT_2).decode())

    async def explained() -> None:
        try:
            await work()
        except SecretNotKept as error:
            reason = error.__cause__
            raise ConfigurationError(
                f"the certificate was made, and its files could not be written to {folder} ({reason}): run the command "
                "again with another --folder; it reads the certificate again"
            ) from None

    run(explained)


def _place(given: str) -> Place:
    try:
        latitude, longitude = (float(one) for one in given.split(","))
    except ValueError:
        raise WrongUsage(f"--at {given} is not a place: use latitude,longitude, such as 33.45,-112.07") from None
    return Place(latitude=latitude, longitude=longitude)


def _make_folder(folder: Path) -> None:
    """Make the folder, before a client is registered whose key could not be kept."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WrongUsage(f"--folder {folder} cannot be written: choose another folder")


def _paths(folder: Path, device_id: str) -> dict[str, Path]:
    return {
        "key": folder / f"{device_id}.key.pem",
        "certificate": folder / f"{device_id}.cert.pem",
        "authority": folder / f"{device_id}.ca.pem",
    }


async def _keep(folder: Path, client: RegisteredClient) -> None:
    await asyncio.to_thread(_write, folder, client)


def _write(folder: Path, client: RegisteredClient) -> None:
    if client.device_id is None or (made := client.certificate) is None:
        raise ValueError("there is no certificate")
    paths = _paths(folder, client.device_id)
    with all_replaced([paths["key"], paths["certificate"], paths["authority"]]) as (key, certificate, authority):
        key.write(made.private_key.reveal())
        certificate.write(made.certificate)
        authority.write(made.authority)
