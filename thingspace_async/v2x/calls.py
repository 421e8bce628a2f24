"""Calls for V2X: the clients of Edge Transportation Exchange, their connections, roles and map messages."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from types import NoneType
from typing import Any, Final
from uuid import UUID

from thingspace_async._core import checks
from thingspace_async._core.keeping import Keep, check_keep
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation, Text, check_request
from thingspace_async._core.types import as_tuple
from thingspace_async.errors import AnswerUnreadable, InvalidRequest
from thingspace_async.v2x.enrolling import EnrolledClient, enrolled
from thingspace_async.v2x.geofences.calls import OPERATIONS as GEOFENCES
from thingspace_async.v2x.geofences.calls import Geofences
from thingspace_async.v2x.models import (
    Client,
    ClientInfo,
    ClientLookup,
    ClientQuery,
    Connection,
    ConnectionRequest,
    Connections,
    DeviceRole,
    MapQuery,
    MapUpload,
    MessageStandard,
    NetworkType,
    Place,
    RegisterClientRequest,
    RegisteredClient,
    RenewClientRequest,
    check_polygon,
    is_device_id,
    to_device_id,
)

__all__ = ["OPERATIONS", "V2x"]

_REGISTRATION: Final = "/api/v2/clients/registration"
_MAP: Final = "/api/v2/mapdata"

REGISTER: Final = Operation(
    "v2x.clients.register",
    "POST",
    _REGISTRATION,
    RegisterClientRequest,
    RegisteredClient,
    server="imp",
    empty=RegisteredClient(),
)
GET: Final = Operation("v2x.clients.get", "GET", _REGISTRATION, NoneType, Client, server="imp", repeatable=True)
# Repeatable: a second renewal answers the certificate of the first.
RENEW: Final = Operation(
    "v2x.clients.renew",
    "PUT",
    _REGISTRATION,
    RenewClientRequest,
    RegisteredClient,
    server="imp",
    empty=RegisteredClient(),
    repeatable=True,
)
UNREGISTER: Final = Operation("v2x.clients.unregister", "DELETE", _REGISTRATION, NoneType, NoneType, server="imp")
LIST: Final = Operation(
    "v2x.clients.list",
    "POST",
    "/api/v1/clients/query",
    ClientQuery,
    tuple[ClientInfo, ...],
    server="imp",
    repeatable=True,
)
CONNECTION: Final = Operation(
    "v2x.connection", "POST", "/api/v2/clients/connection", ConnectionRequest, Connection, server="imp", repeatable=True
)
CONNECTIONS: Final = Operation(
    "v2x.connections",
    "POST",
    "/api/v3/clients/connection",
    ConnectionRequest,
    Connections,
    server="imp",
    repeatable=True,
)
ROLES: Final = Operation(
    "v2x.roles",
    "GET",
    "/api/v1/device-roles/vendor",
    NoneType,
    tuple[DeviceRole, ...],
    server="imp",
    repeatable=True,
)
UPLOAD_MAP: Final = Operation("v2x.map_messages.upload", "POST", _MAP, MapUpload, Text, server="imp")
LIST_MAPS: Final = Operation(
    "v2x.map_messages.list", "POST", f"{_MAP}/query", MapQuery, tuple[Any, ...], server="imp", repeatable=True
)
DOWNLOAD_MAPS: Final = Operation(
    "v2x.map_messages.download", "GET", _MAP, NoneType, Text, server="imp", repeatable=True
)
DELETE_MAP: Final = Operation(
    "v2x.map_messages.delete",
    "DELETE",
    f"{_MAP}/regionid/{{region_id}}/i10nid/{{intersection_id}}",
    NoneType,
    NoneType,
    server="imp",
)

OPERATIONS: Final = (
    REGISTER,
    GET,
    RENEW,
    UNREGISTER,
    LIST,
    CONNECTION,
    CONNECTIONS,
    ROLES,
    UPLOAD_MAP,
    LIST_MAPS,
    DOWNLOAD_MAPS,
    DELETE_MAP,
    *GEOFENCES,
)

_PENDING_FOR: Final = timedelta(minutes=2)


def _vendor(vendor_id: str) -> dict[str, str]:
    return {"VendorID": vendor_id}


def _device_id(call: str, given: UUID | str) -> str:
    found = to_device_id(given)
    if not is_device_id(found):
        raise InvalidRequest(f"{call}: the id of a client must be a UUID")
    return str(found)


async def _or_pending(answer: Coroutine[Any, Any, RegisteredClient]) -> RegisteredClient:
    """Read any answer with the status 202 as a pending registration: its form is not documented."""
    try:
        return await answer
    except AnswerUnreadable as error:
        if error.status != HTTPStatus.ACCEPTED:
            raise
    return RegisteredClient()


class V2x(Namespace):
    """V2X (Edge Transportation Exchange): clients that exchange messages about traffic by MQTT."""

    @cached_property
    def clients(self) -> V2xClients:
        """Registered clients and their certificates."""
        return V2xClients(self._caller)

    @cached_property
    def geofences(self) -> Geofences:
        """Areas with messages for the clients inside them."""
        return Geofences(self._caller)

    @cached_property
    def map_messages(self) -> MapMessages:
        """Maps of intersections."""
        return MapMessages(self._caller)

    async def enrol(
        self,
        request: RegisterClientRequest,
        place: Place,
        *,
        keep: Keep[RegisteredClient],
        network_type: NetworkType | str = NetworkType.VERIZON,
        pending_for: timedelta = _PENDING_FOR,
    ) -> EnrolledClient:
        """Register a client or renew its certificate, and return the settings of its MQTT connection.

        `keep` receives the certificate and its private key before anything else happens, and must store them durably
        within two minutes. If it fails, SecretNotKept is raised, and has both. The registration continues if its
        caller is cancelled or the session is closed.

        A client is recognized by an identifier of the request: `device_id`, `imei`, `iccid` or `imsi`. Without one,
        each call registers another client. Raises RequestPending if the registration is not complete after
        `pending_for`: call it again later. Raises ClientNotReady, after `keep`, if no temporary file could be written.
        https://thingspace.verizon.com/documentation/
        """
        name = "v2x.enrol"
        check_request(REGISTER, request)
        if not isinstance(place, Place):
            raise InvalidRequest(f"{name}: place must be a Place, not {type(place).__name__}")
        check_keep(name, keep)
        seconds = checks.seconds(name, "pending_for", pending_for)
        network = NetworkType(network_type)
        work = enrolled(self.clients, request, keep, seconds)
        device_id, certificate = await self._caller.engine.finish(name, work)
        where = ConnectionRequest(device_id=device_id, place=place, network_type=network)
        found = await self.connections(request.vendor_id, where)
        return await EnrolledClient.of(device_id, certificate, found.urls)

    async def connection(self, vendor_id: str, request: ConnectionRequest) -> Connection:
        """Look up the MQTT server for a place.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(CONNECTION, request, headers=_vendor(vendor_id))

    async def connections(self, vendor_id: str, request: ConnectionRequest) -> Connections:
        """Look up all MQTT servers that serve a place.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(CONNECTIONS, request, headers=_vendor(vendor_id))

    async def roles(self, vendor_id: str) -> tuple[DeviceRole, ...]:
        """List the roles of clients, with their MQTT topics.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(ROLES, query={"VendorID": vendor_id})


