"""The checked options of `locate_all`."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.ledgers.memory import MemoryLedger, MemoryRun
from thingspace_async._core.outcomes import LedgerInbox
from thingspace_async._core.runs import Part
from thingspace_async.errors import InvalidRequest
from thingspace_async.location.interface import LocationProgress
from thingspace_async.location.models import MOST_DEVICES, AccuracyMode
from thingspace_async.location.rows import items_of

__all__ = ["LocationPlan"]

_CALL: Final = "location.locate_all"


def _plain_function(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (not callable(value) or inspect.iscoroutinefunction(value)):
        raise InvalidRequest(f"{_CALL}: {field.name} must be a plain function, because it is not awaited")


@attrs.frozen(kw_only=True)
class LocationPlan:
    """Options of a run."""

    account_name: str
    inbox: LedgerInbox | None = None
    run: str | None = None
    current: bool = True
    accuracy_mode: AccuracyMode | None = None
    check_every: timedelta = timedelta(seconds=10)
    devices_per_report: int = MOST_DEVICES
    timeout: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(hours=1)
    on_progress: Callable[[LocationProgress], object] | None = attrs.field(default=None, validator=_plain_function)

    def __attrs_post_init__(self) -> None:
        checks.seconds(_CALL, "check_every", self.check_every)
        checks.seconds(_CALL, "timeout", self.timeout, may_be_zero=True)
        checks.seconds(_CALL, "give_up_after", self.give_up_after, may_be_zero=True)
        if not 1 <= self.devices_per_report <= MOST_DEVICES:
            raise InvalidRequest(f"{_CALL}: devices_per_report must be 1 to {MOST_DEVICES:,}")
        if (self.inbox is None) != (self.run is None):
            raise InvalidRequest(f"{_CALL}: give both inbox and run, or neither: the inbox keeps the run by its name")
        if self.run is not None and not self.run.strip():
            raise InvalidRequest(f"{_CALL}: run must not be empty")

    def part(self, host: str) -> Part:
        """Return this worker's part of the run. Its description shows a run with other options."""
        options = f"{host} {self.account_name} {self.current} {self.accuracy_mode}"
        digest = hashlib.blake2b(options.encode(), digest_size=16).hexdigest()
        return Part(
            self.inbox or _Unnamed(),
            self.run or "unnamed",
            f"{_CALL} {digest}",
            items_of,
            give_up_after=self.give_up_after.total_seconds(),
        )


class _Unnamed:
    """Keeps a run without a name, which no other worker shares and no later run continues."""

    is_open = True

    def __init__(self) -> None:
        runs: dict[str, MemoryRun] = {}
        self.ledger = MemoryLedger(lambda: runs)
