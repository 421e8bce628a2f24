"""Reachability: requests, limits checked before sending, and the life of monitors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async.reachability import (
    MonitorType,
    NotificationReportRequest,
    NotificationReportStatusRequest,
    RetrieveMonitorsRequest,
    StopMonitorRequest,
)
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/diagnostics/basic/devicereachability"
SIM = {"id": "89148000004292933820", "kind": "iccid"}
DEVICES = [DeviceId.iccid(SIM["id"])]
LATER = datetime(2026, 3, 1, 12, tzinfo=UTC)


def monitoring(**changes: Any) -> NotificationReportRequest:
    given: dict[str, Any] = {
        "account_name": ACCOUNT,
        "request_type": MonitorType.DATA,
        "devices": DEVICES,
        "monitor_expiration_time": LATER,
    }
    return NotificationReportRequest(**given | changes)


async def test_a_monitor_is_requested_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = await thingspace_session.reachability.monitor(monitoring())
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("POST", PATH)
    assert received.json == {
        "accountName": ACCOUNT,
        "requestType": "REACHABLE_FOR_DATA",
        "devices": [{"deviceIds": [SIM]}],
        "monitorExpirationTime": "2026-03-01T12:00:00Z",
    }
    assert thingspace_simulator.late_requests[accepted.request_id].service == "DiagnosticsService"


async def test_the_state_of_a_device_is_requested_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    request = NotificationReportStatusRequest(
        account_name=ACCOUNT, device=DEVICES[0], request_type="REACHABLE_FOR_SMS", request_expiration_time=LATER
    )
    accepted = await thingspace_session.reachability.status(request)
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("POST", f"{PATH}/status")
    assert received.json == {
        "accountName": ACCOUNT,
        "device": SIM,
        "requestType": "REACHABLE_FOR_SMS",
        "requestExpirationTime": "2026-03-01T12:00:00Z",
    }
    assert accepted.request_id in thingspace_simulator.late_requests


async def test_monitors_are_requested_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    request = RetrieveMonitorsRequest(account_name=ACCOUNT, devices=DEVICES, monitor_type=MonitorType.LOSS)
    await thingspace_session.reachability.monitors(request)
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("POST", f"{PATH}/monitors")
    assert received.json == {
        "accountName": ACCOUNT,
        "devices": [{"deviceIds": [SIM]}],
        "monitorType": "LOSS_OF_CONNECTIVITY",
    }


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"monitor_ids": ("35596ca6",)}, {"monitorIds": ["35596ca6"]}),
        ({"devices": DEVICES}, {"devices": [{"deviceIds": [SIM]}]}),
    ],
)
async def test_stop_sends_its_filters_in_both_documented_places(
    thingspace_simulator: Simulator, thingspace_session: Session, given: dict[str, Any], written: dict[str, Any]
) -> None:
    await thingspace_session.reachability.stop(StopMonitorRequest(account_name=ACCOUNT, **given))
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("DELETE", PATH)
    assert received.json == {"accountName": ACCOUNT, **written}
    assert list(received.query) == ["stopreachabilitypayload"]
    assert orjson.loads(received.query["stopreachabilitypayload"]) == received.json


def test_stop_without_filters_is_refused_because_it_might_stop_everything() -> None:
    with pytest.raises(errors.InvalidRequest, match="StopMonitorRequest: give monitor_ids or devices"):
        StopMonitorRequest(account_name=ACCOUNT)


async def test_a_value_that_no_url_can_hold_is_refused_before_anything_is_sent(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    def stopping(count: int) -> StopMonitorRequest:
        sims = [DeviceId.iccid(str(89148000000000000000 + place)) for place in range(count)]
        return StopMonitorRequest(account_name=ACCOUNT, devices=sims)

    await thingspace_session.reachability.stop(stopping(60))
    before = len(thingspace_simulator.requests)
    with pytest.raises(errors.InvalidRequest, match=r"^reachability.stop: .* 8,000 is the limit: send fewer items"):
        await thingspace_session.reachability.stop(stopping(100))
    assert len(thingspace_simulator.requests) == before


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match="monitor_expiration_time has no time zone"):
        monitoring(monitor_expiration_time=datetime(2027, 1, 1))  # noqa: DTZ001 - the point


async def test_a_monitor_for_more_than_ten_years_is_refused_before_anything_is_sent(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    before = len(thingspace_simulator.requests)
    late = datetime.now(UTC) + timedelta(days=3650, minutes=1)
    with pytest.raises(errors.InvalidRequest, match=r"monitor_expiration_time must be at most 3,650 days from now"):
        await thingspace_session.reachability.monitor(monitoring(monitor_expiration_time=late))
    request = NotificationReportStatusRequest(
        account_name=ACCOUNT, device=DEVICES[0], request_type=MonitorType.DATA, request_expiration_time=late
    )
    with pytest.raises(errors.InvalidRequest, match=r"request_expiration_time must be at most 3,650 days from now"):
        await thingspace_session.reachability.status(request)
    assert len(thingspace_simulator.requests) == before


async def test_a_status_may_be_requested_without_an_end(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    await thingspace_session.reachability.status(
        NotificationReportStatusRequest(account_name=ACCOUNT, device=DEVICES[0], request_type=MonitorType.DATA)
    )
    assert "requestExpirationTime" not in thingspace_simulator.requests[-1].json


async def test_a_monitor_runs_until_it_is_stopped(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    cloud, reachability = thingspace_simulator, thingspace_session.reachability
    device = cloud.devices[0]
    own = [DeviceId(id=device.device_ids[0]["id"], kind=device.device_ids[0]["kind"])]
    await reachability.monitor(monitoring(devices=own, monitor_expiration_time=cloud.clock.now() + timedelta(days=30)))
    cloud.clock.advance(61)
    (name,) = cloud.active_monitors(device)
    await reachability.stop(StopMonitorRequest(account_name=ACCOUNT, monitor_ids=(name,)))
    assert cloud.active_monitors(device)
    cloud.clock.advance(61)
    assert not cloud.active_monitors(device)
