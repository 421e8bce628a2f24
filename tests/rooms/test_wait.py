"""Waiting without a receiver: the client polls the status of a request until it has finished."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from thingspace_async import Accepted, Session, errors
from thingspace_async.accounts import RequestStatus
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.faults import Delay
from thingspace_async.simulator.late_requests import Work

ACCOUNT = "0000123456-00001"
SOON = timedelta(milliseconds=5)
OPERATION = "accounts.request_status"


async def _asked(simulator: Simulator, times: int) -> None:
    """Wait until the platform was asked this many times."""
    async with asyncio.timeout(10):
        while simulator.count(OPERATION) < times:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("failed", [False, True])
async def test_a_request_is_polled_until_it_has_finished_and_a_failure_is_returned(
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


async def test_a_finished_request_is_polled_once(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=0))
    assert not (await thingspace_session.accounts.wait(ACCOUNT, accepted)).failed
    assert thingspace_simulator.count(OPERATION) == 1


async def test_an_unknown_status_does_not_end_the_wait(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=0))
    thingspace_simulator.faults.add(OPERATION, Status(200, {"status": "InReview"}), times=2)
    result = await thingspace_session.accounts.wait(ACCOUNT, accepted, interval=SOON)
    assert result.status is RequestStatus.SUCCESS
    assert thingspace_simulator.count(OPERATION) == 3


async def test_intervals_grow_up_to_the_longest(
    thingspace_simulator: Simulator, thingspace_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=3600))
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        if seconds:  # Requests call sleep(0) so that the loop checks their connection.
            pauses.append(seconds)
        if seconds and len(pauses) == 11:
            thingspace_simulator.clock.advance(3600)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted)
    await thingspace_session.accounts.wait(ACCOUNT, accepted)
    assert pauses[:4] == [2.0, 3.0, 4.5, 6.75]
    assert pauses == sorted(pauses)
    assert pauses[-2:] == [60.0, 60.0]


async def test_the_timeout_error_says_that_the_request_is_still_in_progress(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request(seconds=60))
    accounts = thingspace_session.accounts
    with pytest.raises(errors.RequestPending, match=rf"{accepted.request_id} was not finished after 0\.1 s: call "):
        await accounts.wait(ACCOUNT, accepted, timeout=timedelta(seconds=0.1), interval=SOON)
    assert thingspace_simulator.count(OPERATION) > 1
    thingspace_simulator.clock.advance(61)
    assert not (await accounts.wait(ACCOUNT, accepted)).failed


async def test_a_missing_answer_does_not_delay_the_timeout(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request())
    thingspace_simulator.faults.add(OPERATION, Delay(30))
    begun = asyncio.get_running_loop().time()
    with pytest.raises(errors.RequestPending):
        await thingspace_session.accounts.wait(ACCOUNT, accepted, timeout=timedelta(seconds=0.1))
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_request_for_several_devices_is_refused_with_an_alternative(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    sims = [[{"id": f"8914800000000000000{number}", "kind": "iccid"}] for number in range(2)]
    accepted = Accepted(request_id=thingspace_simulator.accept([Work(sim, lambda: None) for sim in sims]))
    with pytest.raises(errors.StatusNotOffered, match=r"of a single device.*session\.listen") as caught:
        await thingspace_session.accounts.wait(ACCOUNT, accepted)
    assert (caught.value.status, caught.value.operation) == (400, OPERATION)
    assert caught.value.short_code == "REQUEST_FAILED.UnexpectedError"
    assert isinstance(caught.value, errors.BadRequest)


async def test_an_unknown_account_is_not_mistaken_for_a_request_without_a_status(thingspace_session: Session) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        await thingspace_session.accounts.wait("9999999999-99999", Accepted(request_id="a"))
    assert caught.value.short_code == "REQUEST_FAILED.AccountNotFound"
    assert not isinstance(caught.value, errors.StatusNotOffered)


async def test_a_refusal_after_a_status_is_raised_unchanged(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = Accepted(request_id=thingspace_simulator.add_request())
    waiting = asyncio.create_task(thingspace_session.accounts.wait(ACCOUNT, accepted, interval=SOON))
    await _asked(thingspace_simulator, 1)
    thingspace_simulator.faults.add(OPERATION, Status(400, {"errorCode": "A.B", "errorMessage": "No more."}))
    with pytest.raises(errors.BadRequest, match="No more") as caught:
        await waiting
    assert not isinstance(caught.value, errors.StatusNotOffered)


async def test_a_cancelled_wait_stops_polling(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
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
    ("wrong", "expected"),
    [
        ({"accepted": "a"}, "pass the Accepted that the request returned, not str"),
        ({"timeout": 60}, "timeout must be a timedelta, not int"),
        ({"timeout": timedelta()}, "timeout must be more than zero"),
        ({"interval": timedelta(seconds=-1)}, "interval must be more than zero"),
        ({"longest_interval": timedelta()}, "longest_interval must be more than zero"),
    ],
)
async def test_waiting_for_an_invalid_request_is_refused_before_anything_is_sent(
    thingspace_simulator: Simulator, thingspace_session: Session, wrong: dict[str, Any], expected: str
) -> None:
    given = {"accepted": Accepted(request_id="a"), **wrong}
    with pytest.raises(errors.InvalidRequest, match=f"accounts.wait: {expected}"):
        await thingspace_session.accounts.wait(ACCOUNT, **given)
    assert thingspace_simulator.count(OPERATION) == 0
