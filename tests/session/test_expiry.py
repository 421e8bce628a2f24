"""Expired tokens are renewed once for all tasks, once per kind and call, and never in a loop."""

from __future__ import annotations

import asyncio

import pytest

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    BAD_BEARER,
    EXPIRED,
    LOG_IN,
    LOG_OUT,
    NAME,
    REVOKE,
    TOKEN,
    Platform,
    after,
    answer,
    hang_up,
)
from thingspace_async import Session
from thingspace_async.errors import AnswerLost, ApiError, BadRequest, ServerFault, Unauthorized

UNKNOWN = {"errorCode": "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid", "errorMessage": "not a GUID"}
ABSENT = {"errorCode": "DeviceService.REQUEST_FAILED.SessionToken.Format", "errorMessage": "no token"}
LOCATION = {
    "errorCode": "INVALID_PARAMETER",
    "errorMessage": "UWS verification failure (The Session has expired.)",
}
CLOUD_CONNECTOR = {
    "error": "unauthorized",
    "error_description": "Failure response received for UWS V1 REST accounts: [400]",
    "cause": "",
}


async def test_a_thousand_tasks_that_meet_an_expired_session_log_in_once(session: Session, platform: Platform) -> None:
    asyncio.get_running_loop().set_debug(False)  # Debug mode makes each request take 3 ms.
    platform.expire_session()
    accounts = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(1000)))
    assert {account.account_name for account in accounts} == {NAME}
    assert platform.count(LOG_IN) == 2
    assert platform.count(TOKEN) == 1


async def test_a_thousand_tasks_that_meet_an_expired_oauth_token_fetch_one(
    session: Session, platform: Platform
) -> None:
    asyncio.get_running_loop().set_debug(False)  # Debug mode makes each request take 3 ms.
    platform.expire_bearer()
    await asyncio.gather(*(session.accounts.get(NAME) for _ in range(1000)))
    assert platform.count(TOKEN) == 2
    assert platform.count(LOG_IN) == 1


async def test_both_tokens_expired_at_once_are_each_renewed_once(session: Session, platform: Platform) -> None:
    platform.expire_bearer()
    platform.expire_session()
    await asyncio.gather(*(session.accounts.get(NAME) for _ in range(100)))
    assert (platform.count(TOKEN), platform.count(LOG_IN)) == (2, 2)


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, EXPIRED), (403, EXPIRED), (400, UNKNOWN), (400, ABSENT), (400, LOCATION), (401, CLOUD_CONNECTOR)],
)
async def test_every_answer_that_reports_an_expired_session_causes_a_login(
    session: Session, platform: Platform, status: int, body: object
) -> None:
    platform.on(ACCOUNT, answer(status, body))
    assert (await session.accounts.get(NAME)).account_name == NAME
    assert (platform.count(TOKEN), platform.count(LOG_IN), platform.count(ACCOUNT)) == (1, 2, 2)
    old, new = platform.seen(ACCOUNT)
    assert old.token != new.token


@pytest.mark.parametrize("body", [BAD_BEARER, {"fault": {"code": 900902, "message": "Missing Credentials"}}, b""])
async def test_every_answer_that_reports_an_expired_oauth_token_causes_a_fetch(
    session: Session, platform: Platform, body: object
) -> None:
    platform.bearers = {"hush-fresh"}
    platform.on(ACCOUNT, answer(401, body))
    await session.accounts.get(NAME)
    assert (platform.count(TOKEN), platform.count(LOG_IN), platform.count(ACCOUNT)) == (2, 1, 2)
    assert platform.seen(ACCOUNT)[1].bearer == "hush-fresh"


async def test_a_session_token_that_is_always_refused_is_renewed_once(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(400, EXPIRED))
    with raises(BadRequest) as caught:
        await session.accounts.get(NAME)
    assert caught.error.tries == 2
    assert (platform.count(ACCOUNT), platform.count(LOG_IN)) == (2, 2)


async def test_an_oauth_token_that_is_always_refused_is_renewed_once(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(401, BAD_BEARER))
    with raises(Unauthorized) as caught:
        await session.accounts.get(NAME)
    assert caught.error.tries == 2
    assert (platform.count(ACCOUNT), platform.count(TOKEN)) == (2, 2)


async def test_alternating_refusals_do_not_cause_a_loop(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, *[answer(401, BAD_BEARER), answer(400, EXPIRED)] * 5)
    with raises(BadRequest) as caught:
        await session.accounts.get(NAME)
    assert caught.error.tries == 4
    assert (platform.count(TOKEN), platform.count(LOG_IN), platform.count(ACCOUNT)) == (3, 2, 4)


async def test_a_hundred_tasks_that_are_always_refused_renew_rarely(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(400, EXPIRED))
    results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(100)), return_exceptions=True)
    assert {type(result) for result in results} == {BadRequest}
    assert platform.count(LOG_IN) <= 3


async def test_a_late_refusal_of_an_old_token_keeps_the_new_one(session: Session, platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(ACCOUNT, after(gate, answer(400, EXPIRED)))
    late = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(ACCOUNT)
    platform.expire_session()
    await session.accounts.get(NAME)
    gate.set()
    await late
    assert platform.count(LOG_IN) == 2


async def test_a_call_that_bills_is_sent_again_after_a_refused_token(session: Session, platform: Platform) -> None:
    platform.expire_session()
    response = await session.request("POST", "/m2m/v1/devices/actions/activate", json={"devices": []})
    assert response.status == 200
    assert platform.count("POST /api/m2m/v1/devices/actions/activate") == 2


async def test_waiting_tasks_share_a_failed_login(session: Session, platform: Platform) -> None:
    platform.expire_session()
    platform.on(LOG_IN, answer(500, b"broken"))
    results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(50)), return_exceptions=True)
    assert {type(result) for result in results} == {ServerFault}
    assert platform.count(LOG_IN) == 2
    await session.accounts.get(NAME)
    assert platform.count(LOG_IN) == 3


