"""PROTOCOL.md 3.2: callback listeners are registered, listed with their passwords, and deregistered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.simulator.api import Api
from thingspace_async.simulator import Assumptions

ACCOUNT = "0000123456-00001"
LISTENERS = f"/api/m2m/v1/callbacks/{ACCOUNT}"
URL = "https://example.com/callbacks"
UNEXPECTED = (400, "UnifiedWebService.REQUEST_FAILED.UnexpectedError")


async def test_listeners_are_listed_with_their_passwords(api: Api) -> None:
    assert (await api.send("GET", LISTENERS)).json == []
    plain = {"name": "CarrierService", "url": URL}
    secured = {"name": "DeviceUsage", "url": "http://example.com:9001/", "username": "zaffod", "password": "drowssap"}
    answer = await api.send("POST", LISTENERS, json=plain)
    assert (answer.status, answer.json) == (200, {"accountName": ACCOUNT, "serviceName": "CarrierService"})
    await api.send("POST", LISTENERS, json=secured)
    assert (await api.send("GET", LISTENERS)).json == [
        {"accountName": ACCOUNT, "serviceName": "CarrierService", "url": URL},
        {
            "accountName": ACCOUNT,
            "serviceName": "DeviceUsage",
            "url": "http://example.com:9001/",
            "username": "zaffod",
            "password": "drowssap",
        },
    ]


async def test_a_service_that_is_registered_again_has_the_new_url(api: Api) -> None:
    for url in (URL, f"{URL}/new"):
        await api.send("POST", LISTENERS, json={"name": "CarrierService", "url": url})
    assert [found["url"] for found in (await api.send("GET", LISTENERS)).json] == [f"{URL}/new"]


async def test_registering_again_can_be_refused(serve: Callable[..., Awaitable[Api]]) -> None:
    api = await serve(assumptions=Assumptions(registering_replaces_listener=False))
    wanted = {"name": "CarrierService", "url": URL}
    assert (await api.send("POST", LISTENERS, json=wanted)).status == 200
    assert (await api.send("POST", LISTENERS, json=wanted)).refusal == UNEXPECTED


async def test_a_deregistered_service_is_forgotten(api: Api) -> None:
    await api.send("POST", LISTENERS, json={"name": "AlertService", "url": URL})
    answer = await api.send("DELETE", f"{LISTENERS}/name/AlertService")
    assert (answer.status, answer.json) == (200, {"accountName": ACCOUNT, "serviceName": "AlertService"})
    assert (await api.send("GET", LISTENERS)).json == []
    assert (await api.send("DELETE", f"{LISTENERS}/name/AlertService")).refusal == UNEXPECTED


@pytest.mark.parametrize(
    "port", [80, 443, 9001, 9006, 28200, 28220, 50551, 50559, 81, 8080, 9000, 9007, 28199, 28221, 50550, 50560]
)
async def test_only_the_documented_ports_are_allowed(api: Api, port: int) -> None:
    answer = await api.send("POST", LISTENERS, json={"name": "CarrierService", "url": f"https://example.com:{port}/a"})
    allowed = port in (80, 443, 9001, 9006, 28200, 28220, 50551, 50559)
    assert answer.status == (200 if allowed else 400)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com:80",
        "https:///a",
        "https://example.com:x",
        "https://[",
        "https://example.com:0",
    ],
)
async def test_an_invalid_url_is_refused(api: Api, url: str) -> None:
    assert (await api.send("POST", LISTENERS, json={"name": "CarrierService", "url": url})).refusal == UNEXPECTED


@pytest.mark.parametrize("name", ["username", "password"])
async def test_a_username_or_password_of_more_than_40_characters_is_refused(api: Api, name: str) -> None:
    for length, status in ((40, 200), (41, 400)):
        wanted = {"name": "CarrierService", "url": URL, name: "x" * length}
        assert (await api.send("POST", LISTENERS, json=wanted)).status == status


@pytest.mark.parametrize("missing", ["name", "url"])
async def test_service_and_url_are_required(api: Api, missing: str) -> None:
    wanted = {"name": "CarrierService", "url": URL}
    del wanted[missing]
    answer = await api.send("POST", LISTENERS, json=wanted)
    assert answer.refusal == (400, "UnifiedWebService.DeserializationFailed")


async def test_each_account_has_its_own_listeners(api: Api) -> None:
    api.cloud.add_account("0000222222-00001")
    await api.send("POST", LISTENERS, json={"name": "CarrierService", "url": URL})
    assert (await api.send("GET", "/api/m2m/v1/callbacks/0000222222-00001")).json == []
    unknown = await api.send("GET", "/api/m2m/v1/callbacks/0000999999-00001")
    assert unknown.refusal == (400, "UnifiedWebService.REQUEST_FAILED.AccountNotFound")
