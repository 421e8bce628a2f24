"""Controls of a simulated ThingSpace, shared by Python, the admin API and the command line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from thingspace_async._core.environment import ENVIRONMENT, VARIABLES, Credentials
from thingspace_async._core.operation import Operation
from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.deliveries import Delivery, DeliveryFaults, DeliveryLog
from thingspace_async.simulator.faults import Faults
from thingspace_async.simulator.fleet import Device, Fleet
from thingspace_async.simulator.late_requests import LateRequest, Work
from thingspace_async.simulator.log import RequestLog
from thingspace_async.simulator.mechanisms.listeners import Listener
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import fits
from thingspace_async.simulator.rooms.location import Locations
from thingspace_async.simulator.rooms.reachability import Monitor, Reachability
from thingspace_async.simulator.rooms.sms import QueuedSms, Sms
from thingspace_async.simulator.rooms.software import Software
from thingspace_async.simulator.rooms.triggers import Triggers
from thingspace_async.simulator.throttle import Throttle
from thingspace_async.simulator.users import Users
from thingspace_async.simulator.wire import Handler

__all__ = ["Controls"]


class Controls(ABC):
    """A simulated platform, its faults, and the log of its requests."""

    def __init__(
        self,
        make_platform: Callable[[], Platform],
        *,
        handlers: Mapping[Operation[Any, Any], Handler],
        most_requests: int,
        requests_per_minute: int | None,
        set_up: Callable[[Controls], object],
    ) -> None:
        self._make_platform = make_platform
        self._set_up = set_up
        self.platform: Platform = make_platform()
        """The whole state. The attributes and methods of this class are the parts that tests need."""
        self.handlers: Mapping[Operation[Any, Any], Handler] = handlers
        """The handler of each operation."""
        self.faults: Faults = Faults({operation.name for operation in handlers})
        """The faults of requests."""
        self.requests: RequestLog = RequestLog(most_requests)
        """The latest requests, oldest first, with status and the reason of a refusal."""
        self.throttle: Throttle = Throttle(requests_per_minute)
        """The limit of requests: set its `requests_per_minute`."""
        set_up(self)

    @property
    @abstractmethod
    def url(self) -> str:
        """The base URL of the simulator."""

    @abstractmethod
    async def delivered(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - callers expect it
        """Wait until every due message was sent and answered. Raises TimeoutError."""

    def exports(self) -> dict[str, str]:
        """Return the environment variables with which a program uses the simulator."""
        known = self.credentials
        values = (known.client_id, known.client_secret.reveal(), known.username, known.password.reveal())
        return {ENVIRONMENT: self.url, **dict(zip(VARIABLES, values, strict=True))}

    def count(self, operation: str) -> int:
        """Return the number of received requests of an operation, including failed ones."""
        return self.requests.count(operation)

    def reset(self) -> None:
        """Restore the initial devices, users and clock, and drop tokens, faults, requests and deliveries."""
        before = self.platform
        self.platform = self._make_platform()
        self.faults.clear()
        self.requests.clear()
        self._set_up(self)
        before.outbox.on_change()  # Makes the courier switch to the new platform.

    # The platform's parts

    @property
    def clock(self) -> Clock:
        """The simulated time: `clock.now()`, `clock.advance(seconds)`."""
        return self.platform.clock

    @property
    def assumptions(self) -> Assumptions:
        """The platform's behaviour where nothing is documented; assign a new object to change it."""
        return self.platform.assumptions

    @assumptions.setter
    def assumptions(self, assumptions: Assumptions) -> None:
        self.platform.assumptions = assumptions

    @property
    def account_name(self) -> str:
        """The first account."""
        return self.platform.account_name

    @property
    def accounts(self) -> Collection[str]:
        """The names of all accounts."""
        return self.platform.accounts

    @property
    def credentials(self) -> Credentials:
        """The valid credentials, with the current password."""
        return self.platform.credentials

    @credentials.setter
    def credentials(self, credentials: Credentials) -> None:
        self.platform.credentials = credentials

    @property
    def username(self) -> str:
        """The user of `credentials`."""
        return self.platform.username

    @property
    def users(self) -> Users:
        """The users by name."""
        return self.platform.users

    @property
    def devices(self) -> Fleet:
        """The devices of all accounts. Set an attribute of one to change the platform's answers."""
        return self.platform.devices

    @property
    def late_requests(self) -> dict[str, LateRequest]:
        """The requests whose results arrive later, by id: all pending ones, and the latest finished ones."""
        return self.platform.late_requests.by_id

    @property
    def listeners(self) -> dict[str, dict[str, Listener]]:
        """The callback listeners of each account, by service name."""
        return self.platform.listeners["m2m"].by_account

    @property
    def queued_sms(self) -> dict[str, list[QueuedSms]]:
        """The unacknowledged messages from devices of each account, oldest first."""
        return self.platform.room(Sms).queued

    def active_monitors(self, device: Device) -> dict[str, Monitor]:
        """Return the active reachability monitors of a device, by id."""
        return self.platform.room(Reachability).active(device)

    @property
    def deliveries(self) -> DeliveryLog:
        """The callback messages, oldest first: all waiting ones, and the latest finished ones."""
        return self.platform.outbox.deliveries

    @property
    def archived(self) -> list[Delivery]:
        """The messages whose four attempts failed."""
        return [one for one in self.deliveries if one.state == "archived"]

    @property
    def delivery_faults(self) -> DeliveryFaults:
        """The faults of callbacks; assign a new object to change them."""
        return self.platform.outbox.faults

    @delivery_faults.setter
    def delivery_faults(self, faults: DeliveryFaults) -> None:
        self.platform.outbox.faults = faults

    # Users and tokens

    def add_user(self, username: str, password: str) -> None:
        """Add a user with access to all accounts."""
        self.users.add(username, password)

    def set_password(self, password: str, username: str | None = None) -> None:
        """Change a password without the client's knowledge."""
        self.users.set_password(username or self.username, password)

    def lock_user(self, username: str | None = None) -> None:
        """Lock a user, as five refused logins do."""
        self.users.lock(username or self.username)

    def unlock_user(self, username: str | None = None) -> None:
        """Unlock a user, as only the platform's support can."""
        self.users.unlock(username or self.username)

    def expire_sessions(self) -> None:
        """Make all sessions expire now, as after 20 idle minutes."""
        self.platform.tokens.expire_sessions()

    def end_sessions(self) -> None:
        """Make the platform forget all sessions."""
        self.platform.tokens.sessions.clear()

    def expire_oauth_tokens(self) -> None:
        """Make the OAuth token expire now."""
        self.platform.tokens.expire_access()

    # Accounts and devices

    def add_account(self, account_name: str, *, devices: int = 0) -> None:
        """Add an account with generated devices."""
        self.platform.add_account(account_name, devices=devices)

    def add_devices(self, count: int = 1, account_name: str | None = None) -> None:
        """Add generated devices to an account. The last one is then `devices[-1]`."""
        self.platform.add_devices(count, account_name or self.account_name)

    def add_device(
        self,
        *,
        imei: str | None = None,
        iccid: str | None = None,
        mdn: str | None = None,
        eid: str | None = None,
        state: str | None = None,
        service_plan: str | None = None,
        group_name: str | None = None,
        account_name: str | None = None,
    ) -> Device:
        """Add one device; return it. Arguments that are left out are generated.

        If you pass identifiers, the device has only these, and a phone number if it is in service. Raises ValueError
        for an unknown account, an identifier of another device, or one that does not fit its kind.
        """
        name = account_name or self.account_name
        given = {"imei": imei, "iccid": iccid, "mdn": mdn, "eid": eid}
        device_ids = [{"kind": kind, "id": value} for kind, value in given.items() if value is not None]
        for one in device_ids:
            if not fits(one["kind"], one["id"]):
                raise ValueError(f"{one['id']!r} is not a valid {one['kind']}")
        taken = [one["id"] for one in device_ids if self.devices.find(one["kind"], one["id"]) is not None]
        if taken:
            raise ValueError(f"another device has the identifier {taken[0]}")
        if name not in self.accounts:
            raise ValueError(f"unknown account {name}: add it first, with add_account()")
        if not device_ids:
            self.add_devices(1, name)
            device = self.devices[-1]
            device.state = state or device.state
        else:
            device = self.devices.add_named(name, device_ids, self.clock.now())
            device.state = state or "active"
            if device.was_activated and device.mdn is None:
                device.device_ids = [*self.devices.new_line(), *device.device_ids]
        device.service_plan = service_plan or device.service_plan
        device.group_name = group_name or device.group_name
        return device

    # Events

    def receive_sms(self, device: Device, text: str) -> None:
        """Let a device send an SMS message to the account's listener.

        Without a listener that accepts it, the message stays in the account's queue until it is acknowledged.
        """
        self.platform.room(Sms).receive(device, text)

    def report_reachability(self, device: Device, *, reachable: bool) -> None:
        """Make a device reachable or unreachable, and notify its monitors."""
        self.platform.room(Reachability).report(device, reachable=reachable)

    def set_locatable(self, device: Device, *, locatable: bool) -> None:
        """Let the platform locate a device, or not. By default, it locates 97 % of the active devices."""
        self.platform.room(Locations).unlocatable[device] = not locatable

    def fire_trigger(self, trigger_id: str) -> None:
        """Send the alert of a trigger now, about the first device that it watches, whatever its usage is."""
        room = self.platform.room(Triggers)
        room.fire(room.by_id[trigger_id])

    def fail_upgrades(self, device: Device, *, times: int) -> None:
        """Let the first attempts to upgrade a device fail, in each campaign. By default, all attempts of 2 % fail."""
        if (imei := device.imei) is None:
            raise ValueError("the device has no IMEI, so no campaign can have it")
        self.platform.room(Software).failures[imei] = times

    def add_request(self, *, seconds: float = 60, fails: bool = False, account_name: str | None = None) -> str:
        """Add a pending request that ends after some simulated seconds; return its id."""
        time = timedelta(seconds=seconds)
        return self.platform.accept((), account_name=account_name, time=time, fails=fails)

    def accept(self, work: Iterable[Work], *, account_name: str | None = None, service: str = "CarrierService") -> str:
        """Add a pending request with your own work, due after `assumptions.request_time`; return its id."""
        return self.platform.accept(work, account_name=account_name, service=service)

    def resend(self, delivery: Delivery) -> None:
        """Send a message again now, starting with its first attempt."""
        self.platform.outbox.resend(delivery)

    def deliver_now(self) -> int:
        """Make all waiting messages due now; return their number."""
        return self.platform.outbox.hasten()
