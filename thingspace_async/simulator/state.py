"""What the simulated platform knows, and what a test may do to it."""

from __future__ import annotations

import heapq
import itertools
import random
import secrets
import string
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

from thingspace_async._environment import Credentials
from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.deliveries import Delivery, DeliveryFaults, Outbox, message_of
from thingspace_async.simulator.fleet import Device, Fleet
from thingspace_async.simulator.late import DeviceFault, LateRequest, Work

__all__ = [
    "LiveSession",
    "Monitor",
    "Platform",
    "QueuedSms",
    "User",
    "random_password",
]

SMS_SERVICE: Final = "EnhancedConnectivityService"
REACHABILITY_SERVICE: Final = "DiagnosticsService"

START: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""When simulated time begins, so that a simulator's dates are the same every time."""

_STRIKES: Final = 5
_IDLE: Final = timedelta(minutes=20)
_TOKEN_LIFE: Final = timedelta(hours=1)
_ALPHANUMERIC: Final = string.ascii_letters + string.digits
_FAILED: Final = DeviceFault("UnifiedWebService.REQUEST_FAILED.UnexpectedError", "Unexpected error occurred.")


def random_password() -> str:
    """Return a password in the platform's manner, twelve letters and digits."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(12))


@attrs.define
class User:
    """A Unified Web Services user."""

    name: str
    password: str = attrs.field(repr=False)
    refusals: int = 0
    """Failed log-ins in a row."""

    @property
    def locked(self) -> bool:
        """Whether not even the right password helps."""
        return self.refusals >= _STRIKES


@attrs.define
class LiveSession:
    """A platform session."""

    token: str = attrs.field(repr=False)
    user: User
    begun: datetime
    used: datetime


@attrs.frozen
class AccessToken:
    """The OAuth token of the application's key."""

    value: str = attrs.field(repr=False)
    issued: datetime


@attrs.frozen(kw_only=True)
class QueuedSms:
    """A message that a device has sent and nobody has acknowledged."""

    number: int
    """Later messages have larger ones."""
    device_ids: list[dict[str, str]]
    text: str
    sent: datetime


@attrs.frozen(kw_only=True)
class Monitor:
    """A watch on whether a device can be reached."""

    account_name: str
    request_id: str
    """The request that began it."""
    device_ids: list[dict[str, str]]
    """The device as the request named it."""
    device: Device
    monitor_type: str
    """Such as `REACHABLE_FOR_DATA`."""
    expires: datetime


