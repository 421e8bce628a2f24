"""PROTOCOL.md 3.5, 5: accounts, leads, plans, states and pending requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulator.api import ACCOUNT, Api
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault

NAME = "0000123456-00001"
UNEXPECTED = (400, "UnifiedWebService.REQUEST_FAILED.UnexpectedError")


async def test_an_account_has_every_documented_member(api: Api) -> None:
    account = (await api.account()).json
    assert {name: type(value) for name, value in account.items()} == {
        "accountName": str,
        "accountNumber": str,
        "organizationName": str,
        "isProvisioningAllowed": bool,
        "carriers": list,
        "features": list,
        "iPPools": list,
        "servicePlans": list,
    }
    assert account["accountName"] == NAME
    assert all(set(pool) == {"poolName", "poolType", "isDefaultPool"} for pool in account["iPPools"])


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/{}",
        "/leads/{}",
        "/accounts/{}/statesandservices",
        "/plans/{}",
        "/accounts/{}/requests/86c83330-4bf5-4235-9c4e-a83f93aeae4c/status",
    ],
)
async def test_an_unknown_account_is_reported(api: Api, path: str) -> None:
    answer = await api.send("GET", "/api/m2m/v1" + path.format("0000999999-00001"))
    assert answer.refusal == (400, "UnifiedWebService.REQUEST_FAILED.AccountNotFound")


async def test_forbidden_characters_in_a_path_are_refused(api: Api) -> None:
    answer = await api.send("GET", "/api/m2m/v1/accounts/a%27b")
    assert answer.refusal == (400, "UnifiedWebService.INPUT_INVALID.Request.InvalidCharacter")


async def test_an_added_account_is_known(api: Api) -> None:
    api.cloud.add_account("0000222222-00001")
    assert (await api.send("GET", "/api/m2m/v1/accounts/0000222222-00001")).json["accountName"] == "0000222222-00001"


async def test_each_page_of_leads_names_the_next(api: Api) -> None:
    query: dict[str, str] = {}
    found: list[str] = []
    while True:
        answer = await api.send("GET", f"/api/m2m/v1/leads/{NAME}", query=query)
        found += [lead["leadId"] for lead in answer.json["leads"]]
        if answer.status == 200:
            break
        assert answer.status == 202
        assert answer.json["hasMoreData"] is True
        location = urlsplit(answer.headers["Location"])
        assert location.path == f"/leads/{NAME}"
        query = {"next": parse_qs(location.query)["next"][0]}
    assert answer.json["hasMoreData"] is False
    assert "Location" not in answer.headers
    assert len(found) == len(set(found)) == 120


@pytest.mark.parametrize("token", ["7", "150", "-50", "x", "", "9" * 5000])
async def test_an_invented_page_token_is_refused(api: Api, token: str) -> None:
    assert (await api.send("GET", f"/api/m2m/v1/leads/{NAME}", query={"next": token})).refusal == UNEXPECTED


async def test_a_lead_has_a_whole_address(api: Api) -> None:
    lead = (await api.send("GET", f"/api/m2m/v1/leads/{NAME}")).json["leads"][0]
    assert set(lead) == {"leadId", "leadState", "address"}
    assert {"addressLine1", "city", "state", "zip", "country"} <= set(lead["address"])


async def test_service_plans_are_a_bare_list_and_those_of_the_account(api: Api) -> None:
    plans = (await api.send("GET", f"/api/m2m/v1/plans/{NAME}")).json
    assert plans == (await api.account()).json["servicePlans"]
    assert all(
        set(plan) == {"carrierServicePlanCode", "code", "extendedAttributes", "name", "sizeKb"} for plan in plans
    )


async def test_states_and_services_have_the_documented_shape(api: Api) -> None:
    (engagement,) = (await api.send("GET", f"{ACCOUNT}/statesandservices")).json["engagement"]
    assert set(engagement) == {"engagementId", "chargingGroup", "services"}
    assert set(engagement["services"][0]) == {"name", "description", "states"}
    assert set(engagement["services"][0]["states"][0]) == {"name", "workflowSequenceNumber", "servicePlans"}


@pytest.mark.parametrize(("fails", "end"), [(False, "Success"), (True, "Failed")])
async def test_a_request_is_pending_until_its_time_has_come(api: Api, *, fails: bool, end: str) -> None:
    request_id = api.cloud.add_request(seconds=600, fails=fails)
    path = f"{ACCOUNT}/requests/{request_id}/status"
    assert (await api.send("GET", path)).json == {"requestId": request_id, "status": "Pending"}
    api.cloud.clock.advance(600)
    assert (await api.send("GET", path)).json == {"requestId": request_id, "status": end}


async def test_failure_can_be_spelled_as_the_sdks_do(serve: Callable[..., Awaitable[Api]]) -> None:
    api = await serve(assumptions=Assumptions(failed_request_status="Failure"))
    request_id = api.cloud.add_request(seconds=0, fails=True)
    assert (await api.send("GET", f"{ACCOUNT}/requests/{request_id}/status")).json["status"] == "Failure"


async def test_a_request_of_another_account_is_unknown(api: Api) -> None:
    api.cloud.add_account("0000222222-00001")
    request_id = api.cloud.add_request(account_name="0000222222-00001")
    assert (await api.send("GET", f"{ACCOUNT}/requests/{request_id}/status")).refusal == UNEXPECTED
    assert (await api.send("GET", f"{ACCOUNT}/requests/{'0' * 8}/status")).refusal == UNEXPECTED


def two_devices(api: Api) -> str:
    """Start a request about two devices; the second device is refused."""

    def refuse() -> None:
        raise DeviceFault("UnifiedWebService.REQUEST_FAILED.DeviceNotFound", "The device could not be found.")

    sims = [[{"id": f"8914800000000000000{number}", "kind": "iccid"}] for number in range(2)]
    return api.cloud.accept([Work(sims[0], lambda: None), Work(sims[1], refuse)], service="DeviceProfileService")


async def test_a_request_about_several_devices_has_its_status_in_the_second_version_only(api: Api) -> None:
    request_id = two_devices(api)
    assert (await api.send("GET", f"{ACCOUNT}/requests/{request_id}/status")).refusal == UNEXPECTED
    path = f"/api/m2m/v2/accounts/{NAME}/requests/{request_id}/status"
    early = (await api.send("GET", path)).json
    assert set(early) == {"requestId", "status", "subRequests"}
    assert [early["status"], *(one["status"] for one in early["subRequests"])] == ["Pending"] * 3
    api.cloud.clock.advance(61)
    late = (await api.send("GET", path)).json
    assert [late["status"], *(one["status"] for one in late["subRequests"])] == ["Failed", "Success", "Failed"]
    assert [one["ids"][0]["id"][-1] for one in late["subRequests"]] == ["0", "1"]


@pytest.mark.parametrize("service", ["EnhancedConnectivityService", "DeviceProfileService"])
async def test_only_what_is_asked_about_a_devices_service_has_its_status_in_the_first_version(
    api: Api, service: str
) -> None:
    request_id = api.cloud.accept([Work([], lambda: None)], service=service)
    assert (await api.send("GET", f"{ACCOUNT}/requests/{request_id}/status")).refusal == UNEXPECTED


async def test_an_unknown_request_has_no_status_in_the_second_version_either(api: Api) -> None:
    assert (await api.send("GET", f"/api/m2m/v2/accounts/{NAME}/requests/0/status")).refusal == UNEXPECTED


@pytest.mark.parametrize("kind", ["accounts", "plans"])
async def test_the_addresses_without_m2m_describe_the_account_without_its_pools(api: Api, kind: str) -> None:
    account = (await api.account()).json
    del account["iPPools"]
    assert (await api.send("GET", f"/api/v1/{kind}/{NAME}")).json == account
    missing = await api.send("GET", f"/api/v1/{kind}/0000999999-00001")
    assert missing.refusal == (400, "UnifiedWebService.REQUEST_FAILED.AccountNotFound")
