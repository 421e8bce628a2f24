"""Credentials and Environment."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from thingspace_async._core.faults import fault_of_text, is_loopback
from thingspace_async._core.operation import Server
from thingspace_async._core.values import Secret
from thingspace_async.errors import ConfigurationError

__all__ = ["ENVIRONMENT", "VARIABLES", "Credentials", "CredentialsProvider", "Environment"]

_log: Final = logging.getLogger("thingspace_async")

VARIABLES: Final = ("THINGSPACE_CLIENT_ID", "THINGSPACE_CLIENT_SECRET", "THINGSPACE_USERNAME", "THINGSPACE_PASSWORD")
"""Environment variables of `Credentials.from_environment`, in the order of its fields."""


def _sendable(_: object, field: attrs.Attribute[Any], value: str | Secret) -> None:
    # A line end would make the password wrong, and five wrong passwords lock the user.
    if (fault := fault_of_text(value.reveal() if isinstance(value, Secret) else value)) is not None:
        raise ConfigurationError(f"credentials: {field.name} {fault}")


@attrs.frozen(kw_only=True, init=False)
class Credentials:
    """The application's key and secret, and the Unified Web Services user of the business account.

    Key and secret come from the ThingSpace portal (Account settings, Key Management). The user is not the user of the
    portal. Raises ConfigurationError for a value that is empty or not a string.
    https://thingspace.verizon.com/documentation/apis/connectivity-management/getting-started/getting-credentials.html
    """

    client_id: str = attrs.field(validator=_sendable)
    client_secret: Secret = attrs.field(validator=_sendable)
    username: str = attrs.field(validator=_sendable)
    password: Secret = attrs.field(validator=_sendable)

    def __init__(self, *, client_id: str, client_secret: str | Secret, username: str, password: str | Secret) -> None:
        # Hidden before anything can fail: error reports may show the locals of this frame.
        client_secret, password = Secret(client_secret), Secret(password)
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs makes it
            client_id=client_id, client_secret=client_secret, username=username, password=password
        )

    def with_password(self, password: Secret) -> Credentials:
        """Return a copy with a password that the platform has chosen, which needs no check."""
        twin = copy.copy(self)
        object.__setattr__(twin, "password", password)
        return twin

    @classmethod
    def from_environment(cls) -> Credentials:
        """Read `THINGSPACE_CLIENT_ID`, `_CLIENT_SECRET`, `_USERNAME` and `_PASSWORD` from the environment variables.

        Raises ConfigurationError with the names of missing variables.
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


ENVIRONMENT: Final = "THINGSPACE_ENVIRONMENT"
"""Environment variable of `Environment.from_environment`."""

_NAMED: Final = ("production", "staging", "mock")

CredentialsProvider: TypeAlias = Callable[[], Awaitable[Credentials]]
"""Returns credentials, for example from a secret manager. Secrets may change, but the user and the key must not."""


def _checked_url(url: str, what: str = "the base URL", *, insecure: bool = False) -> str:
    """Return a base URL without its last slash. Raise ConfigurationError if tokens must not be sent to it."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        raise ConfigurationError(f"environment: {what} must be a string without spaces or control characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"environment: {what} cannot be read ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"environment: {what} must look like https://host")
    if parts.username is not None or "?" in url or "#" in url:
        raise ConfigurationError(f"environment: {what} must not have a user, query or fragment")
    if parts.scheme == "http" and not insecure and not is_loopback(host):
        raise ConfigurationError(
            f"environment: http would send tokens in the clear to {host}: use https, or for a simulator in a private "
            "network Environment.at(url, insecure=True)"
        )
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
    """The platform's servers: `production`, `staging`, `mock`, or `at` a URL of your own."""

    name: str
    bases: Mapping[Server, str] = attrs.field(repr=False, hash=False)
    """The base URL of each server."""
    insecure: bool = attrs.field(default=False, repr=False, kw_only=True)
    """Whether plain HTTP to other machines is allowed."""

    production: ClassVar[Environment]
    """The real platform."""
    staging: ClassVar[Environment]
    """Verizon's staging platform. Verizon must grant access."""
    mock: ClassVar[Environment]
    """Verizon's mock server, of limited availability. It never expires tokens or refuses credentials."""

    @classmethod
    def at(cls, url: str, *, insecure: bool = False) -> Environment:
        """Use one base URL for all servers, such as that of a simulator or a gateway.

        The servers are at `/api/m2m`, `/api/ts/v1` and so on below the URL. `insecure` allows plain HTTP to another
        machine, such as a simulator in a container network, and logs a warning. Without it, a URL that is neither https
        nor on this machine raises ConfigurationError.
        """
        base = _checked_url(url, insecure=insecure)
        secure = base.startswith("https:") or is_loopback(urlsplit(base).hostname or "")
        if not secure:
            _log.warning("%s is plain HTTP, which shows passwords and tokens: use it for simulators only", base)
        if urlsplit(base).path.endswith("/api"):
            raise ConfigurationError("environment: leave /api out of the base URL, because it is added automatically")
        return cls(base, _bases(base), insecure=not secure)

    @classmethod
    def from_environment(cls) -> Environment:
        """Read `THINGSPACE_ENVIRONMENT`: `production` (the default), `staging`, `mock`, or a URL for `at`.

        Raises ConfigurationError.
        """
        named = os.environ.get(ENVIRONMENT) or "production"
        if named in _NAMED:
            return {"production": cls.production, "staging": cls.staging, "mock": cls.mock}[named]
        if "://" not in named:
            raise ConfigurationError(f"set {ENVIRONMENT} to {', '.join(_NAMED)} or a URL, not {named!r}")
        return cls.at(named)

    def __attrs_post_init__(self) -> None:
        if (fault := fault_of_text(self.name)) is not None:
            raise ConfigurationError(f"environment: name {fault}")
        if not isinstance(self.bases, Mapping):
            raise ConfigurationError(f"environment: bases must be a mapping, not {type(self.bases).__name__}")
        if odd := set(map(str, self.bases)) ^ set(_PATHS):
            raise ConfigurationError(
                f"environment: bases must have a URL for each server; missing or unknown: {', '.join(sorted(odd))}"
            )
        checked = {
            server: _checked_url(url, f"the base URL of {server}", insecure=self.insecure)
            for server, url in self.bases.items()
        }
        object.__setattr__(self, "bases", MappingProxyType(checked))  # A copy, which cannot be changed after the check.

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Environment, insecure=self.insecure), (self.name, dict(self.bases))

    @property
    def host(self) -> str:
        """Host and port of the server for logins."""
        return urlsplit(self.bases["thingspace"]).netloc

    @property
    def is_loopback(self) -> bool:
        """Whether all servers are on this machine."""
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
        # The platform's list has no mock of this server. It names staging instead.
        hyper_precise_credentials="https://staging.thingspace.verizon.com",
    ),
)
