"""Billing: managed accounts from adding to cancelling, and alerts about usage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from thingspace_async import Session, errors
from thingspace_async.billing import (
    ManagedAccountRequest,
    ManagedAccounts,
    ManagedAccountsAddRequest,
    ServiceName,
    UsageTriggerCreateRequest,
    UsageTriggerUpdateRequest,
)
from thingspace_async.callbacks import MemoryInbox, Receiver
from thingspace_async.callbacks.messages import Alert
from thingspace_async.callbacks.web import serve
from thingspace_async.location import LocationRequest, LocationService
from thingspace_async.simulator import Simulator

PRIMARY, MANAGED = "0000123456-00001", "0000222222-00001"
SKU = "TS-LOC-COARSE-CellID-Aggr"


def alert(**changes: Any) -> UsageTriggerCreateRequest:
    given = {"account_name": PRIMARY, "service_name": "Location", "trigger_name": "Nearly used up"}
    return UsageTriggerCreateRequest(**{**given, "threshold_value": 90, **changes})


async def listed(session: Session) -> ManagedAccounts:
    return await session.billing.managed_accounts(account_name=PRIMARY, service_name=ServiceName.LOCATION)


async def test_an_account_is_added_provisioned_and_cancelled(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    thingspace_simulator.add_account(MANAGED)
    billing = thingspace_session.billing
    added = await billing.add_accounts(
        ManagedAccountsAddRequest(
            account_name=PRIMARY, service_name="Location", sku=SKU, managed_accounts=[MANAGED, "9999999999-00001"]
        )
    )
    assert [(one.account_name, one.status) for one in added.accounts] == [
        (MANAGED, "Success"),
        ("9999999999-00001", "Failed"),
    ]
    assert added.transaction_id is not None
    there = await listed(thingspace_session)
    assert [one.account_name for one in there.added] == [MANAGED]
    request = ManagedAccountRequest(
        account_name=MANAGED,
        primary_account_name=PRIMARY,
        service_name=ServiceName.LOCATION,
        sku=SKU,
        transaction_id=added.transaction_id,
    )
    assert (await billing.provision(request)).status == "Success"
    assert thingspace_simulator.requests[-1].json == {
        "accountName": MANAGED,
        "paccountName": PRIMARY,
        "serviceName": "Location",
        "type": SKU,
        "txid": added.transaction_id,
    }
    there = await listed(thingspace_session)
    assert (there.added, [one.transaction_id for one in there.provisioned]) == ((), [added.transaction_id])
    assert (await billing.cancel(request)).primary_account_name == PRIMARY
    there = await listed(thingspace_session)
    assert (there.added, there.provisioned) == ((), ())
    with pytest.raises(errors.BadRequest):
        await billing.provision(request)


async def test_an_alert_is_created_changed_read_and_deleted(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    triggers = thingspace_session.billing.usage_triggers
    created = await triggers.create(
        alert(
            send_sms_notification=True,
            sms_phone_numbers=["5551231234", "5551231235"],
            email_addresses=("you@example.com",),
        )
    )
    sent = thingspace_simulator.requests[-1]
    assert (sent.method, sent.path) == ("POST", "/api/subsc/v1/usage/triggers")
    assert sent.json == {
        "accountName": PRIMARY,
        "serviceName": "Location",
        "triggerName": "Nearly used up",
        "thresholdValue": "90",
        "sendSmsNotification": True,
        "smsPhoneNumbers": "5551231234,5551231235",
        "emailAddresses": "you@example.com",
    }
    other = await triggers.create(alert(trigger_name="Used up", threshold_value="100"))
    change = UsageTriggerUpdateRequest(account_name=PRIMARY, threshold_value=80)
    changed = await triggers.update(created.trigger_id, change)
    assert (changed.threshold_value, changed.trigger_name) == ("80", "Nearly used up")
    assert await triggers.get(PRIMARY, created.trigger_id) == changed
    assert await triggers.list(PRIMARY) == (changed, other)
    assert (await triggers.delete(PRIMARY, created.trigger_id)).success
    assert await triggers.list(PRIMARY) == (other,)
    with pytest.raises(errors.BadRequest):
        await triggers.get(PRIMARY, created.trigger_id)


@pytest.mark.parametrize("value", ["90 %", "", "-1", -1, 1.5, True, None])
def test_a_threshold_is_a_whole_number_of_percent(value: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"^UsageTriggerCreateRequest: threshold_value "):
        alert(threshold_value=value)


def test_an_empty_change_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match=r"UsageTriggerUpdateRequest: give trigger_name, .* or email"):
        UsageTriggerUpdateRequest(account_name=PRIMARY)


@pytest.mark.parametrize("numbers", [[], [5], "555'"])
def test_phone_numbers_are_a_list_or_a_string(numbers: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="sms_phone_numbers"):
        alert(sms_phone_numbers=numbers)


async def test_an_alert_about_used_locations_arrives_signed_in_the_inbox(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, session, receiver = thingspace_simulator, thingspace_session, Receiver(MemoryInbox())
    cloud.clock.speed = 0
    active = [one async for one in session.devices.list(account_name=PRIMARY, current_state="active")][:20]
    async with (
        serve(receiver, port=0) as url,
        session.listen(PRIMARY, receiver, base_url=url, services=[LocationService.LOCATION]) as outcomes,
    ):
        created = await session.billing.usage_triggers.create(alert(threshold_value=1))
        request = LocationRequest(account_name=PRIMARY, devices=active, cache_mode="1")
        for _ in range(4):  # Each bills at most 20 of the month's 5,000 locations. Some devices are absent.
            await session.location.locate(request)
        cloud.clock.advance(timedelta(days=1))
        await cloud.delivered()
        (received,) = [one async for one in outcomes.inbox.read()]
    assert isinstance(received.message, Alert)
    assert received.service == LocationService.LOCATION
    assert (received.message.trigger_id, received.message.threshold_value) == (created.trigger_id, "1")
    assert (received.message.service_name, received.message.trigger_name) == ("Location", "Nearly used up")
    assert int(received.message.details["usedAllowance"]) >= 50
