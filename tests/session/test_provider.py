"""Credentials from a provider, which may return others later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.session.checks import raises
from tests.session.fake import LOG_IN, NAME, TOKEN, Platform
from thingspace_async import Credentials, Environment, Session
from thingspace_async._core import login
from thingspace_async.errors import ConfigurationError, LoginRefused, SessionClosed, Unauthorized

WRONG = "hush-wrong"


class Manager:
    """A secret manager."""

    def __init__(self, *answers: Credentials | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self) -> Credentials:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def session(platform: Platform, manager: Callable[[], Any]) -> Session:
    return Session(manager, environment=Environment.at(platform.url), retries=0)


async def test_the_provider_is_asked_once_on_opening(platform: Platform) -> None:
    manager = Manager(platform.credentials())
    unopened = session(platform, manager)
    with raises(SessionClosed):
        _ = unopened.credentials
    async with unopened:
        await unopened.accounts.get(NAME)
        platform.expire_session()
        await unopened.accounts.get(NAME)
        assert unopened.credentials == platform.credentials()
    assert manager.asked == 1


async def test_a_new_password_is_tried_once_after_a_refusal(platform: Platform) -> None:
    manager = Manager(platform.credentials(password=WRONG), platform.credentials())
    async with session(platform, manager) as ready:
        await ready.accounts.get(NAME)
    assert (manager.asked, platform.count(LOG_IN)) == (2, 2)


async def test_the_provider_is_asked_for_a_new_password_when_the_old_one_is_refused(platform: Platform) -> None:
    manager = Manager(platform.credentials())
    async with session(platform, manager) as ready:
        platform.password = "hush-rotated"
        manager.answers = [platform.credentials()]
        platform.expire_session()
        await asyncio.gather(*(ready.accounts.get(NAME) for _ in range(20)))
    assert (manager.asked, platform.count(LOG_IN)) == (2, 3)


async def test_the_same_password_is_not_tried_again(platform: Platform) -> None:
    manager = Manager(platform.credentials(password=WRONG))
    with raises(LoginRefused):
        await session(platform, manager).open()
    assert (manager.asked, platform.count(LOG_IN)) == (2, 1)


async def test_a_second_wrong_password_is_the_last(platform: Platform) -> None:
    manager = Manager(*(platform.credentials(password=f"{WRONG}-{turn}") for turn in range(9)))
    with raises(LoginRefused):
        await session(platform, manager).open()
    assert (manager.asked, platform.count(LOG_IN)) == (2, 2)


async def test_the_provider_is_asked_again_for_a_known_wrong_password_without_a_request(platform: Platform) -> None:
    with raises(LoginRefused):
        await platform.session(password=WRONG).open()
    manager = Manager(platform.credentials(password=WRONG), platform.credentials())
    async with session(platform, manager):
        pass
    assert (manager.asked, platform.count(LOG_IN)) == (2, 2)


async def test_the_provider_is_asked_for_a_new_key_when_the_old_one_is_refused(platform: Platform) -> None:
    manager = Manager(platform.credentials())
    platform.on(TOKEN, *[_refuse_key()] * 2)
    with raises(Unauthorized):
        await session(platform, manager).open()
    manager = Manager(platform.credentials(client_secret="hush-old-key"), platform.credentials())
    async with session(platform, manager):
        pass
    assert manager.asked == 2


def _refuse_key() -> Any:
    from tests.session.fake import answer

    return answer(401, {"error": "invalid_client", "error_description": "no such client"})


@pytest.mark.parametrize("name", ["username", "client_id"])
async def test_another_user_is_refused(platform: Platform, name: str) -> None:
    other = attrs.evolve(platform.credentials(), **{name: "other"})
    manager = Manager(platform.credentials(password=WRONG), other)
    with raises(LoginRefused) as caught:
        await session(platform, manager).open()
    assert any("another user's" in note for note in caught.error.__notes__)
    assert platform.count(LOG_IN) == 1


async def test_opening_fails_when_the_provider_fails(platform: Platform) -> None:
    manager = Manager(LookupError("the vault is sealed"), platform.credentials())
    unopened = session(platform, manager)
    with pytest.raises(LookupError, match="sealed"):
        await unopened.open()
    assert platform.calls == []
    async with unopened:
        await unopened.accounts.get(NAME)


async def test_a_provider_that_fails_later_leaves_the_refusal_as_the_error(platform: Platform) -> None:
    manager = Manager(platform.credentials(password=WRONG), LookupError("the vault is sealed"))
    with raises(LoginRefused) as caught:
        await session(platform, manager).open()
    assert any("the vault is sealed" in note for note in caught.error.__notes__)


async def test_waiting_for_a_provider_that_hangs_is_bounded(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_PROVIDER_WITHIN", 0.05)

    async def hang() -> Credentials:
        await asyncio.sleep(60)
        raise AssertionError

    with raises(ConfigurationError):
        await session(platform, hang).open()


async def test_a_provider_that_does_not_return_credentials_is_refused(platform: Platform) -> None:
    async def ask() -> object:
        return "hush-password"

    with raises(ConfigurationError):
        await session(platform, ask).open()
    with raises(ConfigurationError):
        Session("user:password")  # type: ignore[arg-type]  # the point


async def test_a_session_closed_while_it_asks_the_provider_does_not_open(platform: Platform) -> None:
    asking = asyncio.Event()
    answered = asyncio.Event()

    async def ask() -> Credentials:
        asking.set()
        await answered.wait()
        return platform.credentials()

    unopened = session(platform, ask)
    opening = asyncio.create_task(unopened.open())
    await asking.wait()
    await unopened.close()
    answered.set()
    with raises(SessionClosed):
        await opening
    assert platform.calls == []
