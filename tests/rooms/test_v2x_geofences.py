"""Geofences of V2X: an area has one feature, a message one content, and GeoJSON the longitude first."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from thingspace_async import Session, errors
from thingspace_async.simulator import Simulator
from thingspace_async.v2x.geofences import (
    Area,
    Cause,
    ContentItem,
    GenericMessage,
    GeofenceMessage,
    GeofenceRequest,
    GeofenceUpdateRequest,
    SaeAlert,
)

VENDOR = "vendor"
ROAD = Area.of("LineString", [[-112.07, 33.45], [-112.06, 33.45]])
NOTICE = GenericMessage(message_type="notice", message_format="json", payload='{"text": "it\'s closed"}')
MESSAGE = GeofenceMessage(
    is_private=True, road_user_types=["Vehicle"], trigger_conditions=["enter", "leave"], generic=NOTICE
)


def asking(area: Area = ROAD) -> GeofenceRequest:
    return GeofenceRequest(name="road works", area=area, messages=[MESSAGE], is_active=True)


async def test_a_geofence_is_created_changed_and_deleted(thingspace_session: Session) -> None:
    geofences = thingspace_session.v2x.geofences
    made = await geofences.create(VENDOR, asking())
    assert (made.vendor_id, made.area, made.messages) == (VENDOR, ROAD, (MESSAGE,))
    await geofences.update(VENDOR, made.id, GeofenceUpdateRequest(is_active=False))
    assert await geofences.get(VENDOR, made.id) == attrs.evolve(made, is_active=False)
    assert [(one.id, one.name, one.is_active) for one in await geofences.list(VENDOR)] == [
        (made.id, "road works", False)
    ]
    assert await geofences.list("another") == ()
    with pytest.raises(errors.NotFound):
        await geofences.get("another", made.id)
    await geofences.delete(VENDOR, made.id)
    with pytest.raises(errors.NotFound):
        await geofences.delete(VENDOR, made.id)


@pytest.mark.parametrize(
    ("kind", "coordinates", "reason"),
    [
        ("LineString", [[33.45, -112.07], [33.45, -112.06]], "latitude first"),
        ("Polygon", [[[33.45, -112.07]]], "latitude first"),
        ("Polygon", [1.0, 2.0], "not nested as its type needs"),
        ("MultiPolygon", [[[[-112.07, 91]]]], "not on earth"),
        ("Circle", [[0, 0]], "type must be one of LineString"),
    ],
)
def test_an_area_that_is_wrong_geojson_is_refused(kind: str, coordinates: Any, reason: str) -> None:
    area = Area.of(kind, coordinates)
    with pytest.raises(errors.InvalidRequest, match=f"GeofenceRequest: area: .*{reason}"):
        asking(area)
    with pytest.raises(errors.InvalidRequest, match=f"GeofenceUpdateRequest: area: .*{reason}"):
        GeofenceUpdateRequest(area=area)


def test_an_area_has_one_feature() -> None:
    two = Area(type="FeatureCollection", features=ROAD.features * 2)
    with pytest.raises(errors.InvalidRequest, match="a geofence has one feature, not 2"):
        asking(two)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ContentItem, {}),
        (ContentItem, {"itis": 1, "text": "x"}),
        (Cause, {"accident": 1, "roadworks": 1}),
        (GeofenceMessage, {"is_private": True, "road_user_types": ["Vehicle"], "trigger_conditions": ["enter"]}),
        (
            GeofenceMessage,
            {
                "is_private": True,
                "road_user_types": ["Vehicle"],
                "trigger_conditions": ["enter"],
                "generic": NOTICE,
                "sae_alert": SaeAlert(type_event=1),
            },
        ),
        (GeofenceUpdateRequest, {}),
    ],
)
def test_exactly_one_content_is_given(kind: Any, values: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest, match="give "):
        kind(**values)


@pytest.mark.parametrize(
    "change",
    [
        {"geoFence": {"type": "FeatureCollection", "features": []}},
        {"messages": [{"generic": {}, "saeAlert": {}}]},
        {"messages": [{}]},
        {"isActive": "yes"},
    ],
)
async def test_the_platform_refuses_what_the_models_cannot_send(
    thingspace_simulator: Simulator, thingspace_session: Session, change: dict[str, Any]
) -> None:
    made = await thingspace_session.v2x.geofences.create(VENDOR, asking())
    path = "/api/v1/application/configurations/geofence"
    with pytest.raises(errors.BadRequest):
        await thingspace_session.request(
            "PUT", path, json=change, query={"id": made.id}, headers={"VendorID": VENDOR}, server="imp"
        )
    assert (await thingspace_session.v2x.geofences.get(VENDOR, made.id)).messages == (MESSAGE,)
    assert thingspace_simulator.requests[-2].status == 400
