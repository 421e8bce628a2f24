"""What is told to callback listeners, and when (protocol.md 3.3, 3.4)."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import attrs

from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.late import DeviceFault

__all__ = ["Attempt", "Delivery", "DeliveryFaults", "Outbox", "message_of"]

_MOST_ATTEMPTS: Final = 4
_INTERVAL: Final = timedelta(minutes=5)

_LINE: Final = frozenset({"mdn", "msisdn", "min"})


@attrs.frozen(kw_only=True)
class DeliveryFaults:
    """What can go wrong with callbacks on purpose; a share is from 0 to 1, and drawn from the simulator's seed."""

    out_of_order: bool = False
    """What is due at the same time is sent in random order."""
    duplicated: float = 0
    """The share of the messages that are sent twice, as deliveries of their own."""
    early: bool = False
    """Requests are carried out at once, and their messages sent before the answer that holds the request's id."""
    brace_missing: float = 0
    """The share of the attempts whose body has no opening brace, as a production listener has met it."""
    slow: float = 0
    """The real seconds that pass between the two halves of each body."""


@attrs.frozen(kw_only=True)
class Attempt:
    """One POST of a message."""

    at: datetime
    """The simulated time."""
    url: str
    status: int | None
    """What the listener answered with; None when it answered nothing."""
    failure: str | None = None
    """Why there was no answer."""


@attrs.define(eq=False, kw_only=True)
class Delivery:
    """A message on its way to a listener."""

    account_name: str
    service: str
    message: Mapping[str, Any] = attrs.field(repr=False)
    """What it says, less what the listener and the attempt add: username, password, and the two counts."""
    due: datetime
    """When it is sent, or sent again."""
    give_up: Callable[[], object] = attrs.field(default=lambda: None, repr=False)
    """What becomes of it where no listener takes it."""
    state: Literal["waiting", "delivered", "archived", "dropped", "refused"] = "waiting"
    """`archived` after four attempts, `dropped` where no listener was registered when its time came, `refused` where
    the simulator does not post to the listener's host."""
    attempts: list[Attempt] = attrs.field(factory=list[Attempt])

    @property
    def request_id(self) -> str | None:
        """The request that it is a result of; None for what no request asked for."""
        return self.message.get("requestId")

    def body(self, listener: Mapping[str, str], *, capitalised: bool) -> dict[str, Any]:
        """Return what the next attempt sends."""
        return {
            "username": listener.get("username", ""),
            "password": listener.get("password", ""),
            **(_capitalise_kinds(self.message) if capitalised else self.message),
            "callbackCount": len(self.attempts) + 1,
            "maxCallbackThreshold": _MOST_ATTEMPTS,
        }

    def note(self, attempt: Attempt) -> None:
        """Note how an attempt has ended."""
        self.attempts.append(attempt)
        if attempt.status is not None and 200 <= attempt.status < 300:
            self.state = "delivered"
        elif len(self.attempts) == _MOST_ATTEMPTS:
            self.end("archived")
        else:
            self.due += _INTERVAL

    def end(self, state: Literal["archived", "dropped"]) -> None:
        """Send it no more, as nobody takes it."""
        self.state = state
        self.give_up()


class Outbox:
    """The deliveries that are not done, soonest first."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.draw: Final = random.Random(seed)  # noqa: S311 - it protects nothing
        self.faults: DeliveryFaults = DeliveryFaults()
        self.on_change: Callable[[], object] = lambda: None
        """Called when something may be due sooner than it was."""
        self._clock = clock
        self._later: list[tuple[datetime, int, Delivery]] = []
        self._numbers = itertools.count()
        self._now: deque[Delivery] = deque()

    def put(self, delivery: Delivery) -> None:
        """Have it taken when it is due."""
        heapq.heappush(self._later, (delivery.due, next(self._numbers), delivery))
        self.on_change()

    @property
    def due(self) -> datetime | None:
        """When the next one is to be sent; None while there is none."""
        if self._now:
            return self._now[0].due
        return self._later[0][0] if self._later else None

    def count_due(self) -> int:
        """Return how many can be taken now."""
        now, batch = self._clock.now(), list[Delivery]()
        while self._later and self._later[0][0] <= now:
            batch.append(heapq.heappop(self._later)[-1])
        if self.faults.out_of_order:
            self.draw.shuffle(batch)
        self._now.extend(batch)
        return len(self._now)

    def take(self) -> Delivery | None:
        """Take one that is due, if one is."""
        return self._now.popleft() if self._now or self.count_due() else None


def message_of(
    request_id: str, device_ids: list[dict[str, str]], result: object, fault: DeviceFault | None
) -> dict[str, Any]:
    """Tell what became of one device of a request; a result that is no JSON object has nothing to tell."""
    told = result if isinstance(result, dict) else {}
    known = {one["kind"].casefold() for one in device_ids}
    # The line that an activated device has got: "deviceIds[] (incl. new mdn/min/msisdn)", protocol.md 3.4.
    line = [one for one in told.get("activateResponse", {}).get("deviceIds", ()) if one["kind"] in _LINE - known]
    message: dict[str, Any] = {"requestId": request_id, "deviceIds": [*device_ids, *line]}
    if fault is not None:
        refusal = {"faultcode": fault.code, "faultstring": fault.message}
        return message | {"faultResponse": refusal, "status": "Failed"}
    return message | ({"deviceResponse": told} if told else {}) | {"status": "Success"}


def _capitalise_kinds(value: Any) -> Any:
    """Return a message with its identifiers' kinds spelled as in the samples of messages (protocol.md 3.4)."""
    if isinstance(value, list):
        return [_capitalise_kinds(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"id", "kind"}:
        kind = value["kind"].casefold()
        return {"id": value["id"], "kind": "ESN" if kind == "esn" else kind.capitalize()}
    return {name: _capitalise_kinds(each) for name, each in value.items()}
