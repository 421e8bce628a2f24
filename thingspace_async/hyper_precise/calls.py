"""Calls for hyper precise location."""

from __future__ import annotations

from functools import cached_property
from types import NoneType
from typing import Final

from thingspace_async._core.keeping import Keep, check_keep, hand_over
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation, check_request
from thingspace_async.errors import InvalidRequest
from thingspace_async.hyper_precise.models import (
    MOST_AGGREGATED,
    AddHyperPreciseDevicesRequest,
    AddHyperPreciseDevicesResult,
    AggregateReport,
    AggregateReportRequest,
    CredentialsRequest,
    DeviceCredential,
    DroppedCredential,
    GeneratedCredential,
    HyperPreciseCallback,
    HyperPreciseCallbackRegistered,
    HyperPreciseRequest,
    HyperPreciseService,
    HyperPreciseStatus,
    RegisterHyperPreciseCallbackRequest,
    ReportAccepted,
    SessionReport,
    SessionReportRequest,
)

__all__ = ["OPERATIONS", "HyperPrecise"]

GET: Final = Operation(
    "hyper_precise.get",
    "GET",
    "/devices/services",
    NoneType,
    HyperPreciseStatus,
    server="hyper_precise_location",
    repeatable=True,
)
UPDATE: Final = Operation(
    "hyper_precise.update",
    "PUT",
    "/devices/services",
    HyperPreciseRequest,
    HyperPreciseStatus,
    server="hyper_precise_location",
    repeatable=True,
)
ADD_DEVICES: Final = Operation(
    "hyper_precise.add_devices",
    "POST",
    "/devices/actions/add",
    AddHyperPreciseDevicesRequest,
    tuple[AddHyperPreciseDevicesResult, ...],
    server="hyper_precise_location",
)
CREATE_CREDENTIALS: Final = Operation(
    "hyper_precise.credentials.create",
    "POST",
    "/credentials/generate",
    CredentialsRequest,
    tuple[GeneratedCredential, ...],
    server="hyper_precise_credentials",
    unwrap="items",
)
LIST_CREDENTIALS: Final = Operation(
    "hyper_precise.credentials.list",
    "POST",
    "/credentials/retrieve",
    CredentialsRequest,
    tuple[DeviceCredential, ...],
    server="hyper_precise_credentials",
    unwrap="items",
    repeatable=True,
)
RESET_CREDENTIALS: Final = Operation(
    "hyper_precise.credentials.reset",
    "POST",
    "/credentials/reset",
    CredentialsRequest,
    tuple[GeneratedCredential, ...],
    server="hyper_precise_credentials",
    unwrap="items",
)
DELETE_CREDENTIALS: Final = Operation(
    "hyper_precise.credentials.delete",
    "POST",
    "/credentials/drop",
    CredentialsRequest,
    tuple[DroppedCredential, ...],
    server="hyper_precise_credentials",
    unwrap="items",
)
SESSIONS: Final = Operation(
    "hyper_precise.reports.sessions",
    "POST",
    "/report/sessions",
    SessionReportRequest,
    SessionReport,
    server="hyper_precise_location",
    repeatable=True,
)
AGGREGATE: Final = Operation(
    "hyper_precise.reports.aggregate",
    "POST",
    "/report/aggregate",
    AggregateReportRequest,
    AggregateReport,
    server="hyper_precise_location",
    repeatable=True,
)
REQUEST_AGGREGATE: Final = Operation(
    "hyper_precise.reports.request_aggregate",
    "POST",
    "/report/async/aggregate",
    AggregateReportRequest,
    ReportAccepted,
    server="hyper_precise_location",
)
REGISTER: Final = Operation(
    "hyper_precise.callbacks.register",
    "POST",
    "/callbacks",
    RegisterHyperPreciseCallbackRequest,
    HyperPreciseCallbackRegistered,
    server="hyper_precise_location",
)
LIST_CALLBACKS: Final = Operation(
    "hyper_precise.callbacks.list",
    "GET",
    "/callbacks",
    NoneType,
    tuple[HyperPreciseCallback, ...],
    server="hyper_precise_location",
    repeatable=True,
)
DEREGISTER: Final = Operation(
    "hyper_precise.callbacks.deregister", "DELETE", "/callbacks", NoneType, NoneType, server="hyper_precise_location"
)

OPERATIONS: Final = (
    GET,
    UPDATE,
    ADD_DEVICES,
    CREATE_CREDENTIALS,
    LIST_CREDENTIALS,
    RESET_CREDENTIALS,
    DELETE_CREDENTIALS,
    SESSIONS,
    AGGREGATE,
    REQUEST_AGGREGATE,
    REGISTER,
    LIST_CALLBACKS,
    DEREGISTER,
)


