"""The credentials, the environment and the account of a command."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
import typer

from thingspace_async import Credentials, Session
from thingspace_async._cli._run import environment_named
from thingspace_async._core.environment import Environment
from thingspace_async.errors import ConfigurationError, InvalidRequest

__all__ = ["Access", "AccountOption"]

AccountOption = Annotated[str | None, typer.Option(envvar="THINGSPACE_ACCOUNT", help="Account name.")]


@attrs.frozen(kw_only=True)
class Access:
    """Options of every command that logs in."""

    account: AccountOption = None
    environment: Annotated[
        str,
        typer.Option(
            envvar="THINGSPACE_ENVIRONMENT",
            help="production, staging, mock, or a base URL, for example a simulator's.",
        ),
    ] = "production"

    @property
    def place(self) -> Environment:
        """The environment. Raises ConfigurationError for an unknown name."""
        return environment_named(self.environment)

    @property
    def optional_account(self) -> str | None:
        """The account name, or None for all accounts of the user. Raises InvalidRequest for an empty one."""
        if self.account is not None and not self.account.strip():
            raise InvalidRequest("--account is empty: name an account, or leave the option out")
        return self.account

    @property
    def required_account(self) -> str:
        """The account name. Raises ConfigurationError if none is given."""
        if (name := self.optional_account) is None:
            raise ConfigurationError("name an account with --account, or set THINGSPACE_ACCOUNT")
        return name

    def session(self, **options: Any) -> Session:
        """Return a session that is not open yet. Raises ConfigurationError if credentials are missing."""
        place = self.place
        return Session(Credentials.from_environment(), environment=place, **options)
