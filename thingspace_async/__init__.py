"""An asyncio client for Verizon ThingSpace.

    from thingspace_async import Credentials, Session

    async with Session(Credentials.from_environment()) as session:
        async for device in session.devices.list(account_name="0000123456-00001"):
            print(device.identifier("imei"), device.state)

Everything is imported at its first use: importing this package does not import aiohttp or any room.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thingspace_async import errors
    from thingspace_async._core.environment import Credentials, CredentialsProvider, Environment
    from thingspace_async._core.exchange import Exchange, Response
    from thingspace_async._core.store import TokenStore
    from thingspace_async._core.types import (
        Accepted,
        CustomField,
        DeviceId,
        DeviceIds,
        ExtendedAttribute,
        SuccessResult,
        SuspiciousIdentifier,
    )
    from thingspace_async._core.values import UNSET, OpenEnum, Secret, Unset
    from thingspace_async._session import Session
    from thingspace_async.errors import ThingSpaceError

__version__ = "0.1.0"

__all__ = [
    "UNSET",
    "Accepted",
    "Credentials",
    "CredentialsProvider",
    "CustomField",
    "DeviceId",
    "DeviceIds",
    "Environment",
    "Exchange",
    "ExtendedAttribute",
    "OpenEnum",
    "Response",
    "Secret",
    "Session",
    "SuccessResult",
    "SuspiciousIdentifier",
    "ThingSpaceError",
    "TokenStore",
    "Unset",
    "__version__",
    "errors",
]

_HOME = {
    "Accepted": "_core.types",
    "Credentials": "_core.environment",
    "CredentialsProvider": "_core.environment",
    "CustomField": "_core.types",
    "DeviceId": "_core.types",
    "DeviceIds": "_core.types",
    "Environment": "_core.environment",
    "Exchange": "_core.exchange",
    "ExtendedAttribute": "_core.types",
    "OpenEnum": "_core.values",
    "Response": "_core.exchange",
    "Secret": "_core.values",
    "Session": "_session",
    "SuccessResult": "_core.types",
    "SuspiciousIdentifier": "_core.types",
    "ThingSpaceError": "errors",
    "TokenStore": "_core.store",
    "UNSET": "_core.values",
    "Unset": "_core.values",
}


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("thingspace_async.errors")
    if (home := _HOME.get(name)) is None:
        raise AttributeError(f"module 'thingspace_async' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"thingspace_async.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "pdoc" in sys.modules:  # It shows only names that are loaded.
    from thingspace_async import _site

    _site.prepare(sys.modules[__name__])
