"""Messages to callback listeners, and when they are due (PROTOCOL.md 3.3, 3.4)."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, overload

import attrs

from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.mechanisms.listeners import MOST_ATTEMPTS
from thingspace_async.simulator.mechanisms.retention import LatestFinished

__all__ = ["Attempt", "Delivery", "DeliveryFaults", "DeliveryLog", "Outbox"]


_INTERVAL: Final = timedelta(minutes=5)


@attrs.frozen(kw_only=True)
class DeliveryFaults:
    """Faults of callbacks. A share is from 0 to 1; random choices follow the simulator's seed."""

    out_of_order: bool = False
    """Send messages that are due together in random order."""
    duplicated: float = 0
    """Share of messages that are sent twice, as two deliveries."""
    early: bool = False
    """Carry out requests at once, and send their messages before the answer that contains the request id."""
    lost: int = 0
    """Number of attempts, from now on, that fail without reaching the listener."""
    brace_missing: float = 0
    """Share of attempts whose body lacks its opening brace, as seen by a production listener."""
    slow: float = 0
    """Real seconds between the two halves of each body."""


@attrs.frozen(kw_only=True)
class Attempt:
    """One POST of a message."""

    at: datetime
    """The simulated time."""
    url: str
    status: int | None
    """The status of the listener's answer; None without an answer."""
    failure: str | None = None
    """The reason for a missing answer."""


@attrs.define(eq=False, kw_only=True)
class Delivery:
    """A message on its way to a listener."""

    account_name: str
    service: str
    number: int = 0
    """Increases with each delivery."""
    api: str = "m2m"
    """The API whose registry has the listener."""
    message: Mapping[str, Any] = attrs.field(repr=False)
    """The message without the members that each attempt adds: username, password, and the two counts."""
    due: datetime
    """The simulated time of the next attempt."""
    give_up: Callable[[], object] = attrs.field(default=lambda: None, repr=False)
    """Called if no listener accepts the message."""
    state: Literal["waiting", "delivered", "archived", "dropped", "refused"] = "waiting"
    """`archived`: four attempts failed. `dropped`: no listener was registered when the message was due. `refused`: the
    simulator does not post to the listener's host."""
    attempts: list[Attempt] = attrs.field(factory=list[Attempt])

    @property
    def request_id(self) -> str | None:
        """The request that caused the message; None if none did."""
        return self.message.get("requestId")

    def note(self, attempt: Attempt) -> None:
        """Record the end of an attempt."""
        self.attempts.append(attempt)
        if attempt.status is not None and 200 <= attempt.status < 300:
            self.state = "delivered"
        elif len(self.attempts) == MOST_ATTEMPTS:
            self.end("archived")
        else:
            self.due += _INTERVAL

    def end(self, state: Literal["archived", "dropped"]) -> None:
        """Stop sending the message: no listener accepts it."""
        self.state = state
        self.give_up()


class DeliveryLog(Sequence[Delivery]):
    """Callback messages, oldest first: all waiting ones, and the `limit` latest finished ones."""

    def __init__(self, limit: int = 10_000) -> None:
        self.limit: Final = limit
        self._by_number: dict[int, Delivery] = {}
        self._finished = LatestFinished(self._by_number, limit)

    @overload
    def __getitem__(self, index: int) -> Delivery: ...
    @overload
    def __getitem__(self, index: slice) -> list[Delivery]: ...
    def __getitem__(self, index: int | slice) -> Delivery | list[Delivery]:
        return list(self._by_number.values())[index]

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(tuple(self._by_number.values()))

    def __repr__(self) -> str:
        return f"DeliveryLog({list(self)!r})"

    def find(self, number: int) -> Delivery | None:
        """Return the delivery with a number."""
        return self._by_number.get(number)

    def add(self, delivery: Delivery) -> None:
        """Add a waiting delivery."""
        self._by_number[delivery.number] = delivery

    def finish(self, delivery: Delivery) -> None:
        """Mark a delivery as finished, which may drop the oldest finished one."""
        self._finished.finish(delivery.number)

    def reopen(self, delivery: Delivery) -> None:
        """Mark a delivery as waiting again."""
        self._finished.reopen(delivery.number)

    def clear(self) -> None:
        """Forget the deliveries. Waiting messages are still sent."""
        self._by_number.clear()


