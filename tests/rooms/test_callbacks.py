"""Callbacks: registering, listing and deregistering listeners, and values refused before sending."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from tests.session.checks import assert_keeps_secrets
from thingspace_async import Secret, Session, errors
from thingspace_async.callbacks import CallbackListener, CallbackService, RegisterCallbackRequest
from thingspace_async.simulator import Simulator, Status

ACCOUNT = "0000123456-00001"
URL = "https://example.com/callbacks"

SERVICES = {
    "AlertService",
    "AlertsService",
    "CarrierService",
    "DevicePRLInformation",
    "DeviceProfileService",
    "DevicePromoUsage",
    "DeviceService",
    "DeviceSuspensionStatus",
    "DeviceUsage",
    "DiagnosticsService",
    "EnhancedConnectivityService",
    "ExtendedEnhancedConnectivityService",
    "ExternalProvisioningChanges",
    "IntelligenceService",
    "NetworkEventService",
    "NiddService",
    "PromoChanges",
    "PwnService",
    "QoS",
    "ResumeTrackingNotification",
    "SMSDeliveryConfirmation",
    "StateService",
    "SubscriptionNotificationService",
    "VIPCallbackService",
}


async def test_a_registration_is_sent_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    request = RegisterCallbackRequest(
        name=CallbackService.SMS_DELIVERY_CONFIRMATION, url=f"{URL}?a=b", username="zaffod", password="drowssap"
    )
    done = await thingspace_session.callbacks.register(ACCOUNT, request)
    assert (done.account_name, done.service_name) == (ACCOUNT, CallbackService.SMS_DELIVERY_CONFIRMATION)
    assert thingspace_simulator.requests[-1].json == {
        "name": "SMSDeliveryConfirmation",
        "url": f"{URL}?a=b",
        "username": "zaffod",
        "password": "drowssap",
    }


async def test_listeners_are_listed_and_deregistered(thingspace_session: Session) -> None:
    callbacks = thingspace_session.callbacks
    assert await callbacks.list(ACCOUNT) == ()
    await callbacks.register(ACCOUNT, RegisterCallbackRequest(name="CarrierService", url=URL, password="drowssap"))
    assert await callbacks.list(ACCOUNT) == (
        CallbackListener(
            account_name=ACCOUNT, service_name=CallbackService.CARRIER, url=URL, password=Secret("drowssap")
        ),
    )
    done = await callbacks.deregister(ACCOUNT, CallbackService.CARRIER)
    assert done.service_name is CallbackService.CARRIER
    assert await callbacks.list(ACCOUNT) == ()


async def test_no_model_shows_its_password(thingspace_session: Session) -> None:
    request = RegisterCallbackRequest(name="CarrierService", url=URL, username="zaffod", password="drowssap")
    await thingspace_session.callbacks.register(ACCOUNT, request)
    assert "drowssap" not in repr(request)
    assert "drowssap" not in repr(await thingspace_session.callbacks.list(ACCOUNT))


async def test_the_password_is_redacted_from_an_error_that_echoes_it(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    echo = {"errorCode": "A.B", "errorMessage": "The password drowssap is too simple."}
    thingspace_simulator.faults.add("callbacks.register", Status(400, body=echo))
    request = RegisterCallbackRequest(name="CarrierService", url=URL, password="drowssap")
    with pytest.raises(errors.BadRequest, match="too simple") as caught:
        await thingspace_session.callbacks.register(ACCOUNT, request)
    assert "drowssap" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"url": "https://example.com:81"}, {"username": ""}, {"password": "drowssap" * 6}])
def test_an_invalid_request_shows_no_password_even_in_a_traceback_with_locals(
    wrong: dict[str, Any],
) -> None:
    given: dict[str, Any] = {"name": "CarrierService", "url": URL, "password": "drowssap"} | wrong
    with pytest.raises(errors.InvalidRequest) as caught:
        RegisterCallbackRequest(**given)
    assert_keeps_secrets(caught.value, "drowssap")


async def test_tokens_are_still_redacted_from_errors_after_many_registrations(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    for number in range(70):
        request = RegisterCallbackRequest(name="CarrierService", url=URL, password=f"drowssap-{number}")
        await thingspace_session.callbacks.register(ACCOUNT, request)
    (token,) = thingspace_simulator.platform.tokens.sessions
    echo = {"errorCode": "A.B", "errorMessage": f"The token {token} is odd."}
    thingspace_simulator.faults.add("callbacks.list", Status(400, body=echo))
    with pytest.raises(errors.BadRequest, match="is odd") as caught:
        await thingspace_session.callbacks.list(ACCOUNT)
    assert token not in str(caught.value)


def test_every_documented_service_is_in_the_enumeration() -> None:
    assert {service.value for service in CallbackService} == SERVICES


@pytest.mark.parametrize("name", ["AlertService", "AlertsService", "BrandNewService"])
async def test_known_and_unknown_services_can_be_registered_and_deregistered(
    thingspace_simulator: Simulator, thingspace_session: Session, name: str
) -> None:
    await thingspace_session.callbacks.register(ACCOUNT, RegisterCallbackRequest(name=name, url=URL))
    assert thingspace_simulator.requests[-1].json["name"] == name
    (found,) = await thingspace_session.callbacks.list(ACCOUNT)
    assert found.service_name == name
    await thingspace_session.callbacks.deregister(ACCOUNT, name)
    assert thingspace_simulator.requests[-1].path == f"/api/m2m/v1/callbacks/{ACCOUNT}/name/{name}"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com",
        "https://example.com:443/a",
        "http://example.com:9001",
        "http://example.com:9006",
        "http://[2001:db8::1]:28200/",
        "http://example.com:28220",
        "http://example.com:50551",
        "https://example.com:50559/a?b=c",
    ],
)
def test_a_listener_may_use_the_documented_ports(url: str) -> None:
    assert RegisterCallbackRequest(name="CarrierService", url=url).url == url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_listener_on_this_machine_may_use_any_port(host: str) -> None:
    assert RegisterCallbackRequest(name="CarrierService", url=f"http://{host}:54321/a").url
    with pytest.raises(errors.InvalidRequest, match="url has the port 0"):
        RegisterCallbackRequest(name="CarrierService", url=f"http://{host}:0/a")


@pytest.mark.parametrize("port", [0, 1, 81, 8080, 8443, 9000, 9007, 28199, 28221, 50550, 50560, 50569])
def test_the_error_for_another_port_lists_the_allowed_ones(port: int) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        RegisterCallbackRequest(name="CarrierService", url=f"https://example.com:{port}/a")
    assert str(caught.value) == (
        f"RegisterCallbackRequest: url has the port {port}; "
        "the platform allows 80, 443, 9001-9006, 28200-28220, 50551-50559"
    )


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "//example.com", "ftp://example.com:80", "https:///a", "https://a:b", "https://[", 1, None],
)
def test_an_invalid_url_is_refused(url: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="RegisterCallbackRequest: url "):
        RegisterCallbackRequest(name="CarrierService", url=url)


@pytest.mark.parametrize("field", ["username", "password"])
@pytest.mark.parametrize("value", ["", "x" * 41, "a'b", "a\nb", 1])
def test_an_invalid_username_or_password_is_refused_without_showing_it(field: str, value: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"RegisterCallbackRequest: {field} ") as caught:
        RegisterCallbackRequest(name="CarrierService", url=URL, **{field: value})
    assert "xxx" not in str(caught.value)
    RegisterCallbackRequest(name="CarrierService", url=URL, **{field: "x" * 40})


def test_the_error_for_a_long_password_names_the_limit() -> None:
    with pytest.raises(errors.InvalidRequest, match="password must have 40 characters or fewer, not 41"):
        RegisterCallbackRequest(name="CarrierService", url=URL, password=Secret("x" * 41))


@pytest.mark.parametrize("name", ["", 1, None, "a<b"])
def test_an_invalid_service_name_is_refused(name: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="RegisterCallbackRequest: name "):
        RegisterCallbackRequest(name=name, url=URL)


async def test_a_failed_registration_is_not_sent_again(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    thingspace_simulator.faults.add("callbacks.register", Status(503))
    with pytest.raises(errors.ServerFault):
        await thingspace_session.callbacks.register(ACCOUNT, RegisterCallbackRequest(name="CarrierService", url=URL))
    assert thingspace_simulator.count("callbacks.register") == 1


async def test_the_published_list_is_read(canned: aioresponses, scripted: Session) -> None:
    # Its port, 50569, is not among those that the platform's page allows. Answers are not checked.
    published = [
        {
            "accountName": "0252012345-00001",
            "serviceName": "CarrierService",
            "url": "http://10.120.102.147:50569/CallbackListener/Carrier.asmx",
        },
        {
            "accountName": "0252012345-00001",
            "password": "drowssap",
            "serviceName": "DeviceUsage",
            "url": "http://10.120.102.147:50569/CallbackListener/Usage.asmx",
            "username": "zaffod",
        },
    ]
    canned.get(f"{PLACE}/api/m2m/v1/callbacks/0252012345-00001", body=orjson.dumps(published))
    first, second = await scripted.callbacks.list("0252012345-00001")
    assert (first.service_name, first.username, first.password) == (CallbackService.CARRIER, None, None)
    assert (second.service_name, second.username) == (CallbackService.DEVICE_USAGE, "zaffod")
    assert second.password == Secret("drowssap")
