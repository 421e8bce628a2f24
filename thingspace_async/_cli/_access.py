"""The credentials, the environment and the account of a command."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Annotated, Any, Final

import attrs
import typer

from thingspace_async import Credentials, Session
from thingspace_async._cli._config import Profile, read_config
from thingspace_async._cli._printing import log_exchange, printing
from thingspace_async._cli._run import WrongUsage, checked_account, environment_named
from thingspace_async._core.environment import ENVIRONMENT, VARIABLES, Environment
from thingspace_async.errors import ConfigurationError

__all__ = ["Access"]

_ACCOUNT: Final = "THINGSPACE_ACCOUNT"
_PROFILE: Final = "THINGSPACE_PROFILE"


@attrs.frozen(kw_only=True)
class Access:
    """Options of every command that logs in.

    A profile or the environment variables supply both the credentials and the environment, never one each: a password
    must not reach the host of another login. So typer does not read the variables.
    """

    account: Annotated[str | None, typer.Option(help="Account name.", show_default=f"{_ACCOUNT}, or the profile's")] = (
        None
    )
    environment: Annotated[
        str | None,
        typer.Option(
            help="production, staging, mock, or a base URL, for example a simulator's.",
            show_default=f"the profile's, {ENVIRONMENT}, or production",
        ),
    ] = None
    profile: Annotated[
        str | None, typer.Option(help="A profile of the config file.", show_default=f"{_PROFILE}, or the default one")
    ] = None

    @cached_property
    def place(self) -> Environment:
        """The environment. Raises ConfigurationError for an unknown name, or one that is not the profile's."""
        given = None if self.environment is None else environment_named(self.environment)
        if (profile := self._chosen) is None:
            return given or environment_named(_exported(ENVIRONMENT) or "production")
        place = environment_named(profile.environment)
        if given not in (None, place):
            raise WrongUsage(
                f"the credentials of the profile {profile.name} are for {place.name}, not for {self.environment}: "
                "leave --environment out, or name another profile with --profile"
            )
        return place

    @property
    def optional_account(self) -> str | None:
        """The account name, or None for all accounts of the user. Raises InvalidRequest for an empty one."""
        profile = self._chosen
        of_profile = None if profile is None else profile.account
        exported = _exported(_ACCOUNT)
        first, second = (of_profile, exported) if self._named else (exported, of_profile)
        return checked_account(self.account if self.account is not None else first or second)

    @property
    def required_account(self) -> str:
        """The account name. Raises ConfigurationError if none is given."""
        if (name := self.optional_account) is None:
            raise WrongUsage(f"name an account with --account, or set {_ACCOUNT}")
        return name

    @property
    def login(self) -> str:
        """Where the login comes from."""
        return "environment variables" if (profile := self._chosen) is None else f"profile {profile.name}"

    async def credentials(self) -> Credentials:
        """Return the credentials. Raises ConfigurationError if they are missing, or not for the environment."""
        _, profile = self.place, self._chosen
        return _exported_credentials() if profile is None else await profile.credentials()

    def session(self, known: Credentials | None = None, **options: Any) -> Session:
        """Return a session that is not open yet. Raises ConfigurationError if credentials are missing.

        With `known`, they are not read again: a command that prints a secret may ask its user.
        """
        place, profile = self.place, self._chosen
        credentials = known or (_exported_credentials() if profile is None else profile.credentials)
        session = Session(credentials, environment=place, **options)
        if printing.verbose:
            session.add_hooks(on_exchange=log_exchange)
        return session

    @property
    def _named(self) -> str | None:
        return self.profile if self.profile is not None else _exported(_PROFILE)

    @cached_property
    def _chosen(self) -> Profile | None:
        """The profile that supplies the login, or None if the environment variables do. It is read once."""
        login = _exported_login()
        if (name := self._named) is None:
            return None if login else read_config().default
        if login and self.profile is None:
            raise ConfigurationError(
                f"{_PROFILE} names a login, and {', '.join(login)} another one: unset either, or pass --profile"
            )
        return read_config().named(name)


def _exported(variable: str) -> str | None:
    return os.environ.get(variable) or None


def _exported_login() -> list[str]:
    """Return the variables of a login that are set. If there is one, they supply the whole login."""
    return [variable for variable in (*VARIABLES, ENVIRONMENT) if _exported(variable)]


def _exported_credentials() -> Credentials:
    try:
        return Credentials.from_environment()
    except ConfigurationError as error:
        login = _exported_login()
        if not login or (default := read_config().default) is None:
            raise
        raise ConfigurationError(
            f"{error}; or unset {', '.join(login)}, so that the default profile {default.name} is used"
        ) from None
