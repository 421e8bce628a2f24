"""Handlers for V2X (PROTOCOL.md 5). All clients have the same certificate, with dates of their own."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs
import orjson

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.mechanisms.certificates import AUTHORITY, CERTIFICATE, PRIVATE_KEY
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import objects_of
from thingspace_async.simulator.wire import Answer, At, Call, Handler, Refusal, optional, refuse, required
from thingspace_async.v2x.calls import (
    CONNECTION,
    CONNECTIONS,
    DELETE_MAP,
    DOWNLOAD_MAPS,
    GET,
    LIST,
    LIST_MAPS,
    REGISTER,
    RENEW,
    ROLES,
    UNREGISTER,
    UPLOAD_MAP,
)
from thingspace_async.v2x.geofences import calls as geofences

__all__ = ["HANDLERS", "V2x"]

_UUID: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_IDENTIFIERS: Final = ("DeviceID", "IMEI", "ICCID", "IMSI")
_LIFE: Final = timedelta(days=365)
_RENEWABLE: Final = timedelta(days=30)
_PAGE: Final = 200
_MECS: Final = {"west": -105.0, "central": -90.0, "east": 180.0}
"""The servers of the message exchange, and the longitude where the region of each ends."""
_TEXT: Final = {"Content-Type": "text/plain;charset=UTF-8"}


@attrs.define(kw_only=True)
class Client:
    """A registered client."""

    ids: dict[str, str]
    """Its DeviceID, and its other identifiers."""
    vendor: str
    type: str
    subtype: str
    ready: datetime
    """When its registration is complete."""
    ends: datetime
    """The end of its certificate."""


@attrs.define(kw_only=True)
class Map:
    """A map message."""

    vendor: str
    text: str | None = None
    message: dict[str, Any] | None = None
    position: tuple[float, float] | None = None
    """Longitude and latitude; None if the message is a string, which the simulator cannot decode."""


class V2x:
    """The clients, the map messages and the geofences."""

    def __init__(self, _: Platform) -> None:
        self.clients: dict[str, Client] = {}
        """The clients by DeviceID."""
        self.maps: dict[tuple[int, int], Map] = {}
        """The map messages by region and intersection."""
        self.geofences: dict[str, dict[str, Any]] = {}
        """The geofences by id."""


def _invalid(description: str, *, status: int = 400, reason: str = "", at: At | None = None) -> Refusal:
    error = {403: "Forbidden", 404: "Not Found"}.get(status, "Bad Request")
    return refuse(error, description, status, reason=reason, at=at)


def _given_header(call: Call, name: str) -> str | None:
    """Return a header, by its name in the newest SDK or in the one before."""
    headers = call.received.headers
    return headers.get(name) or headers.get(f"etx{name}")


def _header(call: Call, name: str) -> str:
    if not (value := _given_header(call, name)):
        raise _invalid(f"Missing header {name}")
    return value


def _own_client(call: Call, device_id: str, vendor: str) -> Client:
    client = call.platform.room(V2x).clients.get(device_id.lower())
    if client is None or client.vendor != vendor:
        raise _invalid("Device not found", status=404, reason=f"the vendor has no client {device_id}")
    return client


# Clients


def register(call: Call) -> Answer:
    """Register a client. While the registration is pending, the answer has no certificate."""
    wanted, room, now = call.document(), call.platform.room(V2x), call.platform.clock.now()
    ids = {name: value for name in _IDENTIFIERS if (value := optional(wanted, name, str)) is not None}
    vendor = required(wanted, "VendorID", str)
    kind, subtype = required(wanted, "ClientType", str), required(wanted, "ClientSubtype", str)
    if "DeviceID" in ids and re.fullmatch(_UUID, ids["DeviceID"]) is None:
        raise _invalid("Invalid DeviceID", reason="must be a UUID", at=(wanted, "DeviceID"))
    if any(_has(one, ids) for one in room.clients.values()):
        raise _invalid("device already registered", reason="is registered: renew it", at=(wanted, "DeviceID"))
    ids.setdefault("DeviceID", call.platform.new_id())
    ready = now + call.platform.assumptions.v2x_registration_takes
    client = Client(ids=ids, vendor=vendor, type=kind, subtype=subtype, ready=ready, ends=now + _LIFE)
    room.clients[ids["DeviceID"].lower()] = client
    return _registered(client, now)


def _has(client: Client, ids: Mapping[str, str]) -> bool:
    return any(client.ids.get(name, "").lower() == value.lower() for name, value in ids.items())


def _registered(client: Client, now: datetime) -> Answer:
    if now < client.ready:
        pending = {"error": "Accepted", "description": "client registration is pending"}
        return Answer(202, {"DeviceID": client.ids["DeviceID"], **pending})
    return Answer(200, {"DeviceID": client.ids["DeviceID"], "Certificate": _certificate(client)})


def _certificate(client: Client) -> dict[str, str]:
    return {
        "cert.pem": CERTIFICATE,
        "key.pem": PRIVATE_KEY,
        "ca.pem": AUTHORITY,
        "ExpirationTime": stamp(client.ends),
    }


def _identifier(call: Call, name: str) -> str | None:
    query = call.received.query
    return query.get(name) or query.get(f"ID[{name}]") or query.get(f"etxID[{name}]")


def show(call: Call) -> Answer:
    """Show a client with its certificate. The SDKs write the names of the query in brackets; one has no vendor."""
    given = {name: value for name in _IDENTIFIERS if (value := _identifier(call, name))}
    if len(given) != 1:
        raise _invalid("Invalid ID", reason=f"must have one of {', '.join(_IDENTIFIERS)}")
    vendor, clients = _given_header(call, "VendorID"), call.platform.room(V2x).clients.values()
    found = [one for one in clients if vendor in (None, one.vendor) and _has(one, given)]
    if not found or call.platform.clock.now() < found[0].ready:
        raise _invalid("Device not found", status=404, reason="the vendor has no such client")
    client = found[0]
    body = {
        "DeviceID": client.ids["DeviceID"],
        "Certificate": _certificate(client),
        "ClientType": client.type,
        "ClientSubtype": client.subtype,
        "VendorID": client.vendor,
    }
    return Answer(200, body)


def renew(call: Call) -> Answer:
    """Renew a certificate in its last 30 days. Otherwise, show the present one."""
    client = _own_client(call, _header(call, "DeviceID"), _header(call, "VendorID"))
    now = call.platform.clock.now()
    if client.ends - now <= _RENEWABLE:
        client.ends = now + _LIFE
    return _registered(client, now)


def unregister(call: Call) -> Answer:
    """Remove clients. The SDKs write the name of the query with an index."""
    vendor, clients = _header(call, "VendorID"), call.platform.room(V2x).clients
    values = [value for name, value in call.received.query.items() if name.partition("[")[0] == "DeviceIDs"]
    ids = [one for value in values for one in value.split(",")]
    if not ids:
        raise _invalid("Missing DeviceIDs")
    for one in ids:
        _own_client(call, one, vendor)
    for one in ids:
        del clients[one.lower()]
    return Answer(200)


def list_clients(call: Call) -> Answer:
    """List the clients of a vendor. `Page` is the number of clients before the page."""
    wanted = call.document()
    vendor, chosen = required(wanted, "VendorId", str), optional(wanted, "Filter", dict) or {}
    kind, subtype = optional(chosen, "ClientType", str), optional(chosen, "ClientSubtype", str)
    found = [
        {"DeviceID": one.ids["DeviceID"], "ClientType": one.type, "ClientSubtype": one.subtype, "MecIds": []}
        for one in call.platform.room(V2x).clients.values()
        if one.vendor == vendor and kind in (None, one.type) and subtype in (None, one.subtype)
    ]
    return Answer(200, _page(found, chosen, "Page", "PageSize"))


def _page(found: list[Any], document: Mapping[str, Any], token: str, size: str) -> list[Any]:
    start, most = optional(document, token, str) or "0", optional(document, size, int) or _PAGE
    if not (start.isascii() and start.isdigit() and len(start) <= 9):
        raise _invalid("Invalid page", reason="must be a number", at=(document, token))
    return found[int(start) : int(start) + most]


def connect(call: Call) -> Answer:
    """Name the nearest server."""
    mec = _servers(call)[0]
    return Answer(200, {"MqttURL": f"mqtts://{mec}:8883", "Host": mec, "Port": 8883})


def connect_all(call: Call) -> Answer:
    """Name all servers, the nearest first."""
    mecs = _servers(call)
    body = {"MqttURLs": [f"mqtts://{mec}:8883" for mec in mecs], "Hosts": mecs, "Ports": [8883] * len(mecs)}
    return Answer(200, body)


def _servers(call: Call) -> list[str]:
    wanted, vendor = call.document(), _header(call, "VendorID")
    client = _own_client(call, required(wanted, "DeviceID", str), vendor)
    if call.platform.clock.now() >= client.ends:
        raise _invalid("certificate has expired", status=403, reason="the certificate has ended: renew it")
    place = required(wanted, "Geolocation", dict)
    longitude, latitude = place.get("Longitude"), place.get("Latitude")
    if not (_is_number(longitude, 180) and _is_number(latitude, 90)) or longitude is None:
        raise _invalid("Invalid Geolocation", reason="must be degrees", at=(wanted, "Geolocation"))
    if (network := required(wanted, "NetworkType", str)) not in ("VZ", "non-VZ"):
        raise _invalid("Invalid NetworkType", reason="must be VZ or non-VZ", at=(wanted, "NetworkType"))
    nearest = next(name for name, end in _MECS.items() if longitude <= end)
    names = [nearest, *(name for name in _MECS if name != nearest)]
    zone = "vz" if network == "VZ" else "internet"
    return [f"{name}.{zone}.etx.example.com" for name in names]


def _is_number(value: object, most: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most


def list_roles(call: Call) -> Answer:
    """List the roles of the clients of a vendor."""
    if not (vendor := call.received.query.get("VendorID")):
        return Answer(400, "VendorID is missing", headers=_TEXT, reason="the query VendorID is missing")
    roles = [
        {
            "name": name,
            "subscribeLimit": 50,
            "publishRateLimit": 15,
            "publish": [f"VZCV2X/3/IN/{name}/{vendor}/+/+/UPER/+"],
            "subscribe": ["VZCV2X/3/OUT/#"],
        }
        for name in ("VEH", "VRU")
    ]
    return Answer(200, roles)


# Map messages


def upload_map(call: Call) -> Answer:
    """Store a map message: JSON with intersections, or a string, which gets a number of its own."""
    vendor, maps = _header(call, "VendorID"), call.platform.room(V2x).maps
    kind = call.received.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind == "text/plain":
        maps[0, 1 + max((number for _, number in maps), default=0)] = Map(
            vendor=vendor, text=call.received.body.decode(errors="replace")
        )
        return Answer(200, "Map message ingested", headers=_TEXT)
    document = call.document()
    required(document, "messageId", int)
    value = document.get("value")
    intersections = objects_of(value, "intersections") if isinstance(value, dict) else []
    if not intersections:
        raise _invalid("Invalid map message", reason="must have intersections", at=(document, "value"))
    for one in intersections:
        name = required(one, "id", dict)
        place = optional(one, "refPoint", dict) or {}
        position = (place["long"] / 1e7, place["lat"] / 1e7) if {"long", "lat"} <= set(place) else None
        key = optional(name, "region", int) or 0, required(name, "id", int)
        maps[key] = Map(vendor=vendor, message=document, position=position)
    return Answer(200, "Map message ingested", headers=_TEXT)


def list_maps(call: Call) -> Answer:
    """List map messages by intersections or by an area. `pageToken` is the number of messages before the page."""
    wanted, vendor = call.document(), _header(call, "VendorID")
    maps = call.platform.room(V2x).maps
    if (area := optional(wanted, "geoJson", dict)) is not None:
        found = [one for one in maps.values() if _is_in(one, _ring(area, (wanted, "geoJson")))]
    else:
        pairs = objects_of(wanted, "regionIntersectionPairs")
        if not pairs:
            raise _invalid("Invalid query", reason="is missing", at=(wanted, "regionIntersectionPairs"))
        keys = [(optional(one, "regionId", int) or 0, required(one, "intersectionId", int)) for one in pairs]
        found = [maps[key] for key in keys if key in maps]
    as_json = optional(wanted, "expectedType", str) == "JSON"
    shown = [_shown(one, as_json=as_json) for one in found if one.vendor == vendor]
    return Answer(200, _page(shown, wanted, "pageToken", "pageSize"))


def _shown(stored: Map, *, as_json: bool) -> Any:
    """Show a map message. The simulator cannot encode UPER: its Base64 is of the JSON."""
    if stored.message is None:
        return stored.text
    return stored.message if as_json else base64.b64encode(orjson.dumps(stored.message)).decode()


def download_maps(call: Call) -> Answer:
    """Show the map messages in an area, one on each line."""
    vendor = _header(call, "VendorID")
    ring = _ring(_area(call.received.query), (call.received.query, "Geofence"))
    found = [one for one in call.platform.room(V2x).maps.values() if one.vendor == vendor and _is_in(one, ring)]
    return Answer(200, "\n".join(str(_shown(one, as_json=False)) for one in found), headers=_TEXT)


def _area(query: Mapping[str, str]) -> object:
    """Read the area of a query: JSON, or the members in brackets, as the SDKs write them."""
    if text := query.get("Geofence"):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
    points: dict[int, list[float]] = {}
    for name, value in query.items():
        if (found := re.fullmatch(r"Geofence\[coordinates\]\[0\]\[([0-9]+)\]\[[01]\]", name)) is not None:
            points.setdefault(int(found[1]), []).append(_number(value))
    return {"type": query.get("Geofence[type]"), "coordinates": [list(points.values())]}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def delete_map(call: Call) -> Answer:
    """Delete the map message of an intersection."""
    region, number = call.path["region_id"], call.path["intersection_id"]
    maps = call.platform.room(V2x).maps
    key = (int(region), int(number)) if region.isdecimal() and number.isdecimal() else None
    if key is None or key not in maps:
        raise _invalid("Map message not found", status=404, reason="no such intersection")
    del maps[key]
    return Answer(200)


def _ring(area: object, at: At) -> list[tuple[float, float]]:
    """Read the outer ring of a GeoJSON polygon: pairs of a longitude and a latitude."""
    rings = area.get("coordinates") if isinstance(area, dict) and area.get("type") == "Polygon" else None
    ring = rings[0] if isinstance(rings, list) and rings and isinstance(rings[0], list) else []
    if len(ring) < 4 or not all(isinstance(one, list) and len(one) >= 2 for one in ring):
        raise _invalid("Invalid GeoJSON", reason="must be a polygon", at=at)
    if not all(_is_number(one[0], 180) and _is_number(one[1], 90) for one in ring):
        raise _invalid("Invalid GeoJSON", reason="must have the longitude first, then the latitude", at=at)
    return [(one[0], one[1]) for one in ring]


def _is_in(stored: Map, ring: list[tuple[float, float]]) -> bool:
    """Return whether a map message may be in an area: by the box around it."""
    if stored.position is None:
        return True
    axes = zip(stored.position, zip(*ring, strict=True), strict=True)
    return all(min(values) <= value <= max(values) for value, values in axes)


# Geofences

_CONTENTS: Final = ("generic", "saeAlert", "saeInfo", "etsiAlert")
_CHANGEABLE: Final = ("name", "description", "geoFence", "messageStandard", "messages", "isActive")


def _check_geofence(document: dict[str, Any]) -> dict[str, Any]:
    """Check the given members of a geofence, and return them."""
    if (area := optional(document, "geoFence", dict)) is not None and len(objects_of(area, "features")) != 1:
        raise _invalid("Invalid geofence", reason="must have one feature", at=(document, "geoFence"))
    for message in objects_of(document, "messages"):
        if sum(name in message for name in _CONTENTS) != 1:
            raise _invalid(
                "Invalid message", reason=f"must have one of {', '.join(_CONTENTS)}", at=(document, "messages")
            )
    optional(document, "isActive", bool)
    return {name: document[name] for name in _CHANGEABLE if name in document}


def _own_geofence(call: Call) -> dict[str, Any]:
    vendor, name = _header(call, "VendorID"), call.received.query.get("id", "")
    found = call.platform.room(V2x).geofences.get(name)
    if found is None or found["vendorId"] != vendor:
        raise _invalid("Configuration not found", status=404, reason=f"the vendor has no geofence {name!r}")
    return found


def create_geofence(call: Call) -> Answer:
    """Create a geofence."""
    document, vendor = call.document(), _header(call, "VendorID")
    for name, kind in (("geoFence", dict), ("messages", list), ("isActive", bool)):
        required(document, name, kind)
    values = _check_geofence(document)
    made = {"messageStandard": "sae", **values, "id": call.platform.new_id(), "vendorId": vendor}
    call.platform.room(V2x).geofences[made["id"]] = made
    return Answer(200, made)


def list_geofences(call: Call) -> Answer:
    """List the geofences of a vendor, without their messages."""
    vendor = _header(call, "VendorID")
    found = [one for one in call.platform.room(V2x).geofences.values() if one["vendorId"] == vendor]
    shown = ("id", "name", "description", "isActive")
    return Answer(200, [{name: one[name] for name in shown if name in one} for one in found])


def show_geofence(call: Call) -> Answer:
    """Show a geofence."""
    return Answer(200, _own_geofence(call))


def update_geofence(call: Call) -> Answer:
    """Change members of a geofence."""
    _own_geofence(call).update(_check_geofence(call.document()))
    return Answer(200)


def delete_geofence(call: Call) -> Answer:
    """Delete a geofence."""
    del call.platform.room(V2x).geofences[_own_geofence(call)["id"]]
    return Answer(200)


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    REGISTER: register,
    GET: show,
    RENEW: renew,
    UNREGISTER: unregister,
    LIST: list_clients,
    CONNECTION: connect,
    CONNECTIONS: connect_all,
    ROLES: list_roles,
    UPLOAD_MAP: upload_map,
    LIST_MAPS: list_maps,
    DOWNLOAD_MAPS: download_maps,
    DELETE_MAP: delete_map,
    geofences.CREATE: create_geofence,
    geofences.LIST: list_geofences,
    geofences.GET: show_geofence,
    geofences.UPDATE: update_geofence,
    geofences.DELETE: delete_geofence,
}
