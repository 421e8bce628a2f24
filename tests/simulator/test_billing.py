"""Simulated billing: refusals, and alerts of other accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async.simulator.rooms.location import Locations

ACCOUNT, OTHER = "0000123456-00001", "0000222222-00001"
BASE = "/api/subsc/v1"
TRIGGER = {"accountName": OTHER, "serviceName": "Location", "thresholdValue": "90"}
ADD = {"accountName": ACCOUNT, "serviceName": "Location", "type": "SKU", "managedAccList": [OTHER]}


@pytest.fixture(autouse=True)
def accounts(api: Api) -> None:
    api.cloud.add_account(OTHER)


async def test_an_alert_belongs_to_the_account_in_the_body(api: Api) -> None:
    trigger = (await api.send("POST", f"{BASE}/usage/triggers", json=TRIGGER)).json
    assert (trigger["createDate"], trigger["emailAddresses"]) == ("2026-01-15", "")
    there = f"{BASE}/usage/triggers/{trigger['triggerId']}"
    changed = await api.send("POST", there, json={"accountName": OTHER, "triggerName": "new"})
    assert changed.json["triggerName"] == "new"
    for wrong in ({"accountName": ACCOUNT, "triggerName": "new"}, {"triggerName": "new"}):
        assert (await api.send("POST", there, json=wrong)).refusal == (400, "INVALID_PARAMETER")
    assert (await api.send("GET", f"{BASE}/usage/accounts/{ACCOUNT}/triggers")).json == []


async def test_an_alert_cannot_change_its_service(api: Api) -> None:
    trigger = (await api.send("POST", f"{BASE}/usage/triggers", json=TRIGGER)).json
    change = {"accountName": OTHER, "serviceName": "fota"}
    answer = await api.send("POST", f"{BASE}/usage/triggers/{trigger['triggerId']}", json=change)
    assert answer.status == 400


@pytest.mark.parametrize("listed", [[], [7], None])
async def test_adding_needs_names_of_accounts(api: Api, listed: Any) -> None:
    wanted = {**ADD, "managedAccList": listed}
    assert (await api.send("POST", f"{BASE}/managedaccounts/actions/add", json=wanted)).status == 400


@pytest.mark.parametrize("action", ["provision", "cancel"])
async def test_an_account_needs_the_transaction_in_which_it_was_added(api: Api, action: str) -> None:
    added = (await api.send("POST", f"{BASE}/managedaccounts/actions/add", json=ADD)).json
    wanted = {"accountName": OTHER, "paccountName": ACCOUNT, "serviceName": "Location", "type": "SKU"}
    path = f"{BASE}/managedaccounts/actions/{action}"
    for wrong in ({"txid": "another"}, {"txid": added["txid"], "serviceName": "fota"}):
        assert (await api.send("POST", path, json={**wanted, **wrong})).refusal == (400, "INVALID_PARAMETER")
    assert (await api.send("POST", path, json={**wanted, "txid": added["txid"]})).json == {
        "txid": added["txid"],
        "accountName": OTHER,
        "paccountName": ACCOUNT,
        "serviceName": "Location",
        "status": "Success",
        "reason": "Success",
    }


@pytest.mark.parametrize("threshold", ["90 %", "-1", "x"])
async def test_a_threshold_is_a_whole_number(api: Api, threshold: str) -> None:
    wrong = {**TRIGGER, "thresholdValue": threshold}
    assert (await api.send("POST", f"{BASE}/usage/triggers", json=wrong)).status == 400


async def test_an_alert_is_sent_once_a_month_when_its_percentage_is_reached(api: Api, listener: Listener) -> None:
    cloud = api.cloud
    cloud.clock.speed = 0
    await api.send("POST", f"/api/loc/v1/callbacks/{OTHER}", json={"name": "Location", "url": listener.url})
    used = cloud.platform.room(Locations).used[OTHER]
    trigger = (await api.send("POST", f"{BASE}/usage/triggers", json=TRIGGER | {"thresholdValue": "2"})).json
    await api.send("POST", f"{BASE}/usage/triggers", json=TRIGGER | {"serviceName": "fota", "thresholdValue": "0"})

    async def messages_after(days: int) -> list[dict[str, Any]]:
        cloud.clock.advance(timedelta(days=days))
        await cloud.delivered()
        return listener.messages

    used[cloud.clock.now().date()] = 99
    assert await messages_after(1) == []
    used[cloud.clock.now().date()] = 1
    (message,) = await messages_after(1)
    assert message == {
        "accountName": OTHER,
        "serviceName": "Location",
        "triggerId": trigger["triggerId"],
        "thresholdValue": "2",
        "usedAllowance": "100",
        "timestamp": "2026-01-17T01:00:00Z",
    }
    assert await messages_after(5) == [message]
    change = {"accountName": OTHER, "thresholdValue": "1"}
    await api.enter()
    await api.send("POST", f"{BASE}/usage/triggers/{trigger['triggerId']}", json=change)
    assert [one["thresholdValue"] for one in await messages_after(1)] == ["2", "1"]
    cloud.clock.advance_to(cloud.clock.now().replace(month=2, day=3))
    used[cloud.clock.now().date()] = 500
    assert len(await messages_after(1)) == 3


async def test_deleted_alerts_are_no_longer_checked(api: Api) -> None:
    trigger = (await api.send("POST", f"{BASE}/usage/triggers", json=TRIGGER)).json
    assert api.cloud.platform.agenda.due is not None
    await api.send("DELETE", f"{BASE}/usage/accounts/{OTHER}/triggers/{trigger['triggerId']}")
    api.cloud.clock.advance(timedelta(days=2))
    assert api.cloud.platform.agenda.due is None
