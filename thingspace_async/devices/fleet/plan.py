"""Action and Plan: the request of a fleet run, and its options."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import orjson

from thingspace_async._core import checks, codec
from thingspace_async._core.environment import Environment
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted, DeviceIds
from thingspace_async.devices.fleet.interface import FleetResult, Progress
from thingspace_async.devices.fleet.rows import in_requests
from thingspace_async.errors import InvalidRequest

__all__ = ["Action", "Plan"]

_RETRIED: Final = frozenset(FleetResult) - {FleetResult.SUCCEEDED}


def _to_results(given: Iterable[FleetResult]) -> frozenset[FleetResult]:
    names = [] if isinstance(given, str) else list(given)
    if isinstance(given, str) or not _RETRIED.issuperset(names):
        raise InvalidRequest(f"fleet: retry must be a list of these results: {', '.join(sorted(_RETRIED))}")
    return frozenset(map(FleetResult, names))


@attrs.frozen(kw_only=True)
class Plan:
    """Options of a run."""

    run: str = attrs.field(validator=checks.text)
    devices_per_request: int = attrs.field(default=10_000, validator=checks.whole(least=1, most=10_000))
    in_flight: int = attrs.field(default=10, validator=checks.whole(least=1))
    most_awaited: int = attrs.field(default=200_000, validator=checks.whole(least=1))
    timeout: timedelta = attrs.field(default=timedelta(hours=1))
    give_up_after: timedelta = attrs.field(default=timedelta(hours=1))
    replay: bool = True
    retry: frozenset[FleetResult] = attrs.field(default=frozenset[FleetResult](), converter=_to_results)
    on_progress: Progress | None = None

    def __attrs_post_init__(self) -> None:
        checks.seconds("fleet", "timeout", self.timeout, may_be_zero=True)
        checks.seconds("fleet", "give_up_after", self.give_up_after, may_be_zero=True)
        if self.on_progress is None:
            return
        if not callable(self.on_progress) or inspect.iscoroutinefunction(self.on_progress):
            raise InvalidRequest("fleet: on_progress must be a plain function, because it is not awaited")

    @property
    def most(self) -> int:
        """Maximum number of devices per request."""
        return min(self.devices_per_request, self.most_awaited)


_ANY_DEVICE: Final = b'{"deviceIds":[{"id":"990013907835573","kind":"imei"}]}'
"""Part of the descriptions of earlier versions. It is read from JSON because its check digit is wrong."""


class Action:
    """The request that a run sends for its devices."""

    def __init__(self, operation: Operation[Any, Accepted], options: dict[str, Any]) -> None:
        self.operation: Final = operation
        self._options: Final = options
        self._sample = codec.dump(self.request((codec.load(_ANY_DEVICE, DeviceIds),)))

    @property
    def name(self) -> str:
        """Name of the operation, for errors."""
        return self.operation.name

    @property
    def account(self) -> str | None:
        """Account whose rate limit the requests count towards."""
        account: str | None = self._options.get("account_name")
        return account

    def request(self, devices: tuple[DeviceIds, ...]) -> Any:
        """Make a request; raises InvalidRequest."""
        return self.operation.request(devices=devices, **self._options)

    async def body(self, rows: Sequence[bytes]) -> bytes:
        """Write a request for valid devices. 10,000 devices at once would block the event loop."""
        return orjson.dumps({**orjson.loads(self._sample), "devices": orjson.Fragment(await in_requests(rows))})

    def description(self, environment: Environment) -> str:
        """Return the name of the operation and a digest of options and platform, to detect a different run."""
        # Without the port, because a simulator has a new one each time.
        host = urlsplit(environment.bases[self.operation.server]).hostname or ""
        digest = hashlib.blake2b(host.encode() + b" " + self._sample, digest_size=16)
        return f"{self.name} {digest.hexdigest()}"
