"""Profiles: logins that a config file describes, and where their secrets are. The file itself has no secret."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import tomllib
from asyncio.subprocess import DEVNULL
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from thingspace_async import Credentials
from thingspace_async._cli._run import WrongUsage
from thingspace_async._core.faults import fault_of_text
from thingspace_async._core.values import Secret
from thingspace_async.errors import ConfigurationError

__all__ = ["CONFIG", "Config", "Profile", "read_config"]

CONFIG: Final = "THINGSPACE_CONFIG"
"""Environment variable with the path of the config file."""

_WITHIN: Final = 30.0
"""Seconds for a command to print a secret."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
"""Names of profiles. Two of them never have the same environment variables."""

_Kind = Literal["client_secret", "password"]


def _check_string(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (fault := fault_of_text(value)) is not None:
        raise ConfigurationError(f"{field.name} {fault}")


def _check_flag(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{field.name} must be true or false")


@attrs.frozen(kw_only=True)
class Profile:
    """A login: its environment, its user, and the places of its two secrets."""

    name: str
    environment: str = attrs.field(validator=_check_string)
    client_id: str = attrs.field(validator=_check_string)
    username: str = attrs.field(validator=_check_string)
    account: str | None = attrs.field(default=None, validator=_check_string)
    keyring: bool = attrs.field(default=False, validator=_check_flag)
    # Hidden because its arguments may contain a secret.
    client_secret_command: str | None = attrs.field(default=None, validator=_check_string, repr=False)
    password_command: str | None = attrs.field(default=None, validator=_check_string, repr=False)

    async def credentials(self) -> Credentials:
        """Return the credentials. Raises ConfigurationError if a secret is missing."""
        client_secret = await self._secret("client_secret", self.client_secret_command)
        password = await self._secret("password", self.password_command)
        return Credentials(
            client_id=self.client_id, client_secret=client_secret, username=self.username, password=password
        )

    async def _secret(self, kind: _Kind, command: str | None) -> Secret:
        if command is not None:
            return await _printed_by(command, f"{kind}_command of the profile {self.name}")
        if self.keyring:
            return await asyncio.to_thread(_stored, _service(self.name), kind)
        variable = _variable(kind, self.name)
        if not os.environ.get(variable):
            raise ConfigurationError(
                f"the profile {self.name} has no {kind}: set {variable}, or add keyring = true or {kind}_command"
            )
        return Secret(os.environ[variable])


_KEYS: Final = tuple(field.name for field in attrs.fields(Profile) if field.name != "name")
_REQUIRED: Final = ("environment", "client_id", "username")


@attrs.frozen
class Config:
    """The profiles of a config file."""

    path: Path
    profiles: Mapping[str, Profile] = attrs.field(factory=dict)
    default: Profile | None = None
    """The profile for commands that name none, if no environment variable has a login."""

    def named(self, name: str) -> Profile:
        """Return a profile. Raises ConfigurationError for an unknown name."""
        if (found := self.profiles.get(name)) is not None:
            return found
        if not self.profiles:
            raise WrongUsage(f"no profile {name!r}: {self.path} does not exist, or has no profiles")
        raise WrongUsage(f"{self.path} has no profile {name!r}: choose from {', '.join(self.profiles)}")


def read_config() -> Config:
    """Read the config file, which need not exist. Raises ConfigurationError for the first fault in it."""
    path = _path()
    try:
        given = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        if os.environ.get(CONFIG):
            raise ConfigurationError(f"{CONFIG} names {path}, which does not exist") from None
        return Config(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8: save it in this encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    try:
        return _config(path, given)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _path() -> Path:
    if named := os.environ.get(CONFIG):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("thingspace", appauthor=False) / "config.toml"


def _config(path: Path, given: dict[str, Any]) -> Config:
    _check_keys(given, ("default", "profiles"), "the file", "NAME")
    tables = given.get("profiles", {})
    if not isinstance(tables, dict):
        raise ConfigurationError("profiles must be tables, such as [profiles.lab]")
    profiles = {name: _profile(name, table) for name, table in tables.items()}
    default = given.get("default")
    if default is None:
        return Config(path, profiles)
    if not isinstance(default, str) or default not in profiles:
        raise ConfigurationError("default must be the name of a profile in this file")
    return Config(path, profiles, profiles[default])


def _profile(name: str, table: object) -> Profile:
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(f"profile {name!r}: begin its name with a letter, and use only a to z, 0 to 9 and _")
    if not isinstance(table, dict):
        raise ConfigurationError(f"profile {name}: write its keys below [profiles.{name}]")
    _check_keys(table, _KEYS, f"profile {name}", name)
    if missing := [key for key in _REQUIRED if key not in table]:
        raise ConfigurationError(f"profile {name}: {', '.join(missing)} missing")
    try:
        return Profile(name=name, **table)
    except ConfigurationError as error:
        raise ConfigurationError(f"profile {name}: {error}") from None


def _check_keys(given: Iterable[str], known: tuple[str, ...], where: str, profile: str) -> None:
    """Refuse unknown keys. The key of a secret is refused with the places for secrets."""
    unknown = [key for key in given if key not in known]
    for key in unknown:
        kind: _Kind | None = next((one for one in _SECRETS if key.casefold().replace("-", "_") == one), None)
        if kind is not None:
            raise ConfigurationError(
                f"{where}: {key} must not be in this file: remove it, and set {_variable(kind, profile)}, or use "
                f"keyring = true with `keyring set {_service(profile)} {kind}`, or {kind}_command"
            )
    if unknown:
        raise ConfigurationError(f"{where}: unknown {', '.join(map(repr, unknown))}: use {', '.join(known)}")


_SECRETS: Final[tuple[_Kind, ...]] = ("client_secret", "password")


def _variable(kind: _Kind, profile: str) -> str:
    """Return the environment variable of a secret. Each profile has its own, so that no other login gets the secret."""
    return f"THINGSPACE_{kind}_{profile}".upper()


def _service(profile: str) -> str:
    """Return the name of a profile's service in the keyring."""
    return f"thingspace-{profile}"


def _stored(service: str, kind: _Kind) -> Secret:
    """Read a secret from the system's keyring."""
    try:
        import keyring
    except ImportError:
        raise ConfigurationError("keyring = true needs a library: pip install 'thingspace_async[keyring]'") from None
    try:
        found = keyring.get_password(service, kind)
    except Exception as error:  # noqa: BLE001 - backends raise errors of their own, whose text may quote anything
        raise ConfigurationError(
            f"the keyring cannot be read ({type(error).__name__}): try `keyring get {service} {kind}`"
        ) from None
    if not found:
        raise ConfigurationError(f"the keyring has no {kind}: store it with `keyring set {service} {kind}`")
    return Secret(found)


async def _printed_by(command: str, name: str) -> Secret:
    """Run a command without a shell, and return its output. No error shows the output or the command."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise ConfigurationError(f"{name} cannot be split into words: check its quotes")
    loop = asyncio.get_running_loop()
    try:
        # Its errors are discarded, too, because they may quote the secret.
        process, output = await loop.subprocess_exec(_Output, *words, stdin=DEVNULL, stderr=DEVNULL)
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be started: {error.strerror}") from None
    try:
        async with asyncio.timeout(_WITHIN):
            await output.ended.wait()
    except TimeoutError:
        raise ConfigurationError(f"{name} has not ended within {_WITHIN:g} s: run it yourself to see why") from None
    finally:
        process.close()  # Kills it, and closes its pipe, which other processes may keep open.
        await output.ended.wait()
    if status := process.get_returncode():
        raise ConfigurationError(f"{name} failed with status {status}: run it yourself to see why")
    try:
        secret = Secret(output.printed.decode().strip())
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name} has not printed UTF-8") from None
    if not secret.reveal():
        raise ConfigurationError(f"{name} has printed nothing")
    return secret


class _Output(asyncio.SubprocessProtocol):
    """Collects the output of a process. asyncio's Process would wait for the pipe, even after a kill."""

    def __init__(self) -> None:
        self.printed = bytearray()
        self.ended = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        del fd
        self.printed += data

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.ended.set()
