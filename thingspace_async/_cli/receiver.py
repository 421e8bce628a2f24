"""`thingspace receiver`: a server that takes the platform's messages and keeps them in a file."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Final

import typer

from thingspace_async._cli._run import listening, run
from thingspace_async.callbacks.models import CallbackService
from thingspace_async.callbacks.receiver import PUBLISHED_ADDRESSES, Receiver
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.callbacks.web import serve
from thingspace_async.errors import ConfigurationError

__all__ = ["receiver"]

PASSWORD: Final = "THINGSPACE_CALLBACK_PASSWORD"  # noqa: S105 - a variable's name
"""Not an option, as every user of a machine sees the options of its processes."""


def receiver(
    *,
    username: Annotated[
        str,
        typer.Option(
            envvar="THINGSPACE_CALLBACK_USERNAME",
            help=f"What messages must bear, with the password of the variable {PASSWORD}.",
        ),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 9001,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all of this machine's.")] = (
        "127.0.0.1"
    ),
    inbox: Annotated[Path, typer.Option(help="The file to keep messages in.")] = Path("thingspace-messages.db"),
    service: Annotated[
        list[str] | None, typer.Option(help="Such as CarrierService; may be repeated; every known one without it.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="A PEM file, for HTTPS, with all of its chain.")] = None,
    key: Annotated[Path | None, typer.Option(help="A PEM file, if the certificate's does not hold the key.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="A network to accept messages from, or `published`: the platform's. May be repeated."),
    ] = None,
) -> None:
    """Receive the platform's messages until interrupted, and keep them in a file."""

    async def receive() -> None:
        if not (password := os.environ.get(PASSWORD)):
            raise ConfigurationError(f"set the environment variable {PASSWORD}")
        taking = Receiver(SqliteInbox(inbox), allowed_addresses=_networks(allow))
        for name in service or list(CallbackService):
            taking.expect(name, username=username, password=password)
        context = await asyncio.to_thread(_context, certificate, key)
        async with AsyncExitStack() as stack:
            with listening(host, port):
                url = await stack.enter_async_context(serve(taking, host=host, port=port, certificate=context))
            typer.echo(f"Receiving messages at\n\n{taking.url_of(url, 'SERVICE')}\n")
            typer.echo(f"and keeping them in {inbox}. Stop it with Ctrl-C.")
            await asyncio.Event().wait()

    run(receive)


def _networks(allow: list[str] | None) -> list[str] | None:
    if allow is None:
        return None
    return [network for one in allow for network in (PUBLISHED_ADDRESSES if one == "published" else (one,))]


def _context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Load a certificate; with an encrypted key it fails, rather than ask for a password that a service cannot give."""
    if certificate is None:
        if key is not None:
            raise ConfigurationError("--key goes with --certificate")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:  # As ssl.SSLError is, too.
        raise ConfigurationError(f"--certificate or --key cannot be used: {error.strerror or error}") from None
    return context
