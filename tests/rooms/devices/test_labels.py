"""Labels are added and removed in the platform's form, never more than it accepts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async.devices import AccountLabels, AssociateLabelRequest, DeviceLabel
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/devices/actions/usagesegmentationlabels"
VIN, OWNER = DeviceLabel(name="VIN", value="XXUZL54B5YN105457"), DeviceLabel(name="owner", value="Zoë & Söhne")
MANY = tuple(DeviceLabel(name="VIN", value=str(number)) for number in range(51))
SIM = DeviceId.iccid("89141390780800784259")

LATER = timedelta(seconds=61)


def wired(label: DeviceLabel) -> dict[str, str]:
    return {"name": label.name, "value": label.value}


def request(*devices: DeviceId, label: tuple[DeviceLabel, ...] = (VIN, OWNER)) -> AssociateLabelRequest:
    return AssociateLabelRequest(account_name=ACCOUNT, labels=AccountLabels(devices=devices, label=label))


async def test_labels_are_added_to_devices_later(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    first, second = thingspace_simulator.devices[0], thingspace_simulator.devices[1]
    named = DeviceId(**first.device_ids[0])
    await thingspace_session.devices.labels.add(request(named))
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("POST", PATH)
    assert received.json == {
        "accountName": ACCOUNT,
        "labels": {
            "devices": [{"deviceIds": [{"id": named.id, "kind": named.kind}]}],
            "label": [
                {"name": "VIN", "value": "XXUZL54B5YN105457"},
                {"name": "owner", "value": "Zoë & Söhne"},
            ],
        },
    }
    assert first.labels == []
    thingspace_simulator.clock.advance(LATER)
    assert first.labels == [wired(VIN), wired(OWNER)]
    assert second.labels == []


async def test_labels_are_removed_from_all_devices_of_the_account(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    first, second = thingspace_simulator.devices[0], thingspace_simulator.devices[1]
    thingspace_simulator.add_account("0000222222-00001", devices=1)
    stranger = thingspace_simulator.devices[-1]
    for device in (first, second, stranger):
        device.labels = [wired(VIN), wired(OWNER)]
    await thingspace_session.devices.labels.remove(ACCOUNT, [OWNER])
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path, received.body) == ("DELETE", PATH, b"")
    assert set(received.query) == {"accountName", "LabelList"}
    assert received.query["accountName"] == ACCOUNT
    assert orjson.loads(received.query["LabelList"]) == {"deviceIds": [{"name": "owner", "value": "Zoë & Söhne"}]}
    assert first.labels == [wired(VIN), wired(OWNER)]
    thingspace_simulator.clock.advance(LATER)
    assert first.labels == second.labels == [wired(VIN)]
    assert stranger.labels == [wired(VIN), wired(OWNER)]


async def test_a_label_for_an_unknown_device_fails_later(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = await thingspace_session.devices.labels.add(request(SIM))
    thingspace_simulator.clock.advance(LATER)
    assert (await thingspace_session.accounts.request_status(ACCOUNT, accepted.request_id)).failed


async def test_fifty_labels_fit_into_a_body_and_into_a_url(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    long = tuple(DeviceLabel(name=f"{number:020d}", value=f"{number:050d}") for number in range(50))
    device = thingspace_simulator.devices[0]
    await thingspace_session.devices.labels.add(request(DeviceId(**device.device_ids[0]), label=long))
    thingspace_simulator.clock.advance(LATER)
    assert len(device.labels) == 50
    await thingspace_session.devices.labels.remove(ACCOUNT, long)
    thingspace_simulator.clock.advance(LATER)
    assert device.labels == []


def test_more_than_fifty_labels_are_not_sent() -> None:
    with pytest.raises(errors.InvalidRequest, match="AccountLabels: label may hold 50 DeviceLabel, not 51"):
        AccountLabels(devices=[SIM], label=MANY)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ((), "LabelList: labels must hold 1 DeviceLabel or more, not 0"),
        (MANY, "LabelList: labels may hold 50 DeviceLabel, not 51"),
        (VIN, "LabelList: labels must be a tuple of DeviceLabel, not DeviceLabel"),
        (("VIN",), "LabelList: labels must hold DeviceLabel only, not str"),
    ],
)
async def test_labels_that_cannot_be_removed_are_not_sent(
    thingspace_simulator: Simulator, thingspace_session: Session, labels: Any, reason: str
) -> None:
    with pytest.raises(errors.InvalidRequest, match=reason):
        await thingspace_session.devices.labels.remove(ACCOUNT, labels)
    assert thingspace_simulator.count("devices.labels.remove") == 0


@pytest.mark.parametrize("account_name", [None, "", 7, "a\nb"])
async def test_an_invalid_account_name_is_not_sent(
    thingspace_simulator: Simulator, thingspace_session: Session, account_name: Any
) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"devices\.labels\.remove: account_name "):
        await thingspace_session.devices.labels.remove(account_name, (VIN,))
    assert thingspace_simulator.count("devices.labels.remove") == 0


async def test_options_of_a_session_apply_to_its_labels(thingspace_session: Session) -> None:
    assert thingspace_session.devices.labels is thingspace_session.devices.labels
    quick = thingspace_session.with_options(timeout=0.000001, retries=0)
    with pytest.raises(errors.ThingSpaceError):
        await quick.devices.labels.remove(ACCOUNT, (VIN,))
    await thingspace_session.devices.labels.remove(ACCOUNT, (VIN,))
