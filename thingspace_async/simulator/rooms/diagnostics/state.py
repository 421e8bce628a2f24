"""The state of diagnostics: observations, their values, and the events of each month."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.agenda import Ticker
from thingspace_async.simulator.mechanisms.retention import LatestFinished
from thingspace_async.simulator.mechanisms.seeded import bits, chosen
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.rooms.reachability import Reachability
from thingspace_async.simulator.wire import At, Refusal, refuse

__all__ = ["API", "ATTRIBUTES", "SERVICE", "Diagnostics", "Observation", "Target", "invalid", "precise_stamp"]

API: Final = "diagnostics"
SERVICE: Final = "Diagnostics"

ATTRIBUTES: Final = ("NETWORK_BEARER", "RADIO_SIGNAL_STRENGTH", "LINK_QUALITY", "CELL_ID", "MANUFACTURER")

_MAKERS: Final = ("Quectel", "Sierra Wireless", "Telit")
_MOST_VALUES: Final = 100_000
"""Values to keep for each device."""
_NO_END: Final = timedelta(days=366 * 900)


def invalid(message: str = "", *, code: str = "INVALID_PARAMETER", reason: str = "", at: At | None = None) -> Refusal:
    """Make a refusal with one of the codes of this service, which decides the status (PROTOCOL.md 2.3)."""
    return refuse(code, message, reason=reason or message or code, at=at)


def precise_stamp(moment: datetime) -> str:
    """Format a time to the millisecond, as in the published samples."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@attrs.frozen
class Target:
    """A device of a request, with its identifier there."""

    device: Device
    named: dict[str, str]


@attrs.define(kw_only=True)
class Observation:
    """An observation of devices."""

    account_name: str
    targets: list[Target]
    attributes: list[str]
    frequency: Mapping[str, Any]
    """In the form of the request."""
    every: timedelta
    length: timedelta | None
    """None for no end."""
    running: bool = True
    unreachable: set[Device] = attrs.field(factory=set[Device])
    """The devices that are reported as unreachable."""


class Diagnostics:
    """The observations and their values."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.observations: dict[str, Observation] = {}
        """All running observations, and the latest ended ones."""
        self._ended: Final = LatestFinished(self.observations, 1_000)
        self._used: Counter[tuple[str, int, int]] = Counter()
        """The events of each account, year and month."""
        self.history: defaultdict[Device, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=_MOST_VALUES))
        """The values of each device, oldest first."""
        self._waiting: defaultdict[Device, list[Callable[[datetime], object]]] = defaultdict(list)
        platform.room(Reachability).on_reachable.append(self._reach)

    def used(self, account_name: str) -> int:
        """Return the events of the current month."""
        return self._used[_month(account_name, self._platform.clock.now())]

    def has_allowance(self, account_name: str, moment: datetime) -> bool:
        """Return whether an account has events left in a month."""
        return self._used[_month(account_name, moment)] < self._platform.assumptions.diagnostics_allowance

    def begin(self, observation: Observation) -> str:
        """Start an observation; return its id."""
        transaction_id, now = self._platform.new_id(), self._platform.clock.now()
        self.observations[transaction_id] = observation
        end = now + (observation.length or _NO_END)

        def tick(moment: datetime) -> None:
            if observation.running:
                self._observe(transaction_id, observation, moment)
            if observation.running and moment + observation.every > end:
                self.end(transaction_id, "OBSERVE_DURATION_EXPIRED")

        Ticker(self._platform.agenda, now, observation.every, tick, end=end)
        return transaction_id

    def end(self, transaction_id: str, status: str) -> None:
        """End an observation, and report it for each device."""
        observation = self.observations[transaction_id]
        observation.running = False
        self._ended.finish(transaction_id)
        if self._platform.assumptions.observation_end_is_announced:
            for target in observation.targets:
                self.send(transaction_id, observation.account_name, target, {"status": status})

    def current(self, device: Device, name: str) -> Observation | None:
        """Return the running observation of a device's attribute."""
        running = [one for one in self.observations.values() if one.running and name in one.attributes]
        return next((one for one in running if any(target.device is device for target in one.targets)), None)

    def send(self, transaction_id: str, account_name: str, target: Target | None, content: Mapping[str, Any]) -> None:
        """Send a message to an account's listener.

        ASSUMPTION: a message has the form of a value in the history, and the id of the transaction (PROTOCOL.md 3.6).
        """
        device = {} if target is None else {"device": target.named}
        message = {"transactionID": transaction_id, "accountName": account_name, **device, **content}
        self._platform.outbox.send(account_name, SERVICE, message, api=API)

    def when_reachable(self, device: Device, moment: datetime, do: Callable[[datetime], object]) -> None:
        """Do something at a moment that has come, or once the device becomes reachable."""
        if device.connected:
            do(moment)
        else:
            self._waiting[device].append(do)

    def _reach(self, device: Device) -> None:
        for do in self._waiting.pop(device, ()):
            do(self._platform.clock.now())

    def _observe(self, transaction_id: str, observation: Observation, moment: datetime) -> None:
        """Send the values of all devices at a tick, until the allowance is used up."""
        account_name = observation.account_name
        for target in observation.targets:
            if not self._is_reachable(transaction_id, observation, target):
                continue
            for name in observation.attributes:
                if not self.has_allowance(account_name, moment):
                    self.send(transaction_id, account_name, None, _error("ACCOUNT_USAGE_EXCEEDED"))
                    self.end(transaction_id, "OBSERVE_CANCELLED")
                    return
                self._used[_month(account_name, moment)] += 1
                value = {"name": name, "value": self._value(target.device, name, moment)}
                measured = {**value, "createdOn": precise_stamp(moment)}
                self.history[target.device].append(measured)
                self.send(transaction_id, account_name, target, {"attributes": measured})

    def _is_reachable(self, transaction_id: str, observation: Observation, target: Target) -> bool:
        """Return whether a device can be observed. Report it once when it becomes unreachable."""
        if target.device.connected:
            observation.unreachable.discard(target.device)
            return True
        if target.device not in observation.unreachable:
            observation.unreachable.add(target.device)
            self.send(transaction_id, observation.account_name, target, _error("DEVICE_UNREACHABLE"))
        return False

    def _value(self, device: Device, name: str, moment: datetime) -> str:
        seed, number, second = self._platform.seed, device.number, int(moment.timestamp())
        match name:
            case "RADIO_SIGNAL_STRENGTH":
                return str(-60 - bits(seed, number, name, second) % 50)
            case "LINK_QUALITY":
                return str(bits(seed, number, name, second) % 100)
            case "CELL_ID":
                return str(1_000_000 + bits(seed, number, name, second // 3600) % 1_000_000)
            case "NETWORK_BEARER":
                return chosen(("6", "7"), seed, number, name)  # LTE-FDD and NB-IoT, in LwM2M.
            case _:
                return chosen(_MAKERS, seed, number, name)


def _month(account_name: str, moment: datetime) -> tuple[str, int, int]:
    return account_name, moment.year, moment.month


def _error(code: str) -> dict[str, str]:
    messages = {
        "ACCOUNT_USAGE_EXCEEDED": "The account usage has been exceeded.",
        "DEVICE_UNREACHABLE": "The device is unreachable. The request is queued.",
    }
    return {"errorCode": code, "errorMessage": messages[code]}