class V2xClients(Namespace):
    """Clients and their certificates. `session.v2x.enrol` does all that a new client needs."""

    async def register(self, request: RegisterClientRequest) -> RegisteredClient:
        """Register a client, and get its certificate and private key.

        If the registration is pending, the answer has no certificate: `renew` finishes it. If the client is registered
        already, the platform refuses the request.
        https://thingspace.verizon.com/documentation/
        """
        return await _or_pending(self._send(REGISTER, request))

    async def get(self, vendor_id: str, lookup: ClientLookup) -> Client:
        """Look up a client with its certificate and private key. Raises NotFound for an unknown client.

        https://thingspace.verizon.com/documentation/
        """
        if not isinstance(lookup, ClientLookup):
            raise InvalidRequest(f"{GET.name}: lookup must be a ClientLookup, not {type(lookup).__name__}")
        return await self._send(GET, query={"ID": lookup.query}, headers=_vendor(vendor_id))

    async def renew(self, vendor_id: str, device_id: UUID | str) -> RegisteredClient:
        """Renew the certificate of a client, or finish its registration.

        In the last 30 days of the certificate, the platform makes a new one. Otherwise it returns the present one.
        https://thingspace.verizon.com/documentation/
        """
        headers = {"DeviceID": _device_id(RENEW.name, device_id), **_vendor(vendor_id)}
        return await _or_pending(self._send(RENEW, RenewClientRequest(), headers=headers))

    async def unregister(self, vendor_id: str, device_ids: Iterable[UUID | str]) -> None:
        """Remove clients. Their certificates become invalid.

        https://thingspace.verizon.com/documentation/
        """
        listed = as_tuple(device_ids)
        if not isinstance(listed, tuple) or not listed:
            raise InvalidRequest(f"{UNREGISTER.name}: device_ids must be a list of UUIDs")
        ids = [_device_id(UNREGISTER.name, one) for one in listed]
        await self._send(UNREGISTER, query={"DeviceIDs": ids}, headers=_vendor(vendor_id))

    async def list_page(self, request: ClientQuery) -> tuple[ClientInfo, ...]:
        """List clients of a vendor, one page.

        The documents do not say where the next page is named. It is requested by `ClientFilter(page=...)`.
        https://thingspace.verizon.com/documentation/
        """
        return await self._send(LIST, request)


