"""Accounts: their contents, leads page by page, and requests in progress."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from thingspace_async import DeviceId, Session, errors
from thingspace_async.accounts import (
    AsynchronousRequestResult,
    RequestStatus,
    StatusResponse,
    SubRequest,
)
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.late_requests import Work

LEADS = f"{PLACE}/api/m2m/v1/leads/0000123456-00001"
ACCOUNT = "0000123456-00001"


async def test_an_account_has_its_plans_pools_and_carriers(thingspace_session: Session) -> None:
    account = await thingspace_session.accounts.get(ACCOUNT)
    assert account.account_name == ACCOUNT
    assert account.carriers
    assert any(pool.is_default_pool for pool in account.ip_pools)
    assert account.service_plans == await thingspace_session.accounts.service_plans(ACCOUNT)
    assert all(plan.code and plan.size_kb is not None for plan in account.service_plans)


async def test_an_unknown_account_is_refused_with_the_platforms_code(thingspace_session: Session) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        await thingspace_session.accounts.get("9999999999-99999")
    assert caught.value.short_code == "REQUEST_FAILED.AccountNotFound"
    assert str(caught.value).startswith("[400] accounts.get: ")


async def test_all_accounts_of_the_devices_are_read_once(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, other = thingspace_simulator, "0000222222-00001"
    cloud.add_account(other, devices=2)
    found = [one async for one in thingspace_session.accounts.all()]
    assert [one.account_name for one in found] == [ACCOUNT, other]
    assert found[1] == await thingspace_session.accounts.get(other)
    assert cloud.count("accounts.get") == 3


async def test_without_devices_no_account_is_found() -> None:
    async with (
        Simulator(devices=0) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        assert [one async for one in session.accounts.all()] == []


async def test_leaving_the_accounts_early_ends_the_walk_of_the_devices(thingspace_session: Session) -> None:
    accounts = thingspace_session.accounts.all()
    assert (await anext(accounts)).account_name == ACCOUNT
    await accounts.aclose()
    assert await thingspace_session.accounts.get(ACCOUNT)


async def test_custom_states_keep_their_workflow_order(thingspace_session: Session) -> None:
    found = await thingspace_session.accounts.states_and_services(ACCOUNT)
    states = [state for part in found.engagement for service in part.services for state in service.states]
    assert states
    assert all(state.name and state.workflow_sequence_number is not None for state in states)


async def test_all_leads_are_yielded_once(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    walked = [lead.lead_id async for lead in thingspace_session.accounts.leads(ACCOUNT)]
    assert len(set(walked)) == len(walked) > 0
    assert thingspace_simulator.count("accounts.leads") > 1


async def test_leads_can_be_paged_by_hand(thingspace_session: Session) -> None:
    walked = [lead async for lead in thingspace_session.accounts.leads(ACCOUNT)]
    page = await thingspace_session.accounts.leads_page(ACCOUNT)
    by_hand = list(page.leads)
    while page.next is not None:
        page = await thingspace_session.accounts.leads_page(ACCOUNT, next=page.next)
        by_hand += page.leads
    assert by_hand == walked


@pytest.mark.parametrize("location", [None, "/leads/0000123456-00001", "/leads/x?next=", "/leads/x?next=a&next=b"])
async def test_leads_that_promise_more_without_a_next_page_are_an_error(
    canned: aioresponses,
    scripted: Session,
    location: str | None,
) -> None:
    headers = {} if location is None else {"Location": location}
    canned.get(LEADS, payload={"leads": [], "hasMoreData": True}, status=202, headers=headers)
    with pytest.raises(errors.AnswerUnreadable, match="Location"):
        await anext(scripted.accounts.leads(ACCOUNT))


async def test_pages_of_leads_that_form_a_cycle_are_an_error(
    canned: aioresponses,
    scripted: Session,
) -> None:
    again = {"Location": "/leads/0000123456-00001?next=7"}
    for url in (LEADS, f"{LEADS}?next=7"):
        canned.get(url, payload={"leads": [{"leadId": "1"}]}, status=202, headers=again, repeat=True)
    with pytest.raises(errors.AnswerUnreadable, match="leads back"):
        _ = [lead async for lead in scripted.accounts.leads(ACCOUNT)]


async def test_a_request_is_pending_until_it_is_done(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    done = thingspace_simulator.add_request(seconds=60)
    failing = thingspace_simulator.add_request(seconds=60, fails=True)
    early = await thingspace_session.accounts.request_status(ACCOUNT, done)
    assert (early.request_id, early.status) == (done, RequestStatus.PENDING)
    thingspace_simulator.clock.advance(timedelta(seconds=61))
    late = await thingspace_session.accounts.request_status(ACCOUNT, done)
    assert late.status is RequestStatus.SUCCESS
    assert not late.failed
    assert (await thingspace_session.accounts.request_status(ACCOUNT, failing)).failed


@pytest.mark.parametrize("spelling", ["Failed", "Failure", "FAILURE", "failed"])
def test_a_failure_is_recognised_in_either_spelling(spelling: str) -> None:
    assert AsynchronousRequestResult(status=RequestStatus(spelling)).failed
    assert StatusResponse(status=RequestStatus(spelling)).failed
    assert SubRequest(status=RequestStatus(spelling)).failed


STATUS = f"{PLACE}/api/m2m/v2/accounts/{ACCOUNT}/requests/d1f08526/status"


@pytest.mark.parametrize("name", ["subRequests", "subrequests"])
async def test_the_status_of_each_device_is_read_in_either_spelling(
    canned: aioresponses, scripted: Session, name: str
) -> None:
    listed = [
        {"ids": [{"id": f"8914800000000000000{place}", "kind": "iccid"}], "status": status}
        for place, status in enumerate(("Success", "Pending", "Failed", "FAILURE", "Warning"))
    ]
    canned.get(STATUS, payload={"requestId": "d1f08526", "status": "Pending", name: listed})
    found = await scripted.accounts.request_status_by_device(ACCOUNT, "d1f08526")
    assert (found.request_id, found.status, found.failed) == ("d1f08526", RequestStatus.PENDING, False)
    assert [one.identifier("ICCID") for one in found.pending] == ["89148000000000000001"]
    assert [one.ids for one in found.succeeded] == [(DeviceId.iccid("89148000000000000000"),)]
    assert [one.status for one in found.failed_devices] == ["Failed", "Failure"]
    assert found.sub_requests[-1].status == "Warning"


async def test_the_status_of_a_request_for_several_devices_is_refused_where_only_single_ones_are_supported(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    sims = [[{"id": f"8914800000000000000{number}", "kind": "iccid"}] for number in range(2)]
    request_id = thingspace_simulator.accept([Work(sim, lambda: None) for sim in sims])
    with pytest.raises(errors.BadRequest):
        await thingspace_session.accounts.request_status(ACCOUNT, request_id)
    found = await thingspace_session.accounts.request_status_by_device(ACCOUNT, request_id)
    assert [one.identifier("iccid") for one in found.pending] == [sim[0]["id"] for sim in sims]


async def test_endpoints_without_m2m_in_their_path_work(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accounts = thingspace_session.accounts
    plans = await accounts.service_plans(ACCOUNT)
    assert (await accounts.get_global(ACCOUNT)).service_plans == plans
    assert thingspace_simulator.requests[-1].path == f"/api/v1/accounts/{ACCOUNT}"
    assert (await accounts.global_service_plans(ACCOUNT)).service_plans == plans
    assert thingspace_simulator.requests[-1].path == f"/api/v1/plans/{ACCOUNT}"


async def test_the_published_sample_of_global_service_plans_is_read(canned: aioresponses, scripted: Session) -> None:
    plan = {"name": "a", "code": "b", "sizeKb": 1024, "carrierServicePlanCode": "c"}
    sample = {
        "accountName": ACCOUNT,
        "accountNumber": ACCOUNT,
        "organizationName": "user assigned name",
        "isProvisioningAllowed": True,
        "carriers": ["Verizon Wireless"],
        "features": ["Dynamic IP", "Public Network", "eUICC Verizon as Lead", "Global eSim Billing"],
        "servicePlans": [plan],
    }
    canned.get(f"{PLACE}/api/v1/plans/{ACCOUNT}", payload=sample)
    found = await scripted.accounts.global_service_plans(ACCOUNT)
    assert (found.carriers, found.features[-1]) == (("Verizon Wireless",), "Global eSim Billing")
    assert [(one.code, one.size_kb) for one in found.service_plans] == [("b", 1024)]
