"""Inboxes, and messages for them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from thingspace_async import DeviceId
from thingspace_async.callbacks.inbox import Inbox, MemoryInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox

REQUEST_ID = "0c9a5a3e-1d4b-4a6d-9d6e-0d6f8f8f8f01"


def imei(number: int) -> DeviceId:
    return DeviceId.imei(f"99001390783{number:04}")


def iccid(number: int) -> DeviceId:
    return DeviceId.iccid(f"8914800000000000{number:04}")


def message_about(*identifiers: DeviceId, request_id: str = REQUEST_ID, **changes: Any) -> bytes:
    """Return a message about a device, without username and password (PROTOCOL.md 3.4)."""
    body = {
        "requestId": request_id,
        "deviceIds": [{"id": one.id, "kind": one.kind.capitalize()} for one in identifiers],
        "status": "Success",
        "callbackCount": 1,
        "maxCallbackThreshold": 4,
        **changes,
    }
    return json.dumps(body).encode()


FAULT = {"faultcode": "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive", "faultstring": "Device is already active"}


@pytest.fixture(params=["memory", "file"])
async def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Inbox]:
    """Open each kind of inbox."""
    made: Inbox = MemoryInbox() if request.param == "memory" else SqliteInbox(tmp_path / "inbox.db")
    async with made as opened:
        yield opened
