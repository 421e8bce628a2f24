"""Printed rows, also if the command ends before the last one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from thingspace_async import DeviceId
from thingspace_async._cli._output import Columns, Output
from thingspace_async.errors import OutcomesMissing

COLUMNS: Columns[DeviceId] = {"id": lambda device: device.id}


async def broken(count: int, error: BaseException) -> AsyncGenerator[DeviceId]:
    for number in range(count):
        yield DeviceId(kind="mdn", id=f"555000000{number}")
    raise error


@pytest.mark.parametrize("error", [OutcomesMissing("late"), asyncio.CancelledError()])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_json_array_is_closed_though_the_command_ends_with_an_error(
    capsys: pytest.CaptureFixture[str], error: BaseException, count: int
) -> None:
    with pytest.raises(type(error)):
        await Output(as_json=True).rows(broken(count, error), COLUMNS)
    assert len(json.loads(capsys.readouterr().out)) == count


async def test_nothing_is_added_to_an_output_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BrokenPipeError):
        await Output(as_json=True).rows(broken(1, BrokenPipeError()), COLUMNS)
    assert capsys.readouterr().out.count("]") == 0
