"""Handlers for accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from thingspace_async._core.operation import Operation
from thingspace_async.accounts.calls import (
    GET,
    GET_GLOBAL,
    GLOBAL_SERVICE_PLANS,
    LEADS,
    REQUEST_STATUS,
    REQUEST_STATUS_BY_DEVICE,
    SERVICE_PLANS,
    STATES_AND_SERVICES,
)
from thingspace_async.simulator.fleet import PLANS
from thingspace_async.simulator.late_requests import LateRequest
from thingspace_async.simulator.mechanisms.pager import answer_by_location, from_index
from thingspace_async.simulator.reading import next_of
from thingspace_async.simulator.wire import Answer, Call, Handler, unexpected

__all__ = ["HANDLERS"]

_LEADS: Final = 120
_LEADS_PER_PAGE: Final = 50
"""Not documented."""

_PLANS: Final = [
    {
        "carrierServicePlanCode": str(84_000 + place),
        "code": code,
        "extendedAttributes": [{"key": "Technology", "value": "5G" if "5G" in code else "4G"}],
        "name": code.replace("_", " "),
        "sizeKb": size,
    }
    for place, (code, size) in enumerate(PLANS.items())
]


def get_account(call: Call) -> Answer:
    """Describe an account."""
    pools = [
        {"poolName": "Static East", "poolType": "Static IP", "isDefaultPool": False},
        {"poolName": "Dynamic Public", "poolType": "Dynamic IP", "isDefaultPool": True},
    ]
    return Answer(200, {**_account(call), "iPPools": pools})


def get_details(call: Call) -> Answer:
    """Describe an account without its IP pools, like the sample on the page of global service plans."""
    return Answer(200, _account(call))


def _account(call: Call) -> dict[str, Any]:
    name = call.check_account(call.path["account_name"])
    return {
        "accountName": name,
        "accountNumber": name,
        "organizationName": f"Simulated Company {call.platform.seed}",
        "isProvisioningAllowed": True,
        "carriers": ["Verizon Wireless"],
        "features": ["NOTIFICATION", "RESTRICTED"],
        "servicePlans": _PLANS,
    }


def list_leads(call: Call) -> Answer:
    """List a page of leads. The Location header names the next page (PROTOCOL.md 5)."""
    name = call.check_account(call.path["account_name"])
    begin = next_of(call) or 0
    if begin % _LEADS_PER_PAGE or begin >= _LEADS:
        raise unexpected("is not the start of a page: take it from a Location header", at=(call.received.query, "next"))
    found = from_index([_lead(call.platform.seed, index) for index in range(_LEADS)], begin, _LEADS_PER_PAGE)
    following = f"/leads/{quote(name, safe='')}?next={begin + _LEADS_PER_PAGE}"
    body = {"hasMoreData": found.more, "leads": found.items}
    return answer_by_location(body, following if found.more else None)


def _lead(seed: int, index: int) -> dict[str, Any]:
    return {
        "leadId": str(700_000 + 1000 * seed + index),
        "leadState": ("Qualified", "Active", "Closed")[index % 3],
        "address": {
            "addressLine1": f"{index + 1} Main Street",
            "city": "Basking Ridge",
            "state": "NJ",
            "zip": "07920",
            "zip4": f"{1000 + index}",
            "country": "USA",
            "phone": f"908555{index:04d}",
            "phoneType": "Work",
            "emailAddress": f"lead{index}@example.com",
        },
    }


def list_states_and_services(call: Call) -> Answer:
    """List the custom services and their states."""
    call.check_account(call.path["account_name"])
    states = [
        {"name": f"Svc1 {name}", "workflowSequenceNumber": place, "servicePlans": list(PLANS)[:2]}
        for place, name in enumerate(("Activate", "Deactivate", "No Telematics"), start=1)
    ]
    service = {"name": "Svc1", "description": "Usage Segmentation - Main Line.", "states": states}
    return Answer(
        200, {"engagement": [{"engagementId": "1234", "chargingGroup": "Engagement1234", "services": [service]}]}
    )


def list_service_plans(call: Call) -> Answer:
    """List the service plans."""
    call.check_account(call.path["account_name"])
    return Answer(200, _PLANS)


def get_request_status(call: Call) -> Answer:
    """Return the status of a request about one device's service. Other requests are refused (PROTOCOL.md 3.5)."""
    request = _late_request(call)
    if len(request.work) > 1 or request.service != "CarrierService":
        raise unexpected(
            "is a request for several devices or another service: ask for its status by device",
            at=(call.path, "request_id"),
        )
    return Answer(200, {"requestId": call.path["request_id"], "status": _status(call, request, failed=request.failed)})


def get_request_status_by_device(call: Call) -> Answer:
    """Return the status of a request for each of its devices."""
    request = _late_request(call)
    faults = request.faults or [None] * len(request.work)
    return Answer(
        200,
        {
            "requestId": call.path["request_id"],
            "status": _status(call, request, failed=request.failed),
            "subRequests": [
                {"ids": work.device_ids, "status": _status(call, request, failed=request.fails or fault is not None)}
                for work, fault in zip(request.work, faults, strict=True)
            ],
        },
    )


def _late_request(call: Call) -> LateRequest:
    name = call.check_account(call.path["account_name"])
    request = call.platform.late_requests.by_id.get(call.path["request_id"])
    if request is None or request.account_name != name:
        raise unexpected(f"is not a request of the account {name}", at=(call.path, "request_id"))
    return request


def _status(call: Call, request: LateRequest, *, failed: bool) -> str:
    if request.faults is None:
        return "Pending"
    return call.platform.assumptions.failed_request_status if failed else "Success"


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    GET: get_account,
    LEADS: list_leads,
    STATES_AND_SERVICES: list_states_and_services,
    SERVICE_PLANS: list_service_plans,
    REQUEST_STATUS: get_request_status,
    REQUEST_STATUS_BY_DEVICE: get_request_status_by_device,
    GET_GLOBAL: get_details,
    GLOBAL_SERVICE_PLANS: get_details,
}
