"""Simulated 5G Business Internet: the forms of the page and of the SDKs, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api import Api

ACTIVATE, PLAN = "/api/m2m/v1/devices/actions/activate", "/api/m2m/v1/devices/actions/plan"
NEW = [{"id": "990013907835573", "kind": "imei"}, {"id": "89141390780800784259", "kind": "iccid"}]
PLACE = {
    "address": {"addressLine1": "1 Main Street", "city": "Irving", "state": "TX", "zip": "75039"},
    "customerName": {"firstName": "Zaphod", "lastName": "Beeblebrox"},
}
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
INCOMPLETE = "UnifiedWebService.DeserializationFailed"


def body(listed: list[Any], **changes: Any) -> dict[str, Any]:
    plan = {"servicePlan": "M2M_5G_1GB", "mdnZipCode": "75039"}
    return {**plan, "deviceListWithServiceAddress": listed, **changes}


@pytest.mark.parametrize(
    "listed",
    [
        [{"deviceIds": NEW, "primaryPlaceOfUse": PLACE}],
        [{"deviceId": NEW, "primaryPlaceofuse": PLACE}],
        [{"deviceId": NEW}, {"primaryPlaceofuse": PLACE}],
        [{"deviceId": NEW}, {"primaryPlaceofuse": {"primaryPlaceofuse": PLACE}}],
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", ACTIVATE), ("PUT", PLAN)])
async def test_the_forms_of_all_sources_are_taken(api: Api, method: str, path: str, listed: list[Any]) -> None:
    if path == PLAN:
        await api.send("POST", ACTIVATE, json=body([{"deviceIds": NEW, "primaryPlaceOfUse": PLACE}]))
        api.cloud.clock.advance(61)
    assert (await api.send(method, path, json=body(listed))).status == 200
    api.cloud.clock.advance(61)
    device = api.cloud.devices[-1]
    assert device.state == "active"
    written = {pair["key"]: pair.get("value") for pair in device.extended_attributes}
    assert written["PrimaryPlaceOfUseAddressLine1"] == "1 Main Street"
    assert written["PrimaryPlaceOfUseSuffix"] is None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (body([]), UNEXPECTED),
        (body([7]), UNEXPECTED),
        (body([{"primaryPlaceOfUse": PLACE}]), INCOMPLETE),
        (body([{"deviceIds": NEW}]), INCOMPLETE),
        (body([{"deviceIds": NEW, "primaryPlaceOfUse": {**PLACE, "address": {"city": "Irving"}}}]), INCOMPLETE),
        (
            body([{"deviceIds": NEW, "primaryPlaceOfUse": PLACE}], devices=[{"deviceIds": NEW}]),
            UNEXPECTED,
        ),
    ],
)
async def test_a_wrong_list_is_refused(api: Api, wrong: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", ACTIVATE, json=wrong)).refusal == (400, code)
    assert len(api.cloud.devices) == 10