class HyperPrecise(Namespace):
    """Hyper precise location: corrections of satellite positions (RTK and DGNSS) for devices."""

    @cached_property
    def credentials(self) -> HyperPreciseCredentials:
        """The usernames and passwords of devices for the correction service."""
        return HyperPreciseCredentials(self._caller)

    @cached_property
    def reports(self) -> HyperPreciseReports:
        """The usage of devices."""
        return HyperPreciseReports(self._caller)

    @cached_property
    def callbacks(self) -> HyperPreciseCallbacks:
        """The listeners for reports. `session.listen` registers them for you."""
        return HyperPreciseCallbacks(self._caller)

    async def get(self, *, account_name: str, imei: str) -> HyperPreciseStatus:
        """Look up whether a device may use hyper precise location.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(GET, query={"imei": imei, "accountNumber": account_name})

    async def update(self, request: HyperPreciseRequest) -> HyperPreciseStatus:
        """Enable or disable hyper precise location for devices.

        The answer has a result for each device: check its `failed`.
        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(UPDATE, request)

    async def add_devices(self, request: AddHyperPreciseDevicesRequest) -> tuple[AddHyperPreciseDevicesResult, ...]:
        """Add devices to an account.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(ADD_DEVICES, request)


class HyperPreciseCredentials(Namespace):
    """Usernames and passwords of devices for the correction service, such as for NTRIP clients."""

    async def create(self, request: CredentialsRequest) -> tuple[GeneratedCredential, ...]:
        """Create credentials for devices.

        The platform shows each password only once. If the answer is lost, use `reset`.
        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(CREATE_CREDENTIALS, request)

    async def list(self, request: CredentialsRequest) -> tuple[DeviceCredential, ...]:
        """List the usernames of devices.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(LIST_CREDENTIALS, request)

    async def reset(
        self, request: CredentialsRequest, keep: Keep[tuple[GeneratedCredential, ...]]
    ) -> tuple[GeneratedCredential, ...]:
        """Replace the passwords of devices. The old ones are invalid at once.

        `keep` receives the new credentials before anything else happens, and must store them durably within two
        minutes. If it fails, SecretNotKept is raised, and has the credentials. The request is sent once, and continues
        if its caller is cancelled or the session is closed. If its answer is lost, reset the passwords again.
        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        name = RESET_CREDENTIALS.name
        check_request(RESET_CREDENTIALS, request)
        check_keep(name, keep)
        return await self._caller.engine.finish(name, self._reset(request, keep))

    async def _reset(
        self, request: CredentialsRequest, keep: Keep[tuple[GeneratedCredential, ...]]
    ) -> tuple[GeneratedCredential, ...]:
        made = await self._send(RESET_CREDENTIALS, request)
        await hand_over(RESET_CREDENTIALS.name, "the new passwords", made, keep)
        return made

    async def delete(self, request: CredentialsRequest) -> tuple[DroppedCredential, ...]:
        """Delete the credentials of devices.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(DELETE_CREDENTIALS, request)


class HyperPreciseReports(Namespace):
    """Reports of the sessions of devices with the correction service, of up to 180 days."""

    async def sessions(self, request: SessionReportRequest) -> SessionReport:
        """Report the sessions of a device.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(SESSIONS, request)

    async def aggregate(self, request: AggregateReportRequest) -> AggregateReport:
        """Report the usage of up to 10 devices.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        check_request(AGGREGATE, request)
        if len(request.devices) > MOST_AGGREGATED:
            raise InvalidRequest(
                f"{AGGREGATE.name}: at most {MOST_AGGREGATED} devices, not {len(request.devices):,}: use "
                "request_aggregate for more"
            )
        return await self._send(AGGREGATE, request)

    async def request_aggregate(self, request: AggregateReportRequest) -> ReportAccepted:
        """Request a report of the usage of up to 10,000 devices; it arrives later on BullseyeReporting.

        Await it with `outcomes.answer(accepted, HyperPreciseReport)`.
        https://thingspace.verizon.com/documentation/apis/hyper_precise/
        """
        return await self._send(REQUEST_AGGREGATE, request)


class HyperPreciseCallbacks(Namespace):
    """Listeners for reports."""

    async def register(
        self, account_name: str, request: RegisterHyperPreciseCallbackRequest
    ) -> HyperPreciseCallbackRegistered:
        """Register a listener.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/api-reference/register-a-callback-listener.html
        """
        return await self._send(REGISTER, request, query={"accountNumber": account_name})

    async def list(self, account_name: str) -> tuple[HyperPreciseCallback, ...]:
        """List the listeners of an account.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/api-reference/register-a-callback-listener.html
        """
        return await self._send(LIST_CALLBACKS, query={"accountNumber": account_name})

    async def deregister(self, account_name: str, service_name: HyperPreciseService | str) -> None:
        """Remove a listener.

        https://thingspace.verizon.com/documentation/apis/hyper_precise/api-reference/register-a-callback-listener.html
        """
        name = getattr(service_name, "value", service_name)
        await self._send(DEREGISTER, query={"accountNumber": account_name, "service": name})
