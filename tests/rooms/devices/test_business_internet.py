"""5G Business Internet: each device is activated and changed with its own address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async.callbacks import Outcomes
from thingspace_async.devices import (
    ActivateRequest,
    DeviceAtAddress,
    ServiceAddress,
    ServiceCustomer,
    ServicePlace,
    ServicePlanUpdateRequest,
)
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"
IMEI = DeviceId.imei("990013907835573")
ICCID = DeviceId.iccid("89141390780800784259")
SENT_ADDRESS = {
    "address": {
        "addressLine1": "1 Main Street",
        "city": "Irving",
        "state": "TX",
        "zip": "75039",
        "zip+4": "1234",
        "phone": "5551231234",
        "phoneType": "W",
    },
    "customerName": {"firstName": "Zaphod", "lastName": "Beeblebrox", "suffex": "Jr."},
}


def at(street: str, *identifiers: DeviceId) -> DeviceAtAddress:
    return DeviceAtAddress(
        device_ids=identifiers,
        primary_place_of_use=ServicePlace(
            address=ServiceAddress(
                address_line1=street,
                city="Irving",
                state="TX",
                zip="75039",
                zip4="1234",
                phone="5551231234",
                phone_type="W",
            ),
            customer_name=ServiceCustomer(first_name="Zaphod", last_name="Beeblebrox", suffix="Jr."),
        ),
    )


def activation(**changes: Any) -> ActivateRequest:
    return ActivateRequest(service_plan="M2M_5G_1GB", mdn_zip_code="75039", account_name=ACCOUNT, **changes)


async def test_a_device_is_activated_and_changed_with_its_address(
    thingspace_simulator: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    cloud, devices = thingspace_simulator, thingspace_session.devices
    accepted = await devices.activate(activation(devices_at_addresses=[at("1 Main Street", IMEI, ICCID)]))
    sent = cloud.requests[-1]
    assert (sent.method, sent.path) == ("POST", "/api/m2m/v1/devices/actions/activate")
    assert sent.json == {
        "servicePlan": "M2M_5G_1GB",
        "mdnZipCode": "75039",
        "accountName": ACCOUNT,
        "deviceListWithServiceAddress": [
            {
                "deviceIds": [{"id": IMEI.id, "kind": "imei"}, {"id": ICCID.id, "kind": "iccid"}],
                "primaryPlaceOfUse": SENT_ADDRESS,
            }
        ],
    }
    cloud.clock.advance(timedelta(minutes=5))
    (outcome,) = await thingspace_outcomes.all(accepted)
    outcome.raise_for_fault()
    device = await devices.get(IMEI)
    assert device.state == "active"
    assert device.extended_attribute("PrimaryPlaceOfUseAddressLine1") == "1 Main Street"
    assert device.extended_attribute("PrimaryPlaceOfUseZipCode4") == "1234"
    assert device.extended_attribute("PrimaryPlaceOfUseSuffix") == "Jr."

    moved = at("2 Main Street", IMEI)
    change = ServicePlanUpdateRequest(
        service_plan="M2M_PP", current_service_plan="M2M_5G_1GB", account_name=ACCOUNT, devices_at_addresses=[moved]
    )
    changed = await devices.change_plan(change)
    cloud.clock.advance(timedelta(minutes=5))
    (outcome,) = await thingspace_outcomes.all(changed)
    outcome.raise_for_fault()
    device = await devices.get(IMEI)
    assert device.service_plan == "M2M_PP"
    assert device.extended_attribute("PrimaryPlaceOfUseAddressLine1") == "2 Main Street"


async def test_several_devices_keep_their_own_addresses(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    first, second = [one for one in thingspace_simulator.devices if one.state == "active"][:2]
    change = ServicePlanUpdateRequest(
        service_plan="M2M_PP",
        devices_at_addresses=[
            at("1 Main Street", DeviceId.imei(str(first.imei))),
            at("2 Main Street", DeviceId.imei(str(second.imei))),
        ],
    )
    accepted = await thingspace_session.devices.change_plan(change)
    assert [one.imei for one in accepted.devices] == [first.imei, second.imei]
    thingspace_simulator.clock.advance(timedelta(minutes=5))
    streets = [
        {pair["key"]: pair.get("value") for pair in one.extended_attributes}["PrimaryPlaceOfUseAddressLine1"]
        for one in (first, second)
    ]
    assert streets == ["1 Main Street", "2 Main Street"]


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (activation, "ActivateRequest: devices must hold 1 DeviceIds or more, not 0, or give devices_at_addresses"),
        (
            lambda: activation(devices=[IMEI], devices_at_addresses=[at("1 Main Street", IMEI)]),
            "ActivateRequest: give either devices or devices_at_addresses, not both",
        ),
        (lambda: activation(devices_at_addresses=[]), "devices_at_addresses must hold 1 DeviceAtAddress or more"),
        (lambda: activation(devices_at_addresses=[IMEI]), "devices_at_addresses must hold DeviceAtAddress only"),
        (lambda: at("1 Main Street"), "DeviceAtAddress: device_ids must hold 1 DeviceId or more"),
        (lambda: at("", IMEI), "ServiceAddress: address_line1 must not be empty"),
        (
            lambda: ServicePlanUpdateRequest(
                service_plan="a", group_name="b", devices_at_addresses=[at("1 Main Street", IMEI)]
            ),
            "ServicePlanUpdateRequest: give either devices_at_addresses or group_name, not both",
        ),
    ],
)
def test_a_wrong_list_is_refused_before_it_is_sent(make: Callable[[], object], fault: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=fault):
        make()