class Outbox:
    """All deliveries, and a queue of the waiting ones: the soonest is taken first."""

    def __init__(self, clock: Clock, seed: int, *, most: int) -> None:
        self.deliveries: Final = DeliveryLog(most)
        """The log of all deliveries."""
        self.draw: Final = random.Random(seed)  # noqa: S311 - it protects nothing
        self.faults: DeliveryFaults = DeliveryFaults()
        self.on_change: Callable[[], object] = lambda: None
        """Called when the next message may be due sooner than before."""
        self._clock = clock
        self._later: list[tuple[datetime, int, Delivery]] = []
        self._numbers = itertools.count()
        self._sent = itertools.count()
        self._now: deque[Delivery] = deque()

    def send(
        self,
        account_name: str,
        service: str,
        message: Mapping[str, Any],
        *,
        due: datetime | None = None,
        give_up: Callable[[], object] = lambda: None,
        api: str = "m2m",
    ) -> None:
        """Send a message to an account's listener for a service, at `due` or now."""
        for _ in range(1 + (self.draw.random() < self.faults.duplicated)):
            delivery = Delivery(
                account_name=account_name,
                service=service,
                number=next(self._sent),
                api=api,
                message=message,
                due=due or self._clock.now(),
                give_up=give_up,
            )
            self.deliveries.add(delivery)
            self.put(delivery)

    def lose(self) -> bool:
        """Return whether `faults.lost` makes the next attempt fail, and count it."""
        if not self.faults.lost:
            return False
        self.faults = attrs.evolve(self.faults, lost=self.faults.lost - 1)
        return True

    def resend(self, delivery: Delivery) -> None:
        """Send a message again now, starting with its first attempt."""
        self.forget(delivery)
        self.deliveries.reopen(delivery)
        delivery.attempts.clear()
        delivery.state, delivery.due = "waiting", self._clock.now()
        self.put(delivery)

    def hasten(self) -> int:
        """Make all waiting messages due now; return their number."""
        waiting = [delivery for _, _, delivery in sorted(self._later, key=lambda entry: entry[:2])]
        self._later.clear()
        for delivery in waiting:
            delivery.due = self._clock.now()
            self.put(delivery)
        return len(waiting)

    def forget(self, delivery: Delivery) -> None:
        """Remove a waiting message from the queue."""
        self._later = [entry for entry in self._later if entry[2] is not delivery]
        heapq.heapify(self._later)
        self._now = deque(one for one in self._now if one is not delivery)

    def put(self, delivery: Delivery) -> None:
        """Add a message to the queue."""
        heapq.heappush(self._later, (delivery.due, next(self._numbers), delivery))
        self.on_change()

    def put_back(self, delivery: Delivery) -> None:
        """Queue a delivery again after an attempt, unless it is finished."""
        if delivery.state == "waiting":
            self.put(delivery)
        else:
            self.deliveries.finish(delivery)

    @property
    def due(self) -> datetime | None:
        """When the next message is due; None if none is waiting."""
        if self._now:
            return self._now[0].due
        return self._later[0][0] if self._later else None

    def count_due(self) -> int:
        """Return the number of messages that are due now."""
        now, batch = self._clock.now(), list[Delivery]()
        while self._later and self._later[0][0] <= now:
            batch.append(heapq.heappop(self._later)[-1])
        if self.faults.out_of_order:
            self.draw.shuffle(batch)
        self._now.extend(batch)
        return len(self._now)

    def take(self) -> Delivery | None:
        """Remove and return a message that is due; None if none is."""
        while self._now or self.count_due():
            if (delivery := self._now.popleft()).state == "waiting":  # It may have been delivered after a resend.
                return delivery
        return None
