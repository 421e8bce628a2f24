"""Calls for the logs and check-ins of HTTP devices."""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._core.imeis import SomeImeis
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation, Server
from thingspace_async.errors import InvalidRequest
from thingspace_async.software.checking import at_most
from thingspace_async.software.v2.models import LOGS as LOGS_NAME
from thingspace_async.software.v2.models import CheckIn, DeviceLog, LoggedDevice, LoggingRequest

__all__ = ["OPERATIONS", "Logging"]

_SERVER: Final[Server] = "software_management_v2"
_DEVICES: Final = "/logging/{account_name}/devices"
_ONE: Final = f"{_DEVICES}/{{device_id}}"

LIST: Final = Operation(
    "software.v2.logging.list",
    "GET",
    _DEVICES,
    NoneType,
    tuple[LoggedDevice, ...],
    server=_SERVER,
    repeatable=True,
)
# Repeatable: a device that writes logs already goes on.
ENABLE: Final = Operation(
    "software.v2.logging.enable",
    "PUT",
    _DEVICES,
    LoggingRequest,
    tuple[LoggedDevice, ...],
    server=_SERVER,
    repeatable=True,
)
DISABLE: Final = Operation(
    "software.v2.logging.disable",
    "DELETE",
    _DEVICES,
    NoneType,
    NoneType,
    server=_SERVER,
)
ENABLE_DEVICE: Final = Operation(
    "software.v2.logging.enable_device",
    "PUT",
    _ONE,
    NoneType,
    LoggedDevice,
    server=_SERVER,
    repeatable=True,
)
DISABLE_DEVICE: Final = Operation(
    "software.v2.logging.disable_device",
    "DELETE",
    _ONE,
    NoneType,
    NoneType,
    server=_SERVER,
)
LOGS: Final = Operation(
    LOGS_NAME,
    "GET",
    f"{_ONE}/logs",
    NoneType,
    tuple[DeviceLog, ...],
    server=_SERVER,
    repeatable=True,
)
CHECK_INS: Final = Operation(
    "software.v2.logging.check_ins",
    "GET",
    f"{_ONE}/checkInHistory",
    NoneType,
    tuple[CheckIn, ...],
    server=_SERVER,
    repeatable=True,
)

OPERATIONS: Final = (LIST, ENABLE, DISABLE, ENABLE_DEVICE, DISABLE_DEVICE, LOGS, CHECK_INS)

MOST_LOGGED: Final = 20


class Logging(Namespace):
    """Logs that devices write after a campaign has failed, and their check-ins, which need no logs."""

    async def list(self, account_name: str) -> tuple[LoggedDevice, ...]:
        """List the devices that write logs, up to 20.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-a-list-of-devices-with-logging-enabled.html
        """
        return await self._send(LIST, path={"account_name": account_name})

    async def enable(self, account_name: str, request: LoggingRequest) -> tuple[LoggedDevice, ...]:
        """Turn logging on for up to 20 devices of an account.

        A device starts at its next check-in, if its manufacturer supports logs. They arrive after a day or more.
        Logging turns itself off after seven days, and logs are kept for 30 days. Raises BadRequest if the account would
        have more than 20 such devices.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/enable-logging-for-devices.html
        """
        at_most(ENABLE, request, MOST_LOGGED)
        return await self._send(ENABLE, request, path={"account_name": account_name})

    async def disable(self, account_name: str, devices: SomeImeis) -> None:
        """Turn logging off for up to 20 devices.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/enable-logging-for-devices.html
        """
        try:
            wanted = LoggingRequest(devices=devices)
        except InvalidRequest as error:
            raise InvalidRequest(f"{DISABLE.name}: {str(error).partition(': ')[2]}") from None
        at_most(DISABLE, wanted, MOST_LOGGED)
        query = {"deviceIds": ",".join(wanted.devices)}
        await self._send(DISABLE, path={"account_name": account_name}, query=query)

    async def enable_device(self, account_name: str, device_id: str) -> LoggedDevice:
        """Turn logging on for the device with an IMEI.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/enable-logging-for-a-specific-device.html
        """
        return await self._send(ENABLE_DEVICE, path={"account_name": account_name, "device_id": device_id})

    async def disable_device(self, account_name: str, device_id: str) -> None:
        """Turn logging off for the device with an IMEI.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-logging-for-a-specific-device.html
        """
        await self._send(DISABLE_DEVICE, path={"account_name": account_name, "device_id": device_id})

    async def logs(self, account_name: str, device_id: str) -> tuple[DeviceLog, ...]:
        """Read the logs of the device with an IMEI. `DeviceLog.data` has the bytes of a log file.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/get-logging-for-a-specific-device.html
        """
        return await self._send(LOGS, path={"account_name": account_name, "device_id": device_id})

    async def check_ins(self, account_name: str, device_id: str) -> tuple[CheckIn, ...]:
        """List the check-ins of the device with an IMEI, with their results.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        return await self._send(CHECK_INS, path={"account_name": account_name, "device_id": device_id})
