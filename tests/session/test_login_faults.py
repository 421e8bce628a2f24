"""Failed logins: which failures count towards the lock-out, and which do not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    LOG_IN,
    NAME,
    RESET,
    TOKEN,
    WRONG_PASSWORD,
    Answer,
    Call,
    Link,
    Platform,
    answer,
    hang_up,
    head,
    raw,
    reset,
)
from thingspace_async import Credentials, Environment, Secret, Session, errors
from thingspace_async._core.environment import _bases
from thingspace_async.errors import AnswerLost, LoginRefused, RequestNotSent, ServerFault, ThingSpaceError

WRONG = "hush-wrong"
NO_VERDICT = [pytest.param(answer(503, b""), id="503"), pytest.param(answer(429, b"", {"Retry-After": "0"}), id="429")]
FIREWALL = [pytest.param(answer(status, b"<html>Access denied</html>"), id=str(status)) for status in (400, 401, 403)]


async def fail_to_open(session: Session, *, force: bool = False) -> ThingSpaceError:
    """Open a session, expect a failure, and return the error."""
    try:
        await session.open(force=force)
    except ThingSpaceError as error:
        return error
    await session.close()
    raise AssertionError("the session opened")


class Resolver(AbstractResolver):
    """Resolve the first name to loopback, and later ones only after a release."""

    def __init__(self) -> None:
        self.asked = 0
        self.released = asyncio.Event()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        if self.asked > 1:
            await self.released.wait()
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        self.released.set()


@contextlib.asynccontextmanager
async def never_connecting(platform: Platform, **options: Any) -> AsyncIterator[tuple[Session, Resolver]]:
    """Make a session with an OAuth token whose login waits for a connection until the block ends."""
    platform.bearers = {"hush-bearer"}
    body = json.dumps({"access_token": "hush-bearer", "token_type": "Bearer", "expires_in": 3600}).encode()
    platform.on(TOKEN, raw(head(200, len(body), {"Connection": "close"}) + body))
    resolver = Resolver()
    async with aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False) as connector:
        environment = Environment.at(f"http://localhost:{platform.port}")
        yield platform.session(environment=environment, connector=connector, retries=0, **options), resolver
        resolver.released.set()


# Failures that change no count


@pytest.mark.parametrize("no_verdict", NO_VERDICT)
async def test_an_answer_without_a_verdict_keeps_the_count_of_lost_answers(
    platform: Platform, no_verdict: Answer
) -> None:
    """Otherwise a server that alternates between both would receive a wrong password for ever."""
    platform.on(LOG_IN, *[reset, no_verdict] * 6)
    for _ in range(12):
        await fail_to_open(platform.session(password=WRONG, retries=0))
    assert platform.count(LOG_IN) == 3


async def test_a_login_that_was_not_sent_keeps_the_count_of_lost_answers(platform: Platform) -> None:
    environment = Environment.at(f"http://localhost:{platform.port}")
    platform.always(LOG_IN, reset)
    await fail_to_open(platform.session(environment=environment, retries=0))
    async with never_connecting(platform, connect_timeout=0.1) as (session, _):
        assert isinstance(await fail_to_open(session), RequestNotSent)
    for _ in range(4):
        await fail_to_open(platform.session(environment=environment, retries=0))
    assert platform.count(LOG_IN) == 2


@pytest.mark.parametrize("no_verdict", NO_VERDICT)
async def test_answers_without_a_verdict_do_not_block_a_password(platform: Platform, no_verdict: Answer) -> None:
    platform.on(LOG_IN, *[no_verdict] * 6)
    for _ in range(6):
        assert not isinstance(await fail_to_open(platform.session(retries=0)), LoginRefused)
    async with platform.session():
        assert platform.count(LOG_IN) == 7


@pytest.mark.parametrize("cancelled", [True, False])
async def test_logins_that_never_had_a_connection_do_not_block_a_password(
    platform: Platform, *, cancelled: bool
) -> None:
    for _ in range(3):
        async with never_connecting(platform, connect_timeout=30 if cancelled else 0.1) as (session, resolver):
            opening = asyncio.create_task(session.open())
            async with asyncio.timeout(5):
                while resolver.asked < 2 and not opening.done():
                    await asyncio.sleep(0.001)
            if cancelled:
                opening.cancel()
            with pytest.raises((asyncio.CancelledError, RequestNotSent)):
                await opening
    assert platform.count(LOG_IN) == 0
    async with platform.session(environment=Environment.at(f"http://localhost:{platform.port}")) as ready:
        assert await ready.accounts.get(NAME)


# Three refusals


async def test_a_user_is_refused_three_times_at_most_whatever_the_passwords(platform: Platform) -> None:
    for turn in range(6):
        error = await fail_to_open(platform.session(password=f"{WRONG}-{turn}"))
        assert isinstance(error, LoginRefused)
    assert "force=True" in str(error)
    assert platform.count(LOG_IN) == 3


async def test_different_typos_through_log_in_are_refused_three_times_at_most(
    session: Session, platform: Platform
) -> None:
    for turn in range(6):
        with raises(LoginRefused):
            await session.log_in(password=f"{WRONG}-{turn}")
    assert platform.count(LOG_IN) == 1 + 3


async def test_refusals_and_lost_answers_of_unknown_passwords_count_together(platform: Platform) -> None:
    platform.on(LOG_IN, answer(400, WRONG_PASSWORD), reset, answer(400, WRONG_PASSWORD), reset)
    for turn in range(6):
        await fail_to_open(platform.session(password=f"{WRONG}-{turn}", retries=0))
    assert platform.count(LOG_IN) == 3


async def test_the_password_accepted_last_is_sent_after_three_refusals(session: Session, platform: Platform) -> None:
    for turn in range(4):
        await fail_to_open(platform.session(password=f"{WRONG}-{turn}"))
    async with platform.session() as other:
        await other.accounts.get(NAME)


async def test_force_sends_a_new_password_after_three_refusals(platform: Platform) -> None:
    for turn in range(4):
        await fail_to_open(platform.session(password=f"{WRONG}-{turn}"))
    assert isinstance(await fail_to_open(platform.session()), LoginRefused)
    assert platform.count(LOG_IN) == 3
    session = await platform.session().open(force=True)
    await session.close()
    assert platform.count(LOG_IN) == 4


async def test_an_accepted_login_starts_the_count_again(platform: Platform) -> None:
    for turn in range(2):
        await fail_to_open(platform.session(password=f"{WRONG}-{turn}"))
    async with platform.session():
        pass
    for turn in range(2, 8):
        await fail_to_open(platform.session(password=f"{WRONG}-{turn}"))
    assert platform.count(LOG_IN) == 2 + 1 + 3


# Pages of a firewall, and a locked user


@pytest.mark.parametrize("page", FIREWALL)
async def test_a_later_login_works_after_a_page_of_a_firewall(
    session: Session, platform: Platform, page: Answer
) -> None:
    platform.expire_session()
    platform.on(LOG_IN, page)
    with pytest.raises(ThingSpaceError) as caught:
        await session.accounts.get(NAME)
    assert not isinstance(caught.value, LoginRefused)
    assert "check username and password" not in str(caught.value)
    assert await session.accounts.get(NAME)


@pytest.mark.parametrize("page", FIREWALL)
async def test_a_firewalls_pages_count_as_unanswered(platform: Platform, page: Answer) -> None:
    platform.always(LOG_IN, page)
    for _ in range(5):
        await fail_to_open(platform.session(password=WRONG, retries=0))
    assert platform.count(LOG_IN) == 2


@pytest.mark.parametrize("code", ["INPUT_INVALID.Password.Invalid", "REQUEST_FAILED.UserLocked"])
async def test_a_locked_user_has_an_error_of_its_own(platform: Platform, code: str) -> None:
    """The error code of a locked user is not documented, so the message must be enough."""
    locked = {"errorCode": f"UnifiedWebService.{code}", "errorMessage": "The user is locked."}
    platform.always(LOG_IN, answer(400, locked))
    for _ in range(2):
        error = await fail_to_open(platform.session())
        assert type(error) is errors.UserLocked
        assert isinstance(error, LoginRefused)
        assert "support" in str(error)
        assert "check username and password" not in str(error)
    assert platform.count(LOG_IN) == 1


# The provider of credentials


async def test_all_calls_share_one_question_to_the_provider_after_a_refusal(platform: Platform) -> None:
    asked = 0

    async def ask() -> Credentials:
        nonlocal asked
        asked += 1
        return old

    old = platform.credentials()
    async with Session(ask, environment=Environment.at(platform.url), retries=0) as session:
        platform.password = "hush-rotated"
        platform.expire_session()
        results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(100)), return_exceptions=True)
        for _ in range(20):
            with raises(LoginRefused):
                await session.accounts.get(NAME)
    assert {type(result) for result in results} == {LoginRefused}
    assert asked == 2
    assert platform.count(LOG_IN) == 2


async def test_log_in_asks_the_provider_for_a_changed_password(platform: Platform) -> None:
    async def ask() -> Credentials:
        return platform.credentials()

    async with Session(ask, environment=Environment.at(platform.url), retries=0) as session:
        platform.password = "hush-rotated"
        await session.log_in()
        assert session.credentials.password.reveal() == "hush-rotated"


async def test_the_note_of_a_provider_that_failed_repeats_no_secret(platform: Platform) -> None:
    given = [platform.credentials(password=WRONG)]

    async def ask() -> Credentials:
        if given:
            return given.pop()
        raise LookupError(f"the vault holds {WRONG}")

    with raises(LoginRefused) as caught:
        await Session(ask, environment=Environment.at(platform.url), retries=0).open()
    assert any("the vault holds" in note for note in caught.error.__notes__)


# Tokens


@pytest.mark.parametrize("lifetime", ["3600", 3599.5, 1e300, None, -1])
async def test_an_unusual_lifetime_of_the_oauth_token_does_not_prevent_the_login(
    platform: Platform, lifetime: object
) -> None:
    platform.bearers = {"hush-odd"}
    body = {"access_token": "hush-odd", "token_type": "Bearer", "expires_in": lifetime}
    platform.always(TOKEN, answer(200, body))
    async with platform.session() as session:
        assert await session.accounts.get(NAME)


async def test_an_invalid_token_is_a_rejected_bearer(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, answer(401, {"error": "invalid_token"}))
    assert await session.accounts.get(NAME)
    assert (platform.count(TOKEN), platform.count(LOG_IN)) == (2, 1)


async def test_a_thousand_waiting_calls_share_a_failed_login(platform: Platform) -> None:
    asyncio.get_running_loop().set_debug(False)  # Debug mode makes each request take 3 ms.
    async with platform.session(connections=1000) as session:
        await session.log_out()
        platform.on(LOG_IN, hang_up)
        results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(1000)), return_exceptions=True)
    assert {type(result) for result in results} == {AnswerLost}
    assert platform.count(LOG_IN) == 2


async def test_the_oauth_token_is_used_until_it_ends_if_it_cannot_be_renewed(platform: Platform) -> None:
    """Early renewal is optional: if it fails, calls keep using the valid token."""
    platform.expires_in = 6  # Renewal is due after half of it. The other half is for a slow machine.
    async with platform.session(retries=0) as session:
        platform.always(TOKEN, answer(503, b""))
        await asyncio.sleep(3.1)
        assert await session.accounts.get(NAME)
        await platform.until_seen(TOKEN, 2)
        platform.expire_bearer()
        with raises(ServerFault):
            await session.accounts.get(NAME)
        platform.always(TOKEN, answer(200, {"access_token": "hush-2", "token_type": "Bearer", "expires_in": 3600}))
        platform.bearers = {"hush-2"}
        assert await session.accounts.get(NAME)


def test_the_host_of_an_environment_is_the_host_of_its_logins() -> None:
    bases = _bases("https://login.example", m2m="https://devices.example")
    assert Environment("split", bases).host == "login.example"


# A reset that the end of the event loop cuts off


async def test_a_password_is_returned_or_its_loss_logged_when_the_loop_ends_during_a_reset(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    passwords: list[Secret] = []

    async def late(call: Call, link: Link) -> None:
        await asyncio.sleep(0.3)
        await answer(200, {"newPassword": "hush-chosen"})(call, link)

    async def work() -> None:
        async with platform.session() as session:
            await session.reset_password(passwords.append)

    async def end_early() -> asyncio.Task[None]:
        task = asyncio.create_task(work())
        while not platform.count(RESET) and not task.done():
            await asyncio.sleep(0.001)
        return task  # asyncio.run cancels it.

    platform.on(RESET, late)
    await asyncio.to_thread(asyncio.run, end_early())
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert passwords or any("unknown" in text for text in logged)
