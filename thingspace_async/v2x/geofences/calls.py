"""Calls for geofences."""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async.v2x.geofences.models import Geofence, GeofenceRequest, GeofenceSummary, GeofenceUpdateRequest

__all__ = ["OPERATIONS", "Geofences"]

_PATH: Final = "/api/v1/application/configurations/geofence"

CREATE: Final = Operation("v2x.geofences.create", "POST", _PATH, GeofenceRequest, Geofence, server="imp")
LIST: Final = Operation(
    "v2x.geofences.list", "GET", f"{_PATH}/ids", NoneType, tuple[GeofenceSummary, ...], server="imp", repeatable=True
)
GET: Final = Operation("v2x.geofences.get", "GET", _PATH, NoneType, Geofence, server="imp", repeatable=True)
UPDATE: Final = Operation(
    "v2x.geofences.update", "PUT", _PATH, GeofenceUpdateRequest, NoneType, server="imp", repeatable=True
)
DELETE: Final = Operation("v2x.geofences.delete", "DELETE", _PATH, NoneType, NoneType, server="imp")

OPERATIONS: Final = (CREATE, LIST, GET, UPDATE, DELETE)


def _vendor(vendor_id: str) -> dict[str, str]:
    return {"VendorID": vendor_id}


class Geofences(Namespace):
    """Areas with messages for the clients inside them."""

    async def create(self, vendor_id: str, request: GeofenceRequest) -> Geofence:
        """Create a geofence. If it is active, the platform sends its messages from now on.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(CREATE, request, headers=_vendor(vendor_id))

    async def list(self, vendor_id: str) -> tuple[GeofenceSummary, ...]:
        """List the geofences of a vendor.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(LIST, headers=_vendor(vendor_id))

    async def get(self, vendor_id: str, geofence_id: str) -> Geofence:
        """Look up a geofence with its messages.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(GET, query={"id": geofence_id}, headers=_vendor(vendor_id))

    async def update(self, vendor_id: str, geofence_id: str, request: GeofenceUpdateRequest) -> None:
        """Change a geofence.

        https://thingspace.verizon.com/documentation/
        """
        await self._send(UPDATE, request, query={"id": geofence_id}, headers=_vendor(vendor_id))

    async def delete(self, vendor_id: str, geofence_id: str) -> None:
        """Delete a geofence.

        https://thingspace.verizon.com/documentation/
        """
        await self._send(DELETE, query={"id": geofence_id}, headers=_vendor(vendor_id))
