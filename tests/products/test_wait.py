"""Waiting without a receiver: the status of a request is asked for until the platform has ended it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from thingspace_async import Accepted, Session, errors
from thingspace_async.accounts import RequestStatus
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.faults import Delay
from thingspace_async.simulator.late import Work

ACCOUNT = "0000123456-00001"
SOON = timedelta(milliseconds=5)
OPERATION = "accounts.request_status"


async def _asked(simulator: Simulator, times: int) -> None:
    """Wait until the platform was asked so often."""
    async with asyncio.timeout(10):
        while simulator.count(OPERATION) < times:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("failed", [False, True])
async def test_a_request_is_asked_after_until_it_has_ended_and_failure_is_an_answer(
    thingspace_simulator: Simulator,
    thingspace_session: Session,
    *,
    failed: bool,
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=60, fails=failed))
    waiting = asyncio.create_task(thingspace_session.accounts.wait(ACCOUNT, accepted, interval=SOON))
    await _asked(thingspace_simulator, 3)
    assert not waiting.done()
    thingspace_simulator.clock.advance(61)
    result = await waiting
    assert (result.request_id, result.failed) == (accepted.request_id, failed)
    assert failed or result.status is RequestStatus.SUCCESS


async def test_what_has_ended_already_is_asked_once(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=0))
    assert not (await thingspace_session.accounts.wait(ACCOUNT, accepted)).failed
    assert thingspace_simulator.count(OPERATION) == 1


async def test_a_status_that_nobody_knows_is_not_taken_for_an_end(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=0))
    thingspace_simulator.faults.add(OPERATION, Status(200, {"status": "InReview"}), times=2)
    result = await thingspace_session.accounts.wait(ACCOUNT, accepted, interval=SOON)
    assert result.status is RequestStatus.SUCCESS
    assert thingspace_simulator.count(OPERATION) == 3


async def test_intervals_rise_up_to_the_longest(
    thingspace_simulator: Simulator, thingspace_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=3600))
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 11:
            thingspace_simulator.clock.advance(3600)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted)
    await thingspace_session.accounts.wait(ACCOUNT, accepted)
    assert pauses[:4] == [2.0, 3.0, 4.5, 6.75]
    assert pauses == sorted(pauses)
    assert pauses[-2:] == [60.0, 60.0]


async def test_at_the_timeout_an_error_says_that_the_request_is_under_way_still(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=60))
    accounts = thingspace_session.accounts
    with pytest.raises(errors.RequestPending, match=rf"{accepted.request_id} was still under way after 0\.1 s"):
        await accounts.wait(ACCOUNT, accepted, timeout=timedelta(seconds=0.1), interval=SOON)
    assert thingspace_simulator.count(OPERATION) > 1
    thingspace_simulator.clock.advance(61)
    assert not (await accounts.wait(ACCOUNT, accepted)).failed


async def test_an_answer_that_does_not_come_holds_up_no_longer_than_the_timeout(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request())
    thingspace_simulator.faults.add(OPERATION, Delay(30))
    begun = asyncio.get_running_loop().time()
    with pytest.raises(errors.RequestPending):
        await thingspace_session.accounts.wait(ACCOUNT, accepted, timeout=timedelta(seconds=0.1))
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_request_about_several_devices_is_refused_with_what_to_do_instead(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    sims = [[{"id": f"8914800000000000000{number}", "kind": "iccid"}] for number in range(2)]
    accepted = Accepted(request_id=thingspace_simulator.accept([Work(sim, lambda: None) for sim in sims]))
    with pytest.raises(errors.StatusNotOffered, match=r"a single device only.*session\.listen") as caught:
        await thingspace_session.accounts.wait(ACCOUNT, accepted)
    assert (caught.value.status, caught.value.operation) == (400, OPERATION)
    assert caught.value.short_code == "REQUEST_FAILED.UnexpectedError"
    assert isinstance(caught.value, errors.BadRequest)


async def test_an_unknown_account_is_not_taken_for_a_request_without_a_status(thingspace_session: Session) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        await thingspace_session.accounts.wait("9999999999-99999", Accepted(request_id="a"))
    assert caught.value.short_code == "REQUEST_FAILED.AccountNotFound"
    assert not isinstance(caught.value, errors.StatusNotOffered)


async def test_a_refusal_after_a_status_was_told_is_passed_on_as_it_is(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request())
    waiting = asyncio.create_task(thingspace_session.accounts.wait(ACCOUNT, accepted, interval=SOON))
    await _asked(thingspace_simulator, 1)
    thingspace_simulator.faults.add(OPERATION, Status(400, {"errorCode": "A.B", "errorMessage": "No more."}))
    with pytest.raises(errors.BadRequest, match="No more") as caught:
        await waiting
    assert not isinstance(caught.value, errors.StatusNotOffered)


async def test_a_cancelled_wait_asks_no_more(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request())
    waiting = asyncio.create_task(thingspace_session.accounts.wait(ACCOUNT, accepted, interval=SOON))
    await _asked(thingspace_simulator, 2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    asked = thingspace_simulator.count(OPERATION)
    await asyncio.sleep(0.05)
    assert thingspace_simulator.count(OPERATION) == asked


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"accepted": "a"}, "give what the request answered, Accepted, not str"),
        ({"timeout": 60}, "timeout must be a timedelta, not int"),
        ({"timeout": timedelta()}, "timeout must be more than zero"),
        ({"interval": timedelta(seconds=-1)}, "interval must be more than zero"),
        ({"longest_interval": timedelta()}, "longest_interval must be more than zero"),
    ],
)
async def test_what_cannot_be_waited_for_is_refused_and_nothing_sent(
    thingspace_simulator: Simulator, thingspace_session: Session, wrong: dict[str, Any], told: str
) -> None:
    given = {"accepted": Accepted(request_id="a"), **wrong}
    with pytest.raises(errors.InvalidRequest, match=f"accounts.wait: {told}"):
        await thingspace_session.accounts.wait(ACCOUNT, **given)
    assert thingspace_simulator.count(OPERATION) == 0
