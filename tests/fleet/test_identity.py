"""Fleet runs: no device is lost because of how it is identified."""

from __future__ import annotations

import asyncio

from tests.fleet.staging import Stage, all_of, fleet, imei, new, results
from thingspace_async import DeviceId, DeviceIds
from thingspace_async.devices import FleetProgress, FleetResult

IMEIS = [DeviceId.imei(f"35{number:012}0") for number in range(3)]
ICCID = DeviceId.iccid("89148000000000000010")


async def test_a_device_that_shares_an_identifier_with_another_fails_and_names_it(stage: Stage) -> None:
    shared = [DeviceIds(device_ids=(one, ICCID)) for one in IMEIS]
    outcomes = await stage.all([*shared, *fleet(5, first=100)])
    found = results(outcomes)
    assert found == all_of(shared[1:], FleetResult.FAILED) | all_of(
        [shared[0], *fleet(5, first=100)], FleetResult.SUCCEEDED
    )
    reasons = {one.reason for one in outcomes if one.result is FleetResult.FAILED}
    assert len(reasons) == 1
    assert str(reasons.pop()).startswith(
        "not sent, because it shares an identifier with imei 350000000000000, iccid 89148000000000000010: "
    )
    assert len(stage.sent) == 6


async def test_clashes_are_reported_by_one_worker_and_again_as_repeats_by_the_next_run(stage: Stage) -> None:
    shared = [DeviceIds(device_ids=(one, ICCID)) for one in IMEIS]
    both = await asyncio.gather(stage.all(shared), stage.all(shared))
    outcomes = [one for some in both for one in some]
    assert len(results(outcomes)) == 3
    again = await stage.all(shared)
    assert {(imei(one.device), one.result, one.reason) for one in again} == {
        (imei(one.device), one.result, one.reason) for one in outcomes
    }
    assert all(one.repeat for one in again)
    assert await stage.all(shared, replay=False) == []


async def test_clashes_beyond_the_size_of_one_lookup_are_all_reported(stage: Stage) -> None:
    clashing = [DeviceIds(device_ids=(new(number).device_ids[0], ICCID)) for number in range(100, 125)]
    progress: list[FleetProgress] = []
    outcomes = await stage.all([[new(99).device_ids[0], ICCID], *clashing], on_progress=progress.append)
    assert [one.result for one in outcomes].count(FleetResult.FAILED) == 25
    assert (progress[-1].done, progress[-1].total) == (26, 26)


async def test_exact_repeats_in_any_spelling_are_dropped(stage: Stage) -> None:
    one = DeviceIds(device_ids=(DeviceId.imei("35000000000001"), DeviceId.iccid("8914800000000000001")))
    same = DeviceIds(device_ids=(DeviceId.iccid("89148000000000000019"), DeviceId.imei("350000000000014")))
    assert [outcome.device for outcome in await stage.all([one, same, one])] == [one]
    assert len(stage.sent) == 1
