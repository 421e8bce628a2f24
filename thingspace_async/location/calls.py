"""Calls for the locations of devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from functools import cached_property, partial
from types import NoneType
from typing import Any, Final, Unpack
from urllib.parse import urlsplit

import attrs

from thingspace_async._core.checks import fault_of_text
from thingspace_async._core.namespace import (
    SECRET_HEADERS,
    Namespace,
    as_number,
    following_index,
    secret_from_headers,
)
from thingspace_async._core.operation import Operation, check_request
from thingspace_async._core.types import DeviceId, Identified, SuccessResult
from thingspace_async._core.values import Secret
from thingspace_async.errors import InvalidRequest
from thingspace_async.location.interface import LocatedDevice, LocateOptions, RunDevices
from thingspace_async.location.models import (
    MOST_EXCLUDED,
    AccuracyMode,
    ConsentAccepted,
    ConsentCreateRequest,
    ConsentUpdateRequest,
    DeviceConsents,
    ExcludedDevices,
    ExcludeDevicesRequest,
    Location,
    LocationAccepted,
    LocationCallback,
    LocationCallbackRegistered,
    LocationReport,
    LocationReportAccepted,
    LocationReportStatus,
    LocationRequest,
    LocationSubscription,
    LocationUsage,
    LocationUsageRequest,
    PeriodicLocationRequest,
    RegisterLocationCallbackRequest,
    TransactionId,
    to_bare_ids,
)

__all__ = ["OPERATIONS", "Locations"]

_REPORT: Final = "/locationreports/{account_name}/report/{request_id}"
_CONSENTS: Final = "/devicelocations/action/consents"

# Not repeatable: a current location is billed.
LOCATE: Final = Operation(
    "location.locate", "POST", "/locations", LocationRequest, tuple[Location, ...], server="location"
)
REQUEST_LOCATIONS: Final = Operation(
    "location.request_locations", "POST", "/devicelocations", LocationRequest, LocationAccepted, server="location"
)
# Not repeatable: the platform refuses to cancel a request twice.
CANCEL: Final = Operation(
    "location.cancel", "DELETE", "/devicelocations/{request_id}", NoneType, TransactionId, server="location"
)
START_PERIODIC: Final = Operation(
    "location.start_periodic",
    "POST",
    "/devicelocations/action/periodic",
    PeriodicLocationRequest,
    LocationAccepted,
    server="location",
)
CREATE_REPORT: Final = Operation(
    "location.reports.create", "POST", "/locationreports", LocationRequest, LocationReportAccepted, server="location"
)
REPORT_STATUS: Final = Operation(
    "location.reports.status",
    "GET",
    f"{_REPORT}/status",
    NoneType,
    LocationReportStatus,
    repeatable=True,
    server="location",
)
REPORT_LOCATIONS: Final = Operation(
    "location.reports.locations",
    "GET",
    f"{_REPORT}/index/{{start_index}}",
    NoneType,
    LocationReport,
    repeatable=True,
    server="location",
)
CANCEL_REPORT: Final = Operation(
    "location.reports.cancel", "DELETE", _REPORT, NoneType, TransactionId, server="location"
)
GET_CONSENTS: Final = Operation(
    "location.consents.get", "GET", _CONSENTS, NoneType, DeviceConsents, repeatable=True, server="location"
)
CREATE_CONSENT: Final = Operation(
    "location.consents.create", "POST", _CONSENTS, ConsentCreateRequest, ConsentAccepted, server="location"
)
UPDATE_CONSENT: Final = Operation(
    "location.consents.update", "PUT", _CONSENTS, ConsentUpdateRequest, ConsentAccepted, server="location"
)
ADD_EXCLUSIONS: Final = Operation(
    "location.exclusions.add", "POST", "/consents", ExcludeDevicesRequest, SuccessResult, server="location"
)
REMOVE_EXCLUSIONS: Final = Operation(
    "location.exclusions.remove", "DELETE", "/consents", NoneType, SuccessResult, server="location"
)
LIST_EXCLUSIONS: Final = Operation(
    "location.exclusions.list",
    "GET",
    "/consents/{account_name}/index/{start_index}",
    NoneType,
    ExcludedDevices,
    repeatable=True,
    server="location",
)
REGISTER: Final = Operation(
    "location.callbacks.register",
    "POST",
    "/callbacks/{account_name}",
    RegisterLocationCallbackRequest,
    LocationCallbackRegistered,
    server="location",
    secret_headers=True,
)
LIST_CALLBACKS: Final = Operation(
    "location.callbacks.list",
    "GET",
    "/callbacks/{account_name}",
    NoneType,
    tuple[LocationCallback, ...],
    repeatable=True,
    server="location",
)
DEREGISTER: Final = Operation(
    "location.callbacks.deregister",
    "DELETE",
    "/callbacks/{account_name}/name/{service_name}",
    NoneType,
    SuccessResult,
    server="location",
)
SUBSCRIPTION: Final = Operation(
    "location.subscription",
    "GET",
    "/subscriptions/{account_name}",
    NoneType,
    LocationSubscription,
    repeatable=True,
    server="location",
)
USAGE: Final = Operation(
    "location.usage", "POST", "/usage", LocationUsageRequest, LocationUsage, repeatable=True, server="location"
)

OPERATIONS: Final = (
    LOCATE,
    REQUEST_LOCATIONS,
    CANCEL,
    START_PERIODIC,
    CREATE_REPORT,
    REPORT_STATUS,
    REPORT_LOCATIONS,
    CANCEL_REPORT,
    GET_CONSENTS,
    CREATE_CONSENT,
    UPDATE_CONSENT,
    ADD_EXCLUSIONS,
    REMOVE_EXCLUSIONS,
    LIST_EXCLUSIONS,
    REGISTER,
    LIST_CALLBACKS,
    DEREGISTER,
    SUBSCRIPTION,
    USAGE,
)

_MOST_AT_ONCE: Final = 20


class Locations(Namespace):
    """Where devices are. Most calls need a subscription to the location service."""

    async def locate(self, request: LocationRequest) -> tuple[Location, ...]:
        """Locate up to 20 devices, coarsely, and return their locations at once.

        A device that could not be located has an `error` instead of a position. Locations are billed by device, except
        known ones (`CacheMode.CACHED`). The client never repeats this request, because each try may be billed. Raises
        BadRequest with "Consent check failed" if a device is excluded, and with the code `CACHE_UNAVAILABLE` if no
        location is known. For more devices, use `request_locations` or `reports.create`.
        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/get-device-locations-synchronous.html
        """
        check_request(LOCATE, request)
        if len(request.devices) > _MOST_AT_ONCE:
            raise InvalidRequest(
                f"{LOCATE.name}: the request may have {_MOST_AT_ONCE} devices, not {len(request.devices):,}: "
                "use request_locations or reports.create"
            )
        if request.accuracy_mode not in (None, AccuracyMode.COARSE):
            raise InvalidRequest(f"{LOCATE.name}: only coarse locations are possible: use request_locations")
        return await self._send(LOCATE, request)

    async def request_locations(self, request: LocationRequest) -> LocationAccepted:
        """Request the locations of up to 10,000 devices.

        The location of each device, or an error, arrives later on DeviceLocation. The platform tries an unreachable
        device for up to 30 days. Current locations are billed by device.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Get_Device_Location_Asynchronous/
        """
        return await self._send(REQUEST_LOCATIONS, request)

    async def cancel(self, account_name: str, request_id: str) -> TransactionId:
        """Cancel a request of `request_locations` that is still queued, or of `start_periodic`.

        Raises BadRequest with the message "Unable to Cancel" if some of its devices were located already. How to stop
        a periodic request is not documented. ASSUMPTION: with this call.
        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/cancel-asynchronous-device-location-request.html
        """
        query = {"accountName": _checked(CANCEL, "account_name", account_name)}
        return await self._send(CANCEL, path={"request_id": request_id}, query=query)

    async def start_periodic(self, request: PeriodicLocationRequest) -> LocationAccepted:
        """Locate up to 10,000 devices precisely at an interval.

        Each location arrives on DeviceLocation, and is billed. The devices must be certified for precise location, and
        need a consent for it.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Periodic_Device_Location/
        """
        return await self._send(START_PERIODIC, request)

    def locate_all(
        self, account_name: str, devices: RunDevices, **options: Unpack[LocateOptions]
    ) -> AsyncGenerator[LocatedDevice]:
        """Locate any number of devices by reports, and yield each with its location or error.

        `devices` may be any iterable, async or plain, and each is located once. Known locations come first, and are
        free. Current locations are billed: they are requested for the devices without a known one, unless `current` is
        False. Excluded devices fail, and are not requested, because they would make the whole report fail.

        With `inbox` and `run`, the inbox records every report under the name of the run. Call again with the same
        name, options and devices to continue an interrupted run: it reads the reports that were requested, requests
        the others, and then yields the devices of earlier runs again, marked as `repeat`. No device is billed twice
        under one name. Any number of processes with the same inbox may share a run: each yields the devices of its own
        reports, and takes over those of processes that have crashed. For 15 s, a crashed process counts as sharing the
        run: devices that it has returned are not returned again. The inbox keeps the run until `forget_run`. The
        platform keeps reports for 30 days.

        If the answer to a request for a report is lost, the run does not request it again. It looks for new known
        locations of these devices for `timeout`. The other devices then fail with the error type `UNKNOWN`. While the
        platform is unreachable, throttles or fails at logins, requests wait and are repeated, at most for
        `give_up_after`.

        Set a limit for the run with `asyncio.timeout`, and close it with `contextlib.aclosing` to stop early. Raises
        BadRequest if the platform refuses a report, for example because a
        device has another phone number, InboxUnavailable if the inbox stays unavailable, RunLost if it has lost
        changes, and InvalidRequest for a run that was begun with other options.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Create_Device_Location_Report/
        """
        from thingspace_async.location.plan import LocationPlan
        from thingspace_async.location.run import LocationRun

        plan = LocationPlan(account_name=account_name, **options)
        # Without the port, because a simulator has a new one each time.
        host = urlsplit(self._caller.engine.environment.bases["location"]).hostname or ""
        excluded = partial(self.exclusions.list, account_name)
        return LocationRun(plan, self.reports, excluded, host=host).located(devices)

    async def subscription(self, account_name: str) -> LocationSubscription:
        """Read the location service of an account, with the locations that it has bought per month.

        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/get-subscription-status.html
        """
        return await self._send(SUBSCRIPTION, path={"account_name": account_name})

    async def usage(self, request: LocationUsageRequest) -> LocationUsage:
        """Count the billed locations of an account in a time span.

        Each device of a request counts, unless its location was known.
        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/get-location-service-usage.html
        """
        return await self._send(USAGE, request)

    @cached_property
    def reports(self) -> LocationReports:
        """Reports on the locations of many devices."""
        return LocationReports(self._caller)

    @cached_property
    def consents(self) -> LocationConsents:
        """The consents of an account to locate its devices."""
        return LocationConsents(self._caller)

    @cached_property
    def exclusions(self) -> LocationExclusions:
        """Devices that must not be located."""
        return LocationExclusions(self._caller)

    @cached_property
    def callbacks(self) -> LocationCallbacks:
        """The URLs that the platform sends locations to."""
        return LocationCallbacks(self._caller)


class LocationReports(Namespace):
    """Reports on the locations of many devices. The platform keeps them for 30 days."""

    async def create(self, request: LocationRequest) -> LocationReportAccepted:
        """Request a report on the locations of up to 10,000 devices.

        Call `status` until the report is completed, then walk `locations`. A message on Location reports the
        completion, too. Reports of known locations (`CacheMode.CACHED`) are ready at once and cause no message. Current
        locations are billed by device.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Create_Device_Location_Report/
        """
        return await self._send(CREATE_REPORT, request)

    async def status(self, account_name: str, request_id: str) -> LocationReportStatus:
        """Read how far a report is.

        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Get_Device_Location_Report_Status/
        """
        return await self._send(REPORT_STATUS, path={"account_name": account_name, "request_id": request_id})

    async def locations_page(self, account_name: str, request_id: str, *, start_index: int = 0) -> LocationReport:
        """Read up to 1,000 locations of a completed report. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Retrieve_Device_Location_Report/
        """
        path = {"account_name": account_name, "request_id": request_id, "start_index": str(start_index)}
        page = await self._send(REPORT_LOCATIONS, path=path)
        following = following_index(
            REPORT_LOCATIONS, more=page.has_more_data, index=start_index, count=len(page.locations)
        )
        return attrs.evolve(page, next=following)

    def locations(self, account_name: str, request_id: str) -> AsyncGenerator[Location]:
        """Walk the locations of a completed report, and fetch one page ahead.

        A device that could not be located has an `error` instead of a position.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Retrieve_Device_Location_Report/
        """
        return self._walk(
            REPORT_LOCATIONS,
            fetch=lambda index: self.locations_page(account_name, request_id, start_index=index or 0),
            following=lambda page: page.next,
            items=lambda page: page.locations,
        )

    async def cancel(self, account_name: str, request_id: str) -> TransactionId:
        """Cancel a report that is still queued.

        Raises BadRequest with the message "Unable to Cancel" if the report is in progress or completed.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Cancel_Device_Location_Report/
        """
        return await self._send(CANCEL_REPORT, path={"account_name": account_name, "request_id": request_id})


class LocationConsents(Namespace):
    """The consents of an account to locate its devices. By default, they may be located coarsely."""

    async def get(self, account_name: str, *, device_id: str | None = None) -> DeviceConsents:
        """Read the consents of an account, or of the device with an IMEI.

        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Updating_Consent/
        """
        query = {"accountName": _checked(GET_CONSENTS, "account_name", account_name)}
        if device_id is not None:
            query["deviceId"] = _checked(GET_CONSENTS, "device_id", device_id)
        return await self._send(GET_CONSENTS, query=query)

    async def create(self, request: ConsentCreateRequest) -> ConsentAccepted:
        """Consent to locate devices, or all devices of an account.

        The result arrives later on DeviceLocation.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Updating_Consent/
        """
        return await self._send(CREATE_CONSENT, request)

    async def update(self, request: ConsentUpdateRequest) -> ConsentAccepted:
        """Change the consent for all devices of an account.

        The result arrives later on DeviceLocation. The SDKs send PUT, which this call does. The page has POST for both
        `create` and `update`.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Updating_Consent/
        """
        return await self._send(UPDATE_CONSENT, request)


class LocationExclusions(Namespace):
    """Devices of an account that must not be located, up to 2,000."""

    async def add(self, request: ExcludeDevicesRequest) -> SuccessResult:
        """Exclude devices, or all devices of an account, from the location service.

        The devices are added to the list, unless `mode` is `ExclusionMode.REPLACE`.
        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Exclude_Devices/
        """
        return await self._send(ADD_EXCLUSIONS, request)

    async def remove(self, account_name: str, device_ids: Iterable[str | DeviceId | Identified]) -> SuccessResult:
        """Remove devices from the list of excluded devices.

        Each is a DeviceId, a device from an answer, or a plain identifier as listed. Raises InvalidRequest without
        devices, for more than 2,000 or than fit into a URL, about 400, and for an identifier with a comma, which
        separates them in the request.
        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/remove-devices-from-exclusion-list.html
        """
        name = REMOVE_EXCLUSIONS.name
        given = to_bare_ids(device_ids)
        if not isinstance(given, tuple) or not 1 <= len(given) <= MOST_EXCLUDED:
            raise InvalidRequest(f"{name}: device_ids must hold 1 to {MOST_EXCLUDED:,} devices")
        for place, one in enumerate(given):
            if (fault := fault_of_text(one)) is not None or "," in one:
                raise InvalidRequest(f"{name}: device_ids has an item that {fault or 'has a comma'}, at {place}")
        query = {
            "accountName": _checked(REMOVE_EXCLUSIONS, "account_name", account_name),
            "deviceList": ",".join(given),
        }
        return await self._send(REMOVE_EXCLUSIONS, query=query)

    async def list_page(self, account_name: str, *, start_index: int = 0) -> ExcludedDevices:
        """Read up to 2,000 excluded devices. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/get-excluded-devices-list.html
        """
        path = {"account_name": account_name, "start_index": str(start_index)}
        page = await self._send(LIST_EXCLUSIONS, path=path)
        following = following_index(
            LIST_EXCLUSIONS, more=page.has_more_data, index=start_index, count=len(page.device_ids)
        )
        # According to the page, the answer has the next index. The SDKs do not have this member.
        given = as_number(str(page.start_index))
        if following is not None and given is not None and given > start_index:
            following = given
        return attrs.evolve(page, next=following)

    def list(self, account_name: str) -> AsyncGenerator[str]:
        """Walk the plain identifiers of the excluded devices, and fetch one page ahead.

        If all devices of the account are excluded, the list may be empty: read `list_page` to see `all_devices`.
        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/get-excluded-devices-list.html
        """
        return self._walk(
            LIST_EXCLUSIONS,
            fetch=lambda index: self.list_page(account_name, start_index=index or 0),
            following=lambda page: page.next,
            items=lambda page: page.device_ids,
        )


class LocationCallbacks(Namespace):
    """The URLs that the platform sends locations to. Messages are signed with a secret."""

    async def register(self, account_name: str, request: RegisterLocationCallbackRequest) -> LocationCallbackRegistered:
        """Register the URL that the messages of Location or DeviceLocation are sent to.

        Store the answer's `secret`, which the platform shows only once, and pass it to `Receiver.expect_signed`.
        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/register-callback-listener.html
        """
        reply = await self._reply(REGISTER, request, path={"account_name": account_name})
        headers = {name: Secret(value) for name, value in reply.headers.items()}
        return attrs.evolve(reply.value, secret=secret_from_headers(reply, *SECRET_HEADERS), headers=headers)

    async def list(self, account_name: str) -> tuple[LocationCallback, ...]:
        """List the listeners of an account, without their secrets.

        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/list-callback-listeners.html
        """
        return await self._send(LIST_CALLBACKS, path={"account_name": account_name})

    async def deregister(self, account_name: str, service_name: str) -> SuccessResult:
        """Deregister the URL of a service. `service_name` is a LocationService or another name.

        https://thingspace.verizon.com/documentation/apis/device-location/api-reference/deregister-callback-listener.html
        """
        return await self._send(DEREGISTER, path={"account_name": account_name, "service_name": service_name})


def _checked(operation: Operation[Any, Any], name: str, value: str) -> str:
    if (fault := fault_of_text(value)) is not None:
        raise InvalidRequest(f"{operation.name}: {name} {fault}")
    return value
