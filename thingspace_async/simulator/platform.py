"""The simulated platform: its clock, users, tokens, accounts and rooms."""

from __future__ import annotations

import random
import secrets
import string
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from thingspace_async._core.environment import Credentials
from thingspace_async._core.types import Secret
from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.deliveries import Outbox
from thingspace_async.simulator.fleet import Fleet
from thingspace_async.simulator.late_requests import LateRequest, LateRequests, Work
from thingspace_async.simulator.mechanisms.agenda import Agenda
from thingspace_async.simulator.mechanisms.listeners import (
    ListenerRegistry,
    header_envelope,
    m2m_envelope,
    password_envelope,
    plain_envelope,
    signed_envelope,
)
from thingspace_async.simulator.mechanisms.messages import MessageBuilder, message_of
from thingspace_async.simulator.tokens import Tokens
from thingspace_async.simulator.users import Users

__all__ = ["START", "Platform"]

T = TypeVar("T")

START: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""The default start of simulated time. It is fixed, so that a simulator's dates never change."""

_ALPHANUMERIC: Final = string.ascii_letters + string.digits


class Platform:
    """The platform's state, without HTTP. Each room has its own part: `platform.room(Sms)`."""

    def __init__(
        self,
        *,
        devices: int,
        account_name: str,
        seed: int,
        start: datetime,
        assumptions: Assumptions,
        id_seed: int | None = None,
        most_deliveries: int = 10_000,
        most_late_requests: int = 10_000,
    ) -> None:
        self.account_name = account_name
        self.assumptions = assumptions
        self.seed = seed
        self.clock: Final = Clock(start, self._catch_up)
        self.accounts: Final[set[str]] = {account_name}
        self.devices: Final = Fleet(seed, start)
        self.devices.add(account_name, devices, start - timedelta(days=900), timedelta(minutes=5))
        self.ids_made: int = 0
        """The number of ids and passwords made so far."""
        # Seeded, so that a restarted simulator has the same credentials.
        self._draw = random.Random(seed)  # noqa: S311 - they protect nothing
        self.users: Final = Users()
        self.credentials = Credentials(
            client_id=self.new_id(),
            client_secret=self.new_id(),
            username=f"simulated.user.{seed}",
            password=self.new_password(),
        )
        # An earlier simulator's tokens must be invalid here, unless this one continues its state.
        self.id_seed: Final = secrets.randbits(64) if id_seed is None else id_seed
        self._draw.seed(self.id_seed)
        self.tokens: Final = Tokens(self.clock, lambda: self.assumptions, self.new_id)
        self.agenda: Final = Agenda(self.clock)
        self.outbox: Final = Outbox(self.clock, seed, most=most_deliveries)
        self.late_requests: Final = LateRequests(
            self.clock, self.agenda, self.new_id, self._announce, most=most_late_requests
        )
        self.listeners: Final = {
            "m2m": ListenerRegistry(
                m2m_envelope(lambda: self.assumptions),
                replaces=lambda: self.assumptions.registering_replaces_listener,
            ),
            **{api: self._signing_registry() for api in ("diagnostics", "location")},
            "cloud_connector": ListenerRegistry(header_envelope),
            "hyper_precise": ListenerRegistry(plain_envelope),
            "software_v1": ListenerRegistry(password_envelope),
            "software_v2": ListenerRegistry(plain_envelope),
            "software_v3": ListenerRegistry(plain_envelope),
        }
        """The callback listeners, a registry for each API."""
        self._rooms: dict[object, Any] = {}

    def _signing_registry(self) -> ListenerRegistry:
        return ListenerRegistry(
            signed_envelope("X-Signature"),
            replaces=lambda: self.assumptions.registering_replaces_listener,
            new_secret=self.new_password,
        )

    @property
    def credentials(self) -> Credentials:
        """The valid credentials, with the current password."""
        return self._credentials.with_password(Secret(self.users[self.username].password))

    @credentials.setter
    def credentials(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.users.add(credentials.username, credentials.password.reveal())

    @property
    def username(self) -> str:
        """The user of `credentials`."""
        return self._credentials.username

    def room(self, kind: Callable[[Platform], T]) -> T:
        """Return the state of a room, which is created at its first use."""
        if kind not in self._rooms:
            self._rooms[kind] = kind(self)
        state: T = self._rooms[kind]
        return state

    def new_id(self) -> str:
        """Return a new id, determined by `id_seed` and the number of earlier ids."""
        self.ids_made += 1
        return str(uuid.UUID(int=self._draw.getrandbits(128), version=4))

    def new_password(self) -> str:
        """Return a new password as the platform makes them: twelve letters and digits."""
        self.ids_made += 1
        return "".join(self._draw.choices(_ALPHANUMERIC, k=12))

    def add_account(self, account_name: str, *, devices: int = 0) -> None:
        """Add an account with generated devices."""
        self.accounts.add(account_name)
        self.add_devices(devices, account_name)

    def add_devices(self, count: int, account_name: str) -> None:
        """Add devices to an account now."""
        if account_name not in self.accounts:
            raise ValueError(f"unknown account {account_name}: add it first, with add_account()")
        self.devices.add(account_name, count, self.clock.now(), timedelta())

    def accept(
        self,
        work: Iterable[Work],
        *,
        account_name: str | None = None,
        service: str = "CarrierService",
        time: timedelta | None = None,
        fails: bool = False,
        request_id: str | None = None,
        message: MessageBuilder = message_of,
    ) -> str:
        """Accept a request, to be carried out after `time` or `assumptions.request_time`; return its id."""
        usual = self.assumptions.request_time
        wait = usual if time is None else time
        if self.outbox.faults.early:
            wait = max(timedelta(), wait - usual)
        name = account_name or self.account_name
        return self.late_requests.accept(
            work, account_name=name, service=service, wait=wait, fails=fails, request_id=request_id, message=message
        )

    def settle(self) -> None:
        """Do all work that is due. Every call and every move of the clock does this."""
        self.agenda.settle()

    @property
    def next_due(self) -> datetime | None:
        """When the next work or message is due; None without any."""
        return min((moment for moment in (self.agenda.due, self.outbox.due) if moment is not None), default=None)

    def on_change(self, notify: Callable[[], object]) -> None:
        """Call a function whenever work may be due sooner than before."""
        self.agenda.on_change = self.outbox.on_change = notify

    def _catch_up(self) -> None:
        self.settle()
        self.outbox.on_change()

    def _announce(self, request: LateRequest, service: str, message: dict[str, Any]) -> None:
        self.outbox.send(request.account_name, service, message, due=request.done)
