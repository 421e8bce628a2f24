"""An asyncio client for Verizon ThingSpace.

    from thingspace_async import Credentials, Session

    async with Session(Credentials.from_environment()) as session:
        async for device in session.devices.list(account_name="0000123456-00001"):
            print(device.identifier("imei"), device.state)

Everything is loaded at its first use: importing this package imports neither aiohttp nor any product.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thingspace_async import errors
    from thingspace_async._caller import Exchange
    from thingspace_async._environment import Credentials, CredentialsProvider, Environment
    from thingspace_async._session import Response, Session
    from thingspace_async._store import TokenStore
    from thingspace_async._types import (
        UNSET,
        Accepted,
        CustomField,
        DeviceId,
        DeviceIds,
        ExtendedAttribute,
        OpenEnum,
        Secret,
        SuccessResult,
        Unset,
    )
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
    "ThingSpaceError",
    "TokenStore",
    "Unset",
    "__version__",
    "errors",
]

_HOME = {
    "Accepted": "_types",
    "Credentials": "_environment",
    "CredentialsProvider": "_environment",
    "CustomField": "_types",
    "DeviceId": "_types",
    "DeviceIds": "_types",
    "Environment": "_environment",
    "Exchange": "_caller",
    "ExtendedAttribute": "_types",
    "OpenEnum": "_types",
    "Response": "_session",
    "Secret": "_types",
    "Session": "_session",
    "SuccessResult": "_types",
    "ThingSpaceError": "errors",
    "TokenStore": "_store",
    "UNSET": "_types",
    "Unset": "_types",
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
