"""The devices that lose their licenses first if the subscription of their account is reduced (v1 and v2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from thingspace_async.simulator.mechanisms.pager import from_index
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.rooms.software.reading import imeis_of, spelled_out
from thingspace_async.simulator.rooms.software.store import invalid
from thingspace_async.simulator.wire import Answer, At, Call, optional

__all__ = ["Removals", "cancel_removal", "index_of", "list_removals", "plan_removal"]

_LONGEST_INDEX: Final = 18


class Removals:
    """The lists of all accounts."""

    def __init__(self, _: Platform) -> None:
        self.listed: Final[defaultdict[str, dict[str, None]]] = defaultdict(dict)
        """The IMEIs of each account, in order."""
        self.changed: Final[dict[str, datetime]] = {}


def plan_removal(call: Call) -> Answer:
    """Add devices to the list, or replace it."""
    account_name, document = call.check_account(call.path["account_name"]), call.document()
    room, mode = call.platform.room(Removals), optional(document, "type", str)
    if mode not in (None, "append", "replace"):
        raise invalid("Invalid type.", reason="must be append or replace", at=(document, "type"))
    kept = room.listed[account_name] if mode == "append" else {}
    room.listed[account_name] = {**kept, **dict.fromkeys(imeis_of(document))}
    room.changed[account_name] = call.platform.clock.now()
    listed = list(room.listed[account_name])
    return Answer(200, {"count": len(listed), "deviceList": listed})


def list_removals(call: Call, index: int, written: Callable[[datetime], str] = spelled_out) -> Answer:
    """Show the page of the list that starts at an index. The versions write times differently."""
    account_name = call.check_account(call.path["account_name"])
    room = call.platform.room(Removals)
    listed = list(room.listed[account_name])
    found = from_index(listed, index, call.platform.assumptions.software_page)
    changed = room.changed.get(account_name, call.platform.devices.start)
    body: dict[str, Any] = {
        "count": len(listed),
        "hasMoreData": found.more,
        "updateTime": written(changed),
        "deviceList": found.items,
    }
    return Answer(200, body)


def cancel_removal(call: Call) -> Answer:
    """Delete the list."""
    account_name = call.check_account(call.path["account_name"])
    room = call.platform.room(Removals)
    if not room.listed.pop(account_name, None):
        raise invalid("There is no list of licenses to remove.", reason="has no list", at=(call.path, "account_name"))
    room.changed[account_name] = call.platform.clock.now()
    return Answer(200, {"success": True})


def index_of(text: str, at: At) -> int:
    """Read the start index of a page."""
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_INDEX):
        raise invalid("Invalid startIndex.", reason="must be a number, 0 for the first page", at=at)
    return int(text)
