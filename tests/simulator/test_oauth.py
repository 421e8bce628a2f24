"""PROTOCOL.md 1.1 and 2.2: the OAuth token and the gateway that checks it."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable

import pytest

from tests.simulator.api import ACCOUNT, LOG_IN, REVOKE, TOKEN, Api
from thingspace_async.simulator import Assumptions

HOUR = 3600
WRONG = {"Authorization": f"Basic {base64.b64encode(b'someone:else').decode()}"}


async def test_a_token_has_the_four_documented_members(api: Api) -> None:
    answer = await api.token()
    assert answer.status == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    assert re.fullmatch("[0-9a-f]{32}", answer.json["access_token"])
    assert answer.json["token_type"] == "Bearer"


async def test_the_grant_type_may_come_in_the_query_with_an_empty_body(api: Api) -> None:
    answer = await api.send("POST", TOKEN, headers=api.key, query={"grant_type": "client_credentials"})
    assert answer.json["access_token"] == api.bearer


async def test_the_same_token_comes_back_within_the_hour_and_says_what_is_left_of_it(api: Api) -> None:
    api.cloud.clock.advance(HOUR - 100)
    again = (await api.token()).json
    assert again["access_token"] == api.bearer
    assert 90 <= again["expires_in"] <= 100


async def test_asking_again_does_not_make_a_token_last_longer(api: Api) -> None:
    api.cloud.clock.advance(HOUR - 100)
    await api.token()
    api.cloud.clock.advance(101)
    assert (await api.account()).fault == (401, "900901")


async def test_a_token_that_is_asked_for_after_the_hour_is_another_one(api: Api) -> None:
    api.cloud.clock.advance(HOUR)
    assert (await api.token()).json["access_token"] != api.bearer


async def test_the_time_left_can_be_switched_to_a_full_hour(serve: Callable[..., Awaitable[Api]]) -> None:
    api = await serve(assumptions=Assumptions(expires_in_is_time_left=False))
    api.cloud.clock.advance(HOUR - 100)
    assert (await api.token()).json["expires_in"] == HOUR


@pytest.mark.parametrize("path", [TOKEN, REVOKE])
@pytest.mark.parametrize("authorization", [WRONG["Authorization"], "Basic %%%", "Basic /w==", "Bearer x", ""])
async def test_a_wrong_key_is_an_invalid_client(api: Api, path: str, authorization: str) -> None:
    form = {"grant_type": "client_credentials"}
    answer = await api.send("POST", path, data=form, headers={"Authorization": authorization})
    assert answer.status == 401
    assert answer.json["error"] == "invalid_client"
    assert answer.json["error_description"]


async def test_a_token_without_any_key_is_the_gateways_missing_credentials(api: Api) -> None:
    answer = await api.send("POST", TOKEN, data={"grant_type": "client_credentials"}, headers={})
    assert answer.fault == (401, "900902")


@pytest.mark.parametrize("form", [{"grant_type": "password"}, {"nothing": "useful"}])
async def test_another_grant_is_refused(api: Api, form: dict[str, str]) -> None:
    answer = await api.token(**form)
    assert answer.status == 400
    assert answer.json["error_description"] == "Missing or invalid grant_type parameter"


async def test_a_revoked_token_is_named_in_a_header_and_good_for_nothing(api: Api) -> None:
    form = {"grant_type": "client_credentials", "token": str(api.bearer)}
    answer = await api.send("POST", REVOKE, data=form, headers=api.key)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["RevokedAccessToken"] == api.bearer
    assert (await api.account()).fault == (401, "900901")
    assert (await api.token()).json["access_token"] != api.bearer


async def test_revoking_an_unknown_token_revokes_nothing(api: Api) -> None:
    form = {"grant_type": "client_credentials", "token": "another\r\nX-Evil: 1"}
    answer = await api.send("POST", REVOKE, data=form, headers=api.key)
    assert answer.status == 200
    assert not {"RevokedAccessToken", "X-Evil"} & set(answer.headers)
    assert (await api.account()).status == 200


@pytest.mark.parametrize("path", [ACCOUNT, LOG_IN])
@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "900902"), (WRONG, "900902"), ({"Authorization": "Bearer 0"}, "900901")],
    ids=["none", "basic", "unknown"],
)
async def test_the_gateway_refuses_calls_without_a_good_bearer(
    api: Api, path: str, headers: dict[str, str], code: str
) -> None:
    method = "POST" if path == LOG_IN else "GET"
    assert (await api.send(method, path, headers=headers)).fault == (401, code)


async def test_an_expired_bearer_looks_like_an_unknown_one(api: Api) -> None:
    api.cloud.clock.advance(HOUR)
    answer = await api.account()
    assert answer.fault == (401, "900901")
    assert answer.json["fault"]["message"] == "Invalid Credentials"
    assert answer.json["fault"]["description"].startswith("Access failure for API: /m2m/v1, version: v1. Make sure")


async def test_oauth_tokens_can_be_made_to_expire(api: Api) -> None:
    api.cloud.expire_oauth_tokens()
    assert (await api.account()).fault == (401, "900901")


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/m2m/v1/nowhere"), ("DELETE", ACCOUNT), ("GET", "/api/x")])
async def test_an_unknown_path_is_the_gateways_no_matching_resource(api: Api, method: str, path: str) -> None:
    answer = await api.send(method, path)
    assert answer.fault == (400, "900906")
    assert answer.json["fault"]["message"] == "No matching resource found in the API for the given request"


async def test_an_address_outside_of_the_apis_is_not_found(api: Api) -> None:
    assert (await api.send("GET", "/favicon.ico")).status == 404
