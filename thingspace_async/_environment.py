"""Credentials and Environment: who calls, and where."""

from __future__ import annotations

import copy
import os
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from thingspace_async._checks import fault_of_text, is_loopback
from thingspace_async._operation import Server
from thingspace_async._types import Secret
from thingspace_async.errors import ConfigurationError

__all__ = ["VARIABLES", "Credentials", "CredentialsProvider", "Environment"]

VARIABLES: Final = ("THINGSPACE_CLIENT_ID", "THINGSPACE_CLIENT_SECRET", "THINGSPACE_USERNAME", "THINGSPACE_PASSWORD")
"""What `Credentials.from_environment` reads, in the order of its fields."""


def _sendable(_: object, field: attrs.Attribute[Any], value: str | Secret) -> None:
    # A password with a line end would be a wrong one, of which five lock the user.
    if (fault := fault_of_text(value.reveal() if isinstance(value, Secret) else value)) is not None:
        raise ConfigurationError(f"credentials: {field.name} {fault}")


@attrs.frozen(kw_only=True, init=False)
class Credentials:
    """The application's key and secret, and the Unified Web Services user of the business account.

    Key and secret come from the ThingSpace portal (Account settings, Key Management). The user is not the portal's
    login. Raises ConfigurationError for what is empty or no text.
    https://thingspace.verizon.com/documentation/apis/connectivity-management/getting-started/getting-credentials.html
    """

    client_id: str = attrs.field(validator=_sendable)
    client_secret: Secret = attrs.field(validator=_sendable)
    username: str = attrs.field(validator=_sendable)
    password: Secret = attrs.field(validator=_sendable)

    def __init__(self, *, client_id: str, client_secret: str | Secret, username: str, password: str | Secret) -> None:
        # Hidden before anything can fail: the locals of this frame may end up in somebody's error report.
        client_secret, password = Secret(client_secret), Secret(password)
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs makes it
            client_id=client_id, client_secret=client_secret, username=username, password=password
        )

    def with_password(self, password: Secret) -> Credentials:
        """Return the same with the password that the platform chose, which is right whatever it is made of."""
        twin = copy.copy(self)
        object.__setattr__(twin, "password", password)
        return twin

    @classmethod
    def from_environment(cls) -> Credentials:
        """Read `THINGSPACE_CLIENT_ID`, `_CLIENT_SECRET`, `_USERNAME` and `_PASSWORD` from the environment variables.

        Raises ConfigurationError that names all that are missing.
        """
        missing = [variable for variable in VARIABLES if not os.environ.get(variable)]
        if missing:
            raise ConfigurationError(f"set the environment variable{'s' * (len(missing) > 1)} {', '.join(missing)}")
        return cls(
            client_id=os.environ[VARIABLES[0]],
            client_secret=os.environ[VARIABLES[1]],
            username=os.environ[VARIABLES[2]],
            password=os.environ[VARIABLES[3]],
        )


CredentialsProvider: TypeAlias = Callable[[], Awaitable[Credentials]]
"""Asks for credentials that may change, as a secret manager has them; always those of one user and one key."""


def _checked_url(url: str, what: str = "the base URL") -> str:
    """Return a base URL without its last slash; raise ConfigurationError where a token must not travel to it."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        raise ConfigurationError(f"environment: {what} must be a text without spaces or control characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"environment: {what} cannot be read ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"environment: {what} must look like https://host")
    if parts.username is not None or "?" in url or "#" in url:
        raise ConfigurationError(f"environment: {what} must hold no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"environment: http would send tokens in clear to {host}; use https")
    return url.rstrip("/")


_PATHS: Final[Mapping[Server, str]] = {
    "thingspace": "/api",
    "oauth": "/api/ts/v1",
    "m2m": "/api/m2m",
    "location": "/api/loc/v1",
    "subscriptions": "/api/subsc/v1",
    "software_management_v1": "/api/fota/v1",
    "software_management_v2": "/api/fota/v2",
    "software_management_v3": "/api/fota/v3",
    "diagnostics": "/api/diagnostics/v1",
    "cloud_connector": "/api/cc/v1",
    "hyper_precise_location": "/api/hyper-precise/v1",
    "hyper_precise_credentials": "/api/auth/v1",
    "quality_of_service": "/api/m2m/v1/devices",
    "edge_services": "/api/mec/services",
    "imp": "",
}


def _bases(main: str, **others: str) -> Mapping[Server, str]:
    return {server: others.get(server, main) + path for server, path in _PATHS.items()}


@attrs.frozen
class Environment:
    """Where the platform's servers are: `production`, `staging`, `mock`, or `at` a URL of your own."""

    name: str
    bases: Mapping[Server, str] = attrs.field(repr=False, hash=False)
    """The base URL of each server."""

    production: ClassVar[Environment]
    """The real platform."""
    staging: ClassVar[Environment]
    """Verizon's staging platform; access is by agreement with Verizon."""
    mock: ClassVar[Environment]
    """Verizon's mock server, of limited availability; it neither expires tokens nor refuses credentials."""

    @classmethod
    def at(cls, url: str) -> Environment:
        """Place all servers below one URL, such as a simulator's or a gateway's: `/api/m2m`, `/api/ts/v1` and so on.

        Raises ConfigurationError for a URL that is not https, unless its host is this machine.
        """
        base = _checked_url(url)
        if urlsplit(base).path.endswith("/api"):
            raise ConfigurationError("environment: give the base URL without /api, which is added")
        return cls(base, _bases(base))

    def __attrs_post_init__(self) -> None:
        if (fault := fault_of_text(self.name)) is not None:
            raise ConfigurationError(f"environment: name {fault}")
        if not isinstance(self.bases, Mapping):
            raise ConfigurationError(f"environment: bases must be a mapping, not {type(self.bases).__name__}")
        if odd := set(map(str, self.bases)) ^ set(_PATHS):
            raise ConfigurationError(
                f"environment: bases must have a URL for each server; missing or unknown: {', '.join(sorted(odd))}"
            )
        checked = {server: _checked_url(url, f"the base URL of {server}") for server, url in self.bases.items()}
        object.__setattr__(self, "bases", MappingProxyType(checked))  # A copy, which nobody changes behind the checks.

    def __reduce__(self) -> tuple[Any, ...]:
        return Environment, (self.name, dict(self.bases))

    @property
    def host(self) -> str:
        """The host that log-ins go to, with its port."""
        return urlsplit(self.bases["m2m"]).netloc

    @property
    def is_loopback(self) -> bool:
        """Whether all of its servers are this machine."""
        return all(is_loopback(urlsplit(base).hostname or "") for base in self.bases.values())


Environment.production = Environment(
    "production",
    _bases(
        "https://thingspace.verizon.com",
        edge_services="https://5gedge.verizon.com",
        imp="https://imp.thingspace.verizon.com",
    ),
)
Environment.staging = Environment(
    "staging",
    _bases(
        "https://staging.thingspace.verizon.com",
        edge_services="https://staging.5gedge.verizon.com",
        imp="https://imp-staging.thingspace.verizon.com",
    ),
)
Environment.mock = Environment(
    "mock",
    _bases(
        "https://mock-staging.thingspace.verizon.com",
        # The platform's own list has no mock of this one and names staging in its place.
        hyper_precise_credentials="https://staging.thingspace.verizon.com",
    ),
)