async def test_a_login_whose_task_is_cancelled_continues_for_the_others(session: Session, platform: Platform) -> None:
    gate = asyncio.Event()
    platform.expire_session()
    platform.on(LOG_IN, after(gate, answer(200, {"sessionToken": "hush-late"})))
    platform.tokens.add("hush-late")
    first = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(LOG_IN, 2)
    second = asyncio.create_task(session.accounts.get(NAME))
    await asyncio.sleep(0.02)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.set()
    assert (await second).account_name == NAME
    assert platform.count(LOG_IN) == 2


@pytest.mark.parametrize("left", [-5, 0, 1])
async def test_an_oauth_token_that_is_about_to_expire_is_still_used(platform: Platform, left: int) -> None:
    platform.expires_in = left
    async with platform.session() as session:
        for _ in range(5):
            await session.accounts.get(NAME)
    assert platform.count(TOKEN) <= 3


async def test_an_oauth_token_is_renewed_before_it_expires(platform: Platform) -> None:
    platform.expires_in = 2
    async with platform.session() as session:
        await session.accounts.get(NAME)
        await asyncio.sleep(1.5)
        await session.accounts.get(NAME)
        async with asyncio.timeout(20):
            while platform.count(TOKEN) < 2:  # The call does not wait for the renewal.
                await asyncio.sleep(0.01)
    assert platform.count(TOKEN) == 2
    assert len(platform.calls) == len([call for call in platform.calls if call.key == TOKEN or call.bearer])


async def test_log_out_ends_the_session_and_the_next_call_starts_another(session: Session, platform: Platform) -> None:
    (token,) = platform.tokens
    result = await session.log_out()
    assert result.session_token is not None
    assert result.session_token.reveal() == token
    assert platform.tokens == set()
    assert (await session.log_out()).session_token is None
    assert platform.count(LOG_OUT) == 1
    await session.accounts.get(NAME)
    assert platform.count(LOG_IN) == 2


async def test_the_error_of_a_failed_logout_does_not_show_the_token(session: Session, platform: Platform) -> None:
    (token,) = platform.tokens
    platform.on(LOG_OUT, answer(500, {"errorCode": "X", "errorMessage": f"cannot end {token}"}))
    with raises(ServerFault) as caught:
        await session.log_out()
    assert "cannot end" in str(caught)
    assert platform.count(LOG_OUT) == 1


async def test_a_revoked_oauth_token_is_replaced_at_the_next_call(session: Session, platform: Platform) -> None:
    (bearer,) = platform.bearers
    await session.revoke_oauth_token()
    (call,) = platform.seen(REVOKE)
    assert call.headers["authorization"].startswith("Basic ")
    assert call.body.decode() == f"grant_type=client_credentials&token={bearer}"
    await session.accounts.get(NAME)
    assert platform.count(TOKEN) == 2
    assert platform.calls[-1].bearer != bearer


async def test_the_error_of_a_failed_revocation_does_not_show_the_token(session: Session, platform: Platform) -> None:
    (bearer,) = platform.bearers
    platform.always(REVOKE, answer(400, {"error": "invalid_request", "error_description": f"no token {bearer}"}))
    with raises(BadRequest) as caught:
        await session.revoke_oauth_token()
    assert "no token" in str(caught)
    platform.always(REVOKE, hang_up)
    with raises(AnswerLost):
        await session.revoke_oauth_token()


async def test_the_key_is_sent_only_to_the_token_server(session: Session, platform: Platform) -> None:
    await session.accounts.get(NAME)
    for call in platform.calls:
        assert call.headers["authorization"].startswith("Basic " if call.key == TOKEN else "Bearer ")
        assert ("vz-m2m-token" in call.headers) == (call.key == ACCOUNT)
        assert call.headers["accept"] == "application/json"
    token, log_in, account = platform.calls
    assert token.body == b"grant_type=client_credentials"
    assert log_in.json == {"username": platform.username, "password": platform.password}
    assert account.headers["content-type"] == "application/json"


async def test_an_oauth_token_refused_at_logout_is_renewed(platform: Platform) -> None:
    async with platform.session():
        platform.expire_bearer()
    assert platform.tokens == set()
    assert (platform.count(TOKEN), platform.count(LOG_OUT), platform.count(LOG_IN)) == (2, 2, 1)


async def test_a_failed_renewal_raises_its_own_error(session: Session, platform: Platform) -> None:
    platform.expire_bearer()
    platform.always(TOKEN, answer(401, {"error": "invalid_client", "error_description": "key was withdrawn"}))
    with raises(Unauthorized) as caught:
        await session.accounts.get(NAME)
    assert isinstance(caught.error, ApiError)
    assert caught.error.operation == "oauth.token"
    assert "key was withdrawn" in str(caught)
    platform._always.clear()


async def test_a_token_fetch_overtakes_calls_that_wait_for_a_connection(platform: Platform) -> None:
    """The waiting calls need the token: queued after them, it would come too late for all of them."""
    gate = asyncio.Event()
    async with platform.session(connections=2, timeout=5.0) as session:
        platform.on(ACCOUNT, *[after(gate, answer(200, {}))] * 2)
        busy = [asyncio.create_task(session.accounts.get(NAME)) for _ in range(20)]
        await platform.until_seen(ACCOUNT, 2)
        platform.expire_session()
        await asyncio.wait_for(session.log_in(), 1.0)
        gate.set()
        await asyncio.gather(*busy)
