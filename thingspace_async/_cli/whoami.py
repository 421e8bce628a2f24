"""`thingspace whoami`: the login that commands use, and the state of its guard."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import attrs
import typer

from thingspace_async import Credentials
from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output
from thingspace_async._cli._run import WrongUsage, confirm, run
from thingspace_async._core.guard import Standing, local_guard, not_sent
from thingspace_async.errors import ThingSpaceError

__all__ = ["whoami"]

_PAGE: Final = 500
"""Devices to read for the names of their accounts."""


@attrs.frozen(kw_only=True)
class _Found:
    """Facts that only the platform has."""

    accounts: tuple[str, ...] = ()
    has_more: bool = False
    """Whether there may be more accounts."""
    token_seconds: int | None = None


@attrs.frozen(kw_only=True)
class _Known:
    """A login, and the facts about it. No secret is printed."""

    access: Access
    credentials: Credentials
    standing: Standing
    found: _Found

    @property
    def password(self) -> str:
        """The guard's view of the password."""
        if self.standing.withheld is not None:
            return "held back"
        return "accepted" if self.standing.accepted else "not tried yet"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "login": self.access.login,
            "environment": self.access.place.name,
            "host": self.access.place.host,
            "clientId": self.credentials.client_id,
            "username": self.credentials.username,
            "account": self.access.optional_account,
            "accounts": list(self.found.accounts),
            "hasMoreAccounts": self.found.has_more,
            "oauthTokenSeconds": self.found.token_seconds,
            "password": self.password,
            "refusalsLeft": self.standing.left,
            "guardFile": None if self.standing.path is None else str(self.standing.path),
        }


_COLUMNS: Final[Columns[_Known]] = {
    "login": lambda known: known.access.login,
    "environment": lambda known: known.access.place.name,
    "host": lambda known: known.access.place.host,
    "client id": lambda known: known.credentials.client_id,
    "user": lambda known: known.credentials.username,
    "account": lambda known: known.access.optional_account,
    "accounts": lambda known: _listed(known.found),
    "OAuth token": lambda known: _duration(known.found.token_seconds),
    "password": lambda known: known.password,
    "refusals left": lambda known: known.standing.left,
    "guard": lambda known: known.standing.path or "in the memory of this process",
}


@with_groups
def whoami(
    access: Access,
    output: Output,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not log in, and send nothing.")] = False,
    force_login: Annotated[
        bool,
        typer.Option(
            "--force-login", help="Send the password even if the guard holds it back. Be sure that it is correct."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --force-login: do not ask.")] = False,
) -> None:
    """Print the login that commands use, and how often it may still be refused.

    The command logs in, reads the accounts and logs out. Verizon locks a user at the fifth refused login in a row. The
    guard stops earlier. If it holds the password back, the command still prints the login, and the exit status is 1.
    --force-login sends it once more, after a question. If Verizon accepts it, the other commands log in again.
    """

    async def work() -> None:
        if offline and force_login:
            raise WrongUsage("--force-login logs in, and --offline does not: choose one")
        output.check(_COLUMNS)
        credentials = await access.credentials()
        if force_login and not yes:
            await _confirm(access, credentials)
        try:
            found = _Found() if offline else await _found(access, credentials, force=force_login)
        except ThingSpaceError:
            await _show(output, access, credentials, _Found())
            raise
        standing = await _show(output, access, credentials, found)
        if standing.withheld is not None:
            raise not_sent(standing.withheld)

    run(work)


async def _confirm(access: Access, credentials: Credentials) -> None:
    """Ask before a password is sent that the guard holds back."""
    if (await _standing(access, credentials)).withheld is not None:
        await confirm(
            f"The password of {credentials.username} is held back. If {access.place.name} refuses it again, the user "
            "may be locked, and only Verizon's support can unlock it. Send it?"
        )


async def _found(access: Access, credentials: Credentials, *, force: bool) -> _Found:
    """Ask the platform. Without an account, the first devices have the names of the accounts."""
    account = access.optional_account
    session = access.session(credentials)
    async with AsyncExitStack() as stack:
        await session.open(force=force)
        stack.push_async_callback(session.close)
        left = session.oauth_seconds_left
        if account is not None:
            await session.accounts.get(account)
            names, has_more = {account}, False
        else:
            page = await session.devices.list_page(max_number_of_devices=_PAGE)
            names, has_more = {one.account_name for one in page.devices if one.account_name}, bool(page.has_more_data)
    return _Found(accounts=tuple(sorted(names)), has_more=has_more, token_seconds=None if left is None else round(left))


async def _standing(access: Access, credentials: Credentials) -> Standing:
    return await local_guard(access.place.host, credentials.username).look(credentials.password)


async def _show(output: Output, access: Access, credentials: Credentials, found: _Found) -> Standing:
    """Print the facts, and return the guard's, as they are after the login."""
    standing = await _standing(access, credentials)
    output.one(_Known(access=access, credentials=credentials, standing=standing, found=found), _COLUMNS)
    return standing


def _listed(found: _Found) -> str:
    return ", ".join((*found.accounts, *(("and perhaps others",) if found.has_more else ())))


def _duration(seconds: int | None) -> str | None:
    return None if seconds is None else f"valid for {seconds // 60} min {seconds % 60} s"
