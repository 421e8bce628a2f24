"""Calls of software management v2."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import cached_property
from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace, following_last_seen
from thingspace_async._core.operation import Operation, Server
from thingspace_async.software.callbacks import VersionCallbacks, callback_operations
from thingspace_async.software.checking import query_of
from thingspace_async.software.models import SoftwareSubscription
from thingspace_async.software.v2 import campaigns, files, licenses, logging
from thingspace_async.software.v2.campaigns import Campaigns
from thingspace_async.software.v2.files import Files
from thingspace_async.software.v2.licenses import Licenses
from thingspace_async.software.v2.logging import Logging
from thingspace_async.software.v2.models import (
    AccountDevice,
    AccountDevicePage,
    DeviceSoftwareUpgrade,
    DistributionType,
    SoftwarePackage,
)

__all__ = ["OPERATIONS", "Version2"]

_SERVER: Final[Server] = "software_management_v2"

LIST_PACKAGES: Final = Operation(
    "software.v2.packages.list",
    "GET",
    "/software/{account_name}",
    NoneType,
    tuple[SoftwarePackage, ...],
    server=_SERVER,
    repeatable=True,
)
LIST_DEVICES: Final = Operation(
    "software.v2.devices.list",
    "GET",
    "/devices/{account_name}",
    NoneType,
    AccountDevicePage,
    server=_SERVER,
    repeatable=True,
)
DEVICE_HISTORY: Final = Operation(
    "software.v2.devices.history",
    "GET",
    "/reports/{account_name}/devices/{device_id}",
    NoneType,
    tuple[DeviceSoftwareUpgrade, ...],
    server=_SERVER,
    repeatable=True,
)
SUBSCRIPTION: Final = Operation(
    "software.v2.subscription",
    "GET",
    "/subscriptions/{account_name}",
    NoneType,
    SoftwareSubscription,
    server=_SERVER,
    repeatable=True,
)
CALLBACKS: Final = callback_operations("software.v2", _SERVER)

OPERATIONS: Final = (
    LIST_PACKAGES,
    *files.OPERATIONS,
    LIST_DEVICES,
    DEVICE_HISTORY,
    *campaigns.OPERATIONS,
    *licenses.OPERATIONS,
    *logging.OPERATIONS,
    SUBSCRIPTION,
    *CALLBACKS.all,
)


class Version2(Namespace):
    """Software management v2: software and files for devices with Verizon's HTTP client."""

    async def subscription(self, account_name: str) -> SoftwareSubscription:
        """Read an account's subscription, with the number of its licenses for HTTP devices.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-fota-subscriptions-v2.html
        """
        return await self._send(SUBSCRIPTION, path={"account_name": account_name})

    @cached_property
    def packages(self) -> Packages:
        """Software that the account may distribute."""
        return Packages(self._caller)

    @cached_property
    def files(self) -> Files:
        """Configuration files, which campaigns distribute."""
        return Files(self._caller)

    @cached_property
    def devices(self) -> SoftwareDevices:
        """The devices of an account, as software management knows them."""
        return SoftwareDevices(self._caller)

    @cached_property
    def campaigns(self) -> Campaigns:
        """Campaigns, which distribute software or files to several devices."""
        return Campaigns(self._caller)

    @cached_property
    def licenses(self) -> Licenses:
        """Licenses, which devices need if the account pays monthly."""
        return Licenses(self._caller)

    @cached_property
    def logging(self) -> Logging:
        """Logs and check-ins of devices."""
        return Logging(self._caller)

    @cached_property
    def callbacks(self) -> SoftwareCallbacks:
        """The URL that the platform posts messages about campaigns to."""
        return SoftwareCallbacks(self._caller)


class Packages(Namespace):
    """Software that the account may distribute."""

    async def list(
        self, account_name: str, *, distribution_type: DistributionType | str | None = None
    ) -> tuple[SoftwarePackage, ...]:
        """List the software that the account may distribute.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        query = query_of(LIST_PACKAGES, distributionType=distribution_type)
        return await self._send(LIST_PACKAGES, path={"account_name": account_name}, query=query)


class SoftwareDevices(Namespace):
    """The devices of an account, as software management knows them."""

    async def list_page(
        self,
        account_name: str,
        *,
        last_seen_device_id: str | None = None,
        distribution_type: DistributionType | str | None = None,
    ) -> AccountDevicePage:
        """Read up to 1,000 devices. Pass the page's `last_seen_device_id` to request the next page.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-device-list-v2.html
        """
        query = query_of(LIST_DEVICES, lastSeenDeviceId=last_seen_device_id, distributionType=distribution_type)
        return await self._send(LIST_DEVICES, path={"account_name": account_name}, query=query)

    def list(
        self, account_name: str, *, distribution_type: DistributionType | str | None = None
    ) -> AsyncGenerator[AccountDevice]:
        """Walk the devices of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-device-list-v2.html
        """
        return self._walk(
            LIST_DEVICES,
            fetch=lambda last: self.list_page(
                account_name, last_seen_device_id=last, distribution_type=distribution_type
            ),
            following=lambda page: following_last_seen(
                LIST_DEVICES, more=page.has_more_data, last_seen=page.last_seen_device_id
            ),
            items=lambda page: page.devices,
        )

    async def history(self, account_name: str, device_id: str) -> tuple[DeviceSoftwareUpgrade, ...]:
        """List the campaigns of a device. `device_id` is its IMEI.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        return await self._send(DEVICE_HISTORY, path={"account_name": account_name, "device_id": device_id})


class SoftwareCallbacks(VersionCallbacks):
    """The URL that the platform posts messages about campaigns to. An account has one."""

    _operations = CALLBACKS
