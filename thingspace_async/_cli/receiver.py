"""`thingspace receiver`: a server that stores the platform's messages in an inbox."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from thingspace_async._cli._inboxes import DEFAULT, InboxOption, opened, shown
from thingspace_async._cli._run import WrongUsage, listening, option_values, run
from thingspace_async.callbacks.models import CallbackService
from thingspace_async.callbacks.receiver import PUBLISHED_ADDRESSES, Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.errors import ConfigurationError

__all__ = ["receiver"]

PASSWORD: Final = "THINGSPACE_CALLBACK_PASSWORD"  # noqa: S105 - a variable's name
"""A variable instead of an option, because every user of a machine can see the options of its processes."""


def receiver(
    *,
    username: Annotated[
        str | None,
        typer.Option(
            envvar="THINGSPACE_CALLBACK_USERNAME",
            help="The username in messages to manually registered listeners. Their password is read from the variable "
            f"{PASSWORD}. Listeners from `session.listen` with the same inbox need neither.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")] = 9001,
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 means all addresses of this machine.")
    ] = ("127.0.0.1"),
    inbox: InboxOption = DEFAULT,
    service: Annotated[
        list[str] | None,
        typer.Option(
            help="With --username: a callback service, for example CarrierService; repeat it for more. All by default."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Serve HTTPS with this PEM file, which contains the whole chain.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="A PEM file with the key, if the certificate's file does not contain it.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="A network to accept messages from, or `published` for the platform's networks; repeat it for more."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the URLs as a JSON object.")] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Serve /metrics for Prometheus, /healthz and /readyz on another port.")
    ] = False,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="With --metrics: its port. 0 picks a free port.")
    ] = 9464,
    metrics_host: Annotated[
        str, typer.Option(help="With --metrics: its address. Anyone who can reach it can read the metrics.")
    ] = "127.0.0.1",
) -> None:
    """Store the platform's messages in an inbox until interrupted."""

    async def receive() -> None:
        if service and username is None:
            raise WrongUsage("--service needs --username: add it, or leave --service out")
        context = await asyncio.to_thread(_context, certificate, key)
        async with AsyncExitStack() as stack:
            held = await stack.enter_async_context(opened(inbox))
            with option_values():
                taking = Receiver(held, allowed_addresses=_networks(allow))
                if username is not None:
                    _expect(taking, service or list(CallbackService), username)
            place = None
            if metrics:
                with listening(metrics_host, metrics_port, "metrics-"):
                    place = await stack.enter_async_context(_measured(taking, metrics_host, metrics_port))
            with listening(host, port):
                url = await stack.enter_async_context(serve(taking, host=host, port=port, certificate=context))
            _show(taking.url_of(url, "SERVICE"), place, inbox, as_json=as_json)
            await asyncio.Event().wait()

    run(receive)


def _show(url: str, metrics: str | None, inbox: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({"url": url, "metrics": metrics, "inbox": shown(inbox)}).decode())
        sys.stdout.flush()
        return
    if metrics is not None:
        typer.echo(f"Serving {metrics}/metrics, /healthz and /readyz.")
    typer.echo(f"Receiving messages at\n\n{url}\n")
    typer.echo(f"and storing them in {shown(inbox)}. Stop it with Ctrl-C.")


def _measured(taking: Receiver, host: str, port: int) -> AbstractAsyncContextManager[str]:
    """Serve the metrics of a receiver in a block. Raises ConfigurationError if their library is missing."""
    try:
        from thingspace_async._cli._metrics import serve_metrics
    except ModuleNotFoundError as missing:
        raise ConfigurationError(f"--metrics needs {missing.name}: pip install 'thingspace_async[metrics]'") from None
    return serve_metrics(taking, host=host, port=port)


def _expect(taking: Receiver, services: Sequence[str], username: str) -> None:
    """Accept messages to manually registered listeners."""
    if not (password := os.environ.get(PASSWORD)):
        raise ConfigurationError(f"--username needs a password: set the environment variable {PASSWORD}")
    for name in services:
        taking.expect(name, username=username, password=password)


def _networks(allow: list[str] | None) -> list[str] | None:
    if allow is None:
        return None
    return [network for one in allow for network in (PUBLISHED_ADDRESSES if one == "published" else (one,))]


def _context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Load a certificate. An encrypted key fails instead of asking for a password, which a service cannot enter."""
    if certificate is None:
        if key is not None:
            raise WrongUsage("--key needs --certificate: add it, or leave --key out")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:  # This includes ssl.SSLError.
        raise WrongUsage(f"--certificate or --key cannot be used: {error.strerror or error}") from None
    return context
