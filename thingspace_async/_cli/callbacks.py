"""`thingspace callbacks`: the listeners of an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import attrs
import typer

from thingspace_async import Session
from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import Change
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._inboxes import DEFAULT, InboxOption
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._printing import note
from thingspace_async._cli._results import existing
from thingspace_async._cli._run import run
from thingspace_async.callbacks import CallbackListener, Receiver
from thingspace_async.callbacks.models import to_service
from thingspace_async.callbacks.urls import is_same_url, shown_url
from thingspace_async.errors import ConfigurationError, ListenersTaken

__all__ = ["app"]

app = typer.Typer(help="The listeners that the platform posts messages to.", no_args_is_help=True, add_completion=False)

_COLUMNS: Final[Columns[CallbackListener]] = {
    "service": lambda listener: listener.service_name,
    "url": lambda listener: listener.url,
    "username": lambda listener: listener.username,
}


@app.callback()
def callbacks() -> None:
    """List, register and deregister the listeners of an account."""


@app.command("list", epilog="Example: thingspace callbacks list --account 0000123456-00001")
@with_groups
def list_listeners(access: Access, output: Output) -> None:
    """Print the listeners of an account, without their passwords."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            listed = await session.callbacks.list(account)
        # A URL may contain a password, and JSON shows the URL as it is.
        shown = [attrs.evolve(one, url=shown_url(one.url)) for one in listed]
        await output.rows(each(shown), _COLUMNS)

    run(work)


@app.command(
    "register",
    epilog="Example: thingspace callbacks register CarrierService --base-url https://fleet.example.com/callbacks",
)
@with_groups
def register(
    access: Access,
    change: Change,
    *,
    services: Annotated[list[str], typer.Argument(help="Such as CarrierService.", show_default=False)],
    base_url: Annotated[
        str, typer.Option(help="Public URL of the receiver. The listener of a service is at URL/SERVICE.")
    ],
    inbox: InboxOption = DEFAULT,
    replace: Annotated[bool, typer.Option("--replace", help="Replace listeners that have other URLs.")] = False,
) -> None:
    """Register a `thingspace receiver` as the listener of services.

    The username and the password come from its inbox, so that it accepts the messages. They are never printed.
    """

    async def work() -> None:
        account = access.required_account
        async with existing(inbox) as held, access.session() as session:
            receiver = Receiver(held)
            # Made first, because it refuses a wrong URL.
            listening = session.listen(account, receiver, base_url=base_url, services=services, replace=replace)
            wanted = {name: receiver.url_of(base_url, name) for name in (to_service(one).value for one in services)}
            others = await _others(session, account, wanted)
            if others and not replace:
                raise _taken(others)
            if not await change.allowed(f"register {_described(wanted, others)}"):
                return
            try:
                async with listening:
                    note(f"registered {_described(wanted, {})}")
            except ListenersTaken as error:  # Another program was faster, or the service has an API of its own.
                raise _taken(error.urls) from None

    run(work)


async def _others(session: Session, account: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the URLs of other listeners that have the wanted services."""
    listed = {one.service_name.value: one.url for one in await session.callbacks.list(account) if one.service_name}
    return {
        name: shown_url(listed[name])
        for name, url in wanted.items()
        if name in listed and not is_same_url(listed[name], url)
    }


def _taken(urls: Mapping[str, str]) -> ConfigurationError:
    names = ", ".join(f"{name} at {url}" for name, url in urls.items())
    return ConfigurationError(f"the account has other listeners, {names}: pass --replace, or deregister them")


def _described(wanted: Mapping[str, str], others: Mapping[str, str]) -> str:
    return ", ".join(
        f"{shown_url(url)} for {name}{f' instead of {others[name]}' if name in others else ''}"
        for name, url in wanted.items()
    )


@app.command("deregister", epilog="Example: thingspace callbacks deregister CarrierService --account 0000123456-00001")
@with_groups
def deregister(
    access: Access,
    change: Change,
    *,
    service: Annotated[str, typer.Argument(help="Such as CarrierService.", show_default=False)],
) -> None:
    """Deregister the listener of a service. The platform's messages of the service are lost until you register another.

    A program that listens has to be restarted to register its listener again.
    """

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            listed = await session.callbacks.list(account)
            found = next((one for one in listed if one.service_name == service), None)
            if found is None:
                known = ", ".join(sorted(one.service_name for one in listed if one.service_name)) or "none"
                raise ConfigurationError(f"the account has no listener for {service}; it has: {known}")
            place = f"{shown_url(found.url)} for {service}"
            if await change.allowed(f"deregister {place}, so that its messages are lost"):
                await session.callbacks.deregister(account, service)
                note(f"deregistered {place}")

    run(work)