class MapMessages(Namespace):
    """Maps of intersections (MAP messages)."""

    async def upload(
        self, vendor_id: str, request: MapUpload, *, standard: MessageStandard | str = MessageStandard.SAE
    ) -> str:
        """Upload a map message: a MapMessage as JSON, or a MapMessageText. Return the platform's text.

        https://thingspace.verizon.com/documentation/
        """
        name: str = getattr(standard, "value", standard)
        return await self._send(UPLOAD_MAP, request, headers={"MessageStandard": name, **_vendor(vendor_id)})

    async def list_page(self, vendor_id: str, request: MapQuery) -> tuple[Any, ...]:
        """List map messages by intersections or by an area, one page: an IntersectionMapQuery, or an AreaMapQuery.

        Each message is a string or an object, as `expected_type` says. The documents do not say where the token of the
        next page is. It is requested by `page_token`.
        https://thingspace.verizon.com/documentation/
        """
        return await self._send(LIST_MAPS, request, headers=_vendor(vendor_id))

    async def download(self, vendor_id: str, polygon: Mapping[str, Any]) -> tuple[str, ...]:
        """Download the map messages in a GeoJSON polygon, each as a string. Positions have the longitude first.

        The platform has deprecated it: use `list_page` with an AreaMapQuery.
        https://thingspace.verizon.com/documentation/
        """
        area = check_polygon(f"{DOWNLOAD_MAPS.name}: polygon", polygon)
        text = await self._send(DOWNLOAD_MAPS, query={"Geofence": area}, headers=_vendor(vendor_id))
        return tuple(line for line in text.splitlines() if line.strip())

    async def delete(self, *, region_id: int, intersection_id: int) -> None:
        """Delete the map message of an intersection.

        https://thingspace.verizon.com/documentation/
        """
        numbers = {"region_id": region_id, "intersection_id": intersection_id}
        for name, number in numbers.items():
            if not isinstance(number, int) or isinstance(number, bool):
                raise InvalidRequest(f"{DELETE_MAP.name}: {name} must be an int, not {type(number).__name__}")
        await self._send(DELETE_MAP, path={name: str(number) for name, number in numbers.items()})
