"""V2X: vehicles, traffic lights and other clients exchange messages about traffic by MQTT.

`enrol` registers a client, or renews its certificate, and returns how to connect to MQTT.

    from thingspace_async.v2x import Place, RegisterClientRequest

    request = RegisterClientRequest(
        client_type="Vehicle",
        client_subtype="PassengerCar",
        vendor_id="vendor",
        device_id="2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11",
    )
    phoenix = Place(latitude=33.45, longitude=-112.07)
    client = await session.v2x.enrol(request, phoenix, keep=lambda registered: print("store", registered.device_id))
    print(client.urls, client.certificate.expires_at)
"""

from thingspace_async.v2x.calls import OPERATIONS, V2x
from thingspace_async.v2x.enrolling import EnrolledClient
from thingspace_async.v2x.models import (
    AreaMapQuery,
    Certificate,
    Client,
    ClientFilter,
    ClientInfo,
    ClientLookup,
    ClientQuery,
    ClientSubtype,
    ClientType,
    Connection,
    ConnectionRequest,
    Connections,
    DeviceRole,
    Intersection,
    IntersectionMapQuery,
    MapFormat,
    MapMessage,
    MapMessageText,
    MapQuery,
    MapUpload,
    MessageStandard,
    NetworkType,
    Place,
    RegisterClientRequest,
    RegisteredClient,
    RenewClientRequest,
)

__all__ = [
    "OPERATIONS",
    "AreaMapQuery",
    "Certificate",
    "Client",
    "ClientFilter",
    "ClientInfo",
    "ClientLookup",
    "ClientQuery",
    "ClientSubtype",
    "ClientType",
    "Connection",
    "ConnectionRequest",
    "Connections",
    "DeviceRole",
    "EnrolledClient",
    "Intersection",
    "IntersectionMapQuery",
    "MapFormat",
    "MapMessage",
    "MapMessageText",
    "MapQuery",
    "MapUpload",
    "MessageStandard",
    "NetworkType",
    "Place",
    "RegisterClientRequest",
    "RegisteredClient",
    "RenewClientRequest",
    "V2x",
]