class Platform:
    """The platform's state; `Simulator` is this with an HTTP server."""

    def __init__(
        self, *, devices: int, account_name: str, seed: int, start: datetime, assumptions: Assumptions
    ) -> None:
        self.account_name = account_name
        self.assumptions = assumptions
        self.seed = seed
        self.clock: Clock = Clock(start, self._catch_up)
        self.accounts: set[str] = {account_name}
        self.devices: Fleet = Fleet(seed, start)
        """The devices of all accounts. What is set on one is what the platform answers from then on."""
        self.devices.add(account_name, devices, start - timedelta(days=900), timedelta(minutes=5))
        # From the seed, so that a simulator that is started again has the same credentials.
        draw = random.Random(seed)  # noqa: S311 - they protect nothing
        self.client_id: str = str(uuid.UUID(int=draw.getrandbits(128), version=4))
        self.client_secret: str = str(uuid.UUID(int=draw.getrandbits(128), version=4))
        self.username: str = "simulated.user"
        self.users: dict[str, User] = {}
        self.add_user(self.username, "".join(draw.choices(_ALPHANUMERIC, k=12)))
        self.sessions: dict[str, LiveSession] = {}
        """By token; clear it and the platform knows none of them."""
        self.late_requests: dict[str, LateRequest] = {}
        self._pending: list[tuple[datetime, int, str, LateRequest]] = []
        """The requests that are not carried out, soonest first: when, in which order, which id."""
        self._request_numbers = itertools.count()
        self.listeners: defaultdict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        """The callback listeners of each account, by the name of their service, as they are listed."""
        self.queued_sms: defaultdict[str, list[QueuedSms]] = defaultdict(list)
        """The messages from devices of each account, oldest first."""
        self._sms_numbers = itertools.count(1)
        self.monitors: dict[str, Monitor] = {}
        """Of reachability, by id; `active_monitors` leaves out those that have expired."""
        self.deliveries: list[Delivery] = []
        """What was, or is to be, sent to listeners, oldest first; it may be cleared."""
        self.outbox: Outbox = Outbox(self.clock, seed)
        self._access_token: AccessToken | None = None

    @property
    def credentials(self) -> Credentials:
        """What to log in with at this moment: a password that was reset or set is the new one."""
        return Credentials(
            client_id=self.client_id,
            client_secret=self.client_secret,
            username=self.username,
            password=self.users[self.username].password,
        )

    # Users

    def add_user(self, username: str, password: str) -> None:
        """Add a user, who sees all accounts."""
        self.users[username] = User(username, password)

    def set_password(self, password: str, username: str | None = None) -> None:
        """Change a password behind the client's back."""
        self._user(username).password = password

    def lock_user(self, username: str | None = None) -> None:
        """Lock a user as five failed log-ins would."""
        self._user(username).refusals = _STRIKES

    def unlock_user(self, username: str | None = None) -> None:
        """Unlock a user, as only the platform's support can."""
        self._user(username).refusals = 0

    def _user(self, username: str | None) -> User:
        return self.users[self.username if username is None else username]

    # Tokens

    @property
    def access_token(self) -> AccessToken | None:
        """The OAuth token, while it is good."""
        token = self._access_token
        return token if token is not None and self.clock.now() - token.issued < _TOKEN_LIFE else None

    def issue_access_token(self) -> tuple[str, timedelta]:
        """Return the OAuth token, the same one within an hour of its first issue, and the time it has left."""
        token = self.access_token
        if token is None:
            token = self._access_token = AccessToken(secrets.token_hex(16), self.clock.now())
        return token.value, token.issued + _TOKEN_LIFE - self.clock.now()

    def expire_oauth_tokens(self) -> None:
        """End the OAuth token's hour now."""
        self._access_token = None

    def expire_sessions(self) -> None:
        """Make all sessions' 20 idle minutes pass now."""
        for session in self.sessions.values():
            session.used = datetime.min.replace(tzinfo=UTC)

    def begin_session(self, user: User) -> LiveSession:
        """Begin a session."""
        if self.assumptions.exclusive_sessions:
            self.end_sessions(user)
        now = self.clock.now()
        session = LiveSession(str(uuid.uuid4()), user, now, now)
        self.sessions[session.token] = session
        return session

    def end_sessions(self, user: User) -> None:
        """End all sessions of a user."""
        for token in [token for token, session in self.sessions.items() if session.user is user]:
            del self.sessions[token]

    def has_expired(self, session: LiveSession) -> bool:
        """Say whether a session was idle, or lived, for too long."""
        now, longest = self.clock.now(), self.assumptions.longest_session
        return now - session.used > _IDLE or (longest is not None and now - session.begun > longest)

    # Accounts, devices, requests

    def add_account(self, account_name: str, *, devices: int = 0) -> None:
        """Add an account, and devices that are added to it now."""
        self.accounts.add(account_name)
        self.add_devices(devices, account_name)

    def add_devices(self, count: int = 1, account_name: str | None = None) -> None:
        """Add devices to an account now; the last of them is `devices[-1]`."""
        if (name := account_name or self.account_name) not in self.accounts:
            raise ValueError(f"there is no account {name}: add_account() it first")
        self.devices.add(name, count, self.clock.now(), timedelta())

    def add_request(self, *, seconds: float = 60, fails: bool = False, account_name: str | None = None) -> str:
        """Begin a request that ends after so many simulated seconds; return its id."""
        return self.accept((), account_name=account_name, time=timedelta(seconds=seconds), fails=fails)

    def accept(
        self,
        work: Iterable[Work],
        *,
        account_name: str | None = None,
        service: str = "CarrierService",
        time: timedelta | None = None,
        fails: bool = False,
        request_id: str | None = None,
    ) -> str:
        """Accept a request that is carried out later, `assumptions.request_time` from now; return its id."""
        name = request_id or str(uuid.uuid4())
        wait = self.assumptions.request_time if time is None else time
        if self.delivery_faults.early:
            wait = max(timedelta(), wait - self.assumptions.request_time)
        done = self.clock.now() + wait
        request = LateRequest(account_name or self.account_name, done, service, tuple(work), fails)
        self.late_requests[name] = request
        heapq.heappush(self._pending, (done, next(self._request_numbers), name, request))
        self.outbox.on_change()
        return name

    def active_monitors(self, device: Device) -> dict[str, Monitor]:
        """Return the monitors of a device that have neither expired nor been stopped."""
        now = self.clock.now()
        return {name: one for name, one in self.monitors.items() if one.device is device and one.expires > now}

    def settle(self) -> None:
        """Carry out the requests whose time has come, and send what they have to tell.

        Each call and each move of the clock does.
        """
        now = self.clock.now()
        while self._pending and self._pending[0][0] <= now:
            _, _, request_id, request = heapq.heappop(self._pending)
            request.carry_out()
            self._announce(request_id, request)

    def _catch_up(self) -> None:
        self.settle()
        self.outbox.on_change()

    # Callbacks

    @property
    def delivery_faults(self) -> DeliveryFaults:
        """What goes wrong with callbacks; set another one to change it."""
        return self.outbox.faults

    @delivery_faults.setter
    def delivery_faults(self, faults: DeliveryFaults) -> None:
        self.outbox.faults = faults

    @property
    def archived(self) -> list[Delivery]:
        """The deliveries that no listener has taken in four attempts."""
        return [one for one in self.deliveries if one.state == "archived"]

    @property
    def next_due(self) -> datetime | None:
        """When a request is to be carried out or a message to be sent next; None while there is neither."""
        request = self._pending[0][0] if self._pending else None
        return min((moment for moment in (request, self.outbox.due) if moment is not None), default=None)

    def send(
        self,
        account_name: str,
        service: str,
        message: Mapping[str, Any],
        *,
        due: datetime | None = None,
        give_up: Callable[[], object] = lambda: None,
    ) -> None:
        """Send a message to the listener that an account has registered for a service when it is due, or now."""
        for _ in range(1 + (self.outbox.draw.random() < self.delivery_faults.duplicated)):
            delivery = Delivery(
                account_name=account_name,
                service=service,
                message=message,
                due=due or self.clock.now(),
                give_up=give_up,
            )
            self.deliveries.append(delivery)
            self.outbox.put(delivery)

    def _announce(self, request_id: str, request: LateRequest) -> None:
        send = partial(self.send, request.account_name, due=request.done)
        spare = _FAILED if request.fails else None
        for work, result, fault in zip(request.work, request.results, request.faults or (), strict=True):
            send(request.service, message_of(request_id, work.device_ids, result, fault or spare))
            if work.then is not None and fault is None and not request.fails:
                service, told = work.then
                send(service, message_of(request_id, work.device_ids, told, None))
        if not request.work:
            send(request.service, message_of(request_id, [], None, spare))

    def receive_sms(self, device: Device, text: str) -> None:
        """Have a device send an SMS message, which goes to the account's listener.

        Where none is registered, or none takes it, it waits in its account's queue until it is acknowledged.
        """
        message = QueuedSms(
            number=next(self._sms_numbers), device_ids=device.device_ids, text=text, sent=self.clock.now()
        )
        if SMS_SERVICE in self.listeners[device.account_name]:
            self.send_sms(device.account_name, message)
        else:
            self.queued_sms[device.account_name].append(message)

    def send_sms(self, account_name: str, message: QueuedSms) -> None:
        """Send a message from a device to the account's listener."""
        told = {"deviceIds": message.device_ids, "smsMessage": message.text}
        self.send(account_name, SMS_SERVICE, told, give_up=partial(self._queue, account_name, message))

    def _queue(self, account_name: str, message: QueuedSms) -> None:
        queue = self.queued_sms[account_name]
        if message not in queue:  # As it is when it was sent twice.
            queue.append(message)
            queue.sort(key=lambda one: one.number)

    def report_reachability(self, device: Device, *, reachable: bool) -> None:
        """Have a device be reachable from now on, or not, and tell those who monitor that."""
        device.connected = reachable
        for name, one in self.active_monitors(device).items():
            if reachable != (one.monitor_type == "LOSS_OF_CONNECTIVITY"):
                told = {"monitorId": name, "reachable": reachable}
                message = message_of(one.request_id, one.device_ids, told, None)
                self.send(one.account_name, REACHABILITY_SERVICE, message)
