"""`thingspace callbacks`: the listeners of an account."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._run import confirm, run
from thingspace_async.callbacks import CallbackListener
from thingspace_async.errors import ConfigurationError

__all__ = ["app"]

app = typer.Typer(help="The listeners that the platform posts messages to.", no_args_is_help=True, add_completion=False)

_COLUMNS: Final[Columns[CallbackListener]] = {
    "service": lambda listener: listener.service_name,
    "url": lambda listener: listener.url,
    "username": lambda listener: listener.username,
}


@app.callback()
def callbacks() -> None:
    """List and deregister the listeners of an account. `thingspace receiver` and `thingspace fleet` register them."""


@app.command("list")
@with_groups
def list_listeners(access: Access, output: Output) -> None:
    """Print the listeners of an account, without their passwords."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            await output.rows(each(await session.callbacks.list(account)), _COLUMNS)

    run(work)


@app.command("deregister")
@with_groups
def deregister(
    access: Access,
    *,
    service: Annotated[str, typer.Argument(help="Such as CarrierService.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Scripts need it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the listener, and change nothing.")] = False,
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
            if dry_run:
                typer.echo(f"would deregister {found.url} for {service}", err=True)
                return
            if not yes:
                await confirm(f"This will deregister {found.url} for {service}: its messages will be lost. Continue?")
            await session.callbacks.deregister(account, service)
            typer.echo(f"deregistered {found.url} for {service}", err=True)

    run(work)
