"""PROTOCOL.md 1.2, 1.3 and 2: sessions, the lock-out, and the reset of the password."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.simulator.api import LOG_IN, LOG_OUT, RESET, Api
from thingspace_async.simulator import Assumptions

Serve = Callable[..., Awaitable[Api]]

EXPIRED = (400, "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired")
FORMAT = (400, "UnifiedWebService.REQUEST_FAILED.SessionToken.Format")
UNKNOWN = (400, "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid")
REFUSED = (400, "UnifiedWebService.INPUT_INVALID.Password.Invalid")

IDLE = timedelta(minutes=20)
NEARLY = IDLE - timedelta(seconds=30)


async def test_a_session_token_is_a_guid_and_nothing_else_is_answered(api: Api) -> None:
    answer = await api.log_in()
    assert set(answer.json) == {"sessionToken"}
    assert str(uuid.UUID(answer.json["sessionToken"])) == answer.json["sessionToken"]


async def test_a_session_lives_as_long_as_it_is_used(api: Api) -> None:
    for _ in range(3):
        api.cloud.clock.advance(NEARLY)
        api.bearer = (await api.token()).json["access_token"]
        assert (await api.account()).status == 200


async def test_a_session_that_is_idle_for_twenty_minutes_has_expired(api: Api) -> None:
    api.cloud.clock.advance(IDLE)
    answer = await api.account()
    assert answer.refusal == EXPIRED
    assert answer.json["errorMessage"] == "The Session has expired"


async def test_a_call_does_not_revive_an_expired_session(api: Api) -> None:
    api.cloud.expire_sessions()
    assert (await api.account()).refusal == EXPIRED
    assert (await api.account()).refusal == EXPIRED


async def refused_call(api: Api) -> None:
    assert (await api.send("GET", "/api/m2m/v1/accounts/9")).status == 400


async def test_a_refused_call_keeps_the_session_alive(api: Api) -> None:
    api.cloud.clock.advance(NEARLY)
    await refused_call(api)
    api.cloud.clock.advance(NEARLY)
    assert (await api.account()).status == 200


async def test_a_refused_call_can_be_switched_to_count_as_idleness(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(refused_calls_keep_session=False))
    api.cloud.clock.advance(NEARLY)
    await refused_call(api)
    api.cloud.clock.advance(NEARLY)
    assert (await api.account()).refusal == EXPIRED


async def test_an_age_can_be_set_at_which_even_a_busy_session_ends(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(longest_session=timedelta(minutes=30)))
    api.cloud.clock.advance(NEARLY)
    assert (await api.account()).status == 200
    api.cloud.clock.advance(NEARLY)
    assert (await api.account()).refusal == EXPIRED


async def test_several_sessions_of_one_user_live_side_by_side(api: Api) -> None:
    await api.log_in()
    assert (await api.account()).status == 200


async def test_sessions_can_be_switched_to_be_exclusive(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(exclusive_sessions=True))
    second = (await api.log_in()).json["sessionToken"]
    assert (await api.account()).refusal == UNKNOWN
    api.session = second
    assert (await api.account()).status == 200


async def test_a_call_without_a_session_token_is_refused_for_its_format(api: Api) -> None:
    api.session = None
    assert (await api.account()).refusal == FORMAT


@pytest.mark.parametrize("token", ["no-guid", "7e4a1c1a-9fb0-4ef7-9d10-6fd4a9d4c0f5"])
async def test_an_invented_session_token_is_invalid(api: Api, token: str) -> None:
    api.session = token
    assert (await api.account()).refusal == UNKNOWN


async def test_a_forgotten_session_is_invalid(api: Api) -> None:
    api.cloud.end_sessions()
    assert (await api.account()).refusal == UNKNOWN


async def test_logging_out_confirms_the_token_and_ends_it(api: Api) -> None:
    answer = await api.log_out()
    assert (answer.status, answer.json) == (200, {"sessionToken": api.session})
    assert (await api.account()).refusal == UNKNOWN


async def test_logging_out_needs_a_session_token(api: Api) -> None:
    api.session = None
    assert (await api.log_out()).refusal == FORMAT


async def test_logging_out_of_an_expired_session_is_refused(api: Api) -> None:
    api.cloud.expire_sessions()
    assert (await api.log_out()).refusal == EXPIRED


async def test_logging_out_of_an_expired_session_can_be_switched_to_succeed(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(expired_session_logs_out=True))
    api.cloud.expire_sessions()
    assert (await api.account()).refusal == EXPIRED
    assert (await api.log_out()).json == {"sessionToken": api.session}


async def test_a_wrong_password_and_an_unknown_user_look_alike(api: Api) -> None:
    assert (await api.log_in("wrong")).refusal == REFUSED
    assert (await api.log_in(username="nobody")).refusal == REFUSED


async def test_five_wrong_passwords_in_a_row_lock_the_user_for_good(api: Api) -> None:
    for _ in range(5):
        assert (await api.log_in("wrong")).refusal == REFUSED
    api.cloud.clock.advance(timedelta(days=30))
    api.bearer = (await api.token()).json["access_token"]
    assert (await api.log_in()).refusal == REFUSED
    api.cloud.unlock_user()
    assert (await api.log_in()).status == 200


async def test_the_right_password_resets_the_count(api: Api) -> None:
    for _ in range(2):
        for _ in range(4):
            await api.log_in("wrong")
        assert (await api.log_in()).status == 200


async def test_one_users_wrong_passwords_lock_no_other_user(api: Api) -> None:
    api.cloud.add_user("second", "secret2")
    for _ in range(5):
        await api.log_in("wrong")
    assert (await api.log_in("secret2", "second")).status == 200


async def test_a_user_can_be_locked_and_the_refusals_told_apart(serve: Serve) -> None:
    told = Assumptions(refused_login_status=403, refused_login_code="X.Wrong", locked_user_code="X.Locked")
    api = await serve(assumptions=told)
    assert (await api.log_in("wrong")).refusal == (403, "X.Wrong")
    api.cloud.lock_user()
    assert (await api.log_in()).refusal == (403, "X.Locked")


async def test_a_locked_users_session_goes_on(api: Api) -> None:
    api.cloud.lock_user()
    assert (await api.account()).status == 200


async def reset(api: Api, old: str | None = None) -> tuple[int, str]:
    old = api.cloud.credentials.password.reveal() if old is None else old
    answer = await api.send("PUT", RESET, json={"oldPassword": old})
    if answer.status != 200:
        return answer.refusal
    assert set(answer.json) == {"newPassword"}
    return 200, answer.json["newPassword"]


async def test_a_reset_password_is_the_platforms_choice_and_works_at_once(api: Api) -> None:
    before = api.cloud.credentials.password.reveal()
    status, password = await reset(api)
    assert status == 200
    assert re.fullmatch("[0-9A-Za-z]{12}", password)
    assert password != before
    assert api.cloud.credentials.password.reveal() == password
    assert (await api.log_in(before)).refusal == REFUSED
    assert (await api.log_in(password)).status == 200


async def test_a_session_survives_the_reset_of_its_password(api: Api) -> None:
    await reset(api)
    assert (await api.account()).status == 200


async def test_a_reset_can_be_switched_to_end_the_users_sessions(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(session_survives_reset=False))
    assert (await reset(api))[0] == 200
    assert (await api.account()).refusal == UNKNOWN


async def test_a_reset_with_the_wrong_password_changes_nothing_and_does_not_count(api: Api) -> None:
    before = api.cloud.credentials
    for _ in range(6):
        assert await reset(api, "wrong") == REFUSED
    assert api.cloud.credentials == before
    assert (await api.log_in()).status == 200


async def test_a_reset_with_the_wrong_password_can_be_switched_to_count(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(wrong_old_password_counts=True))
    for _ in range(5):
        assert await reset(api, "wrong") == REFUSED
    assert (await api.log_in()).refusal == REFUSED


async def test_a_password_can_be_changed_behind_the_clients_back(api: Api) -> None:
    before = api.cloud.credentials.password.reveal()
    api.cloud.set_password("another1")
    assert (await api.log_in(before)).refusal == REFUSED
    assert (await api.log_in("another1")).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "INPUT_INVALID.RequestUndefined"),
        (b"{", "DeserializationFailed"),
        (b"[]", "DeserializationFailed"),
        (b'{"username": "u"}', "DeserializationFailed"),
        (b'{"username": "u", "password": null}', "DeserializationFailed"),
        (b'{"username": "u", "password": 1}', "REQUEST_FAILED.UnexpectedError"),
        (b'{"username": "u", "password": "<"}', "INPUT_INVALID.Request.InvalidCharacter"),
    ],
)
async def test_a_login_that_cannot_be_read_says_why(api: Api, body: bytes, code: str) -> None:
    assert (await api.send("POST", LOG_IN, data=body)).refusal == (400, f"UnifiedWebService.{code}")


async def test_a_missing_element_is_named(api: Api) -> None:
    answer = await api.send("POST", LOG_IN, json={"username": "u"})
    assert "Expecting element 'password'" in answer.json["errorMessage"]


async def test_headers_are_found_whatever_their_case(api: Api) -> None:
    headers = {"authorization": f"bearer {api.bearer}", "vz-m2m-token": str(api.session)}
    assert (await api.send("POST", LOG_OUT, headers=headers)).status == 200
