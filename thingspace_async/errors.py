"""Every error that this package raises.

    ThingSpaceError
    ├── ConfigurationError      credentials, environment or options are invalid
    ├── InvalidRequest          an argument is invalid; nothing was sent (also a ValueError)
    ├── MessageUnreadable       a message is invalid, or of an unexpected class (also a ValueError)
    ├── InboxUnavailable        an inbox is closed, or its file cannot be used
    │   ├── InboxUnusable       waiting does not help: its settings or its contents must be corrected
    │   └── RunLost             an inbox lost confirmed changes of a fleet run
    ├── SessionMisused          opened twice, or used from another event loop
    │   └── SessionClosed       used before it was opened or after it was closed
    ├── StoreUnavailable        the shared store is unreachable; nothing was sent
    ├── RequestPending          the time limit passed while the platform was working on the request
    ├── OutcomesMissing         the time limit passed before all messages of a request had arrived
    ├── DeviceFailed            the request failed for one device
    ├── RequestFailed           a message reports that the whole request failed
    ├── ListenersTaken          another URL is registered for a callback service; nothing was changed
    ├── ListenersLeft           the former listeners could not be restored
    ├── LicensesMissing         devices to upgrade remain without a license; nothing was scheduled
    ├── ClientNotReady          a V2X client is enrolled, but cannot connect yet; the error has its certificate
    ├── SecretNotKept           `keep` did not store a new password or key; the error has it
    ├── SensorNotOnboarded      the platform reports that the onboarding of a sensor failed
    ├── StreamTaken             events are streamed to another target; nothing was changed
    └── CallError               one call failed; `operation` and `tries` say which and how often it was tried
        ├── RequestNotSent          nothing reached the platform: safe to repeat
        ├── AnswerLost              the request was sent; its outcome is unknown
        │   └── AnswerTimedOut      the answer was not complete within the time limit
        ├── AnswerUnreadable        the answer is not as documented
        └── ApiError                the platform answered with an error
            ├── BadRequest          400 and the other 4xx
            │   └── StatusNotOffered    the platform reports no status for this kind of request
            ├── Unauthorized        401
            │   └── LoginRefused    wrong username or password
            │       └── UserLocked  only Verizon's support can unlock the user
            ├── Forbidden           403
            ├── NotFound            404, or a device that the user cannot see
            ├── Conflict            409
            ├── RateLimited         429, or the gateway's throttling codes
            └── ServerFault         5xx, 408 and 499; the outcome is unknown

All errors can be pickled and copied. `body` and `secret` may hold secrets, so reprs and pickles leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

__all__ = [
    "AnswerLost",
    "AnswerTimedOut",
    "AnswerUnreadable",
    "ApiError",
    "BadRequest",
    "CallError",
    "ClientNotReady",
    "ConfigurationError",
    "Conflict",
    "DeviceFailed",
    "Forbidden",
    "InboxUnavailable",
    "InboxUnusable",
    "InvalidRequest",
    "LicensesMissing",
    "ListenersLeft",
    "ListenersTaken",
    "LoginRefused",
    "MessageUnreadable",
    "NotFound",
    "OutcomesMissing",
    "RateLimited",
    "RequestFailed",
    "RequestNotSent",
    "RequestPending",
    "RunLost",
    "SecretNotKept",
    "SensorNotOnboarded",
    "ServerFault",
    "SessionClosed",
    "SessionMisused",
    "StatusNotOffered",
    "StoreUnavailable",
    "StreamTaken",
    "ThingSpaceError",
    "Unauthorized",
    "UserLocked",
]


class ThingSpaceError(Exception):
    """Base of all errors of this package. Only its subclasses are raised."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own __reduce__ calls the class with `args`, which fails for keyword-only arguments.
        state = {name: value for name, value in self.__dict__.items() if name not in ("body", "secret")}
        return _restore, (type(self), self.args, state)

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        twin.__cause__ = self.__cause__
        return twin

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()


def _restore(cls: type[ThingSpaceError], args: tuple[object, ...], state: dict[str, object]) -> ThingSpaceError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(ThingSpaceError):
    """Credentials, an environment or an option are invalid; nothing was sent."""


class InvalidRequest(ThingSpaceError, ValueError):
    """An argument is invalid; nothing was sent."""


class MessageUnreadable(ThingSpaceError, ValueError):
    """A message is not a JSON object, is nested too deeply, or is not of the class that the caller waits for."""


class InboxUnavailable(ThingSpaceError):
    """An inbox is not open, or its file cannot be read or written; the operation was not carried out.

    The text says what happened and what to do. If a message cannot be stored, the receiver answers with an error, and
    the platform sends the message again.
    """


class InboxUnusable(InboxUnavailable):
    """The inbox cannot be used until its settings or its contents are corrected: waiting does not help.

    For example, its server refuses the password, or its file belongs to another program.
    """


class RunLost(InboxUnavailable):
    """The inbox has lost confirmed changes of a fleet run, so it is unknown which requests were sent.

    The inbox was restored from a backup, or a lagging replica took over. The run sends nothing more, and has written
    the batches of this process back. Find out what other processes sent before you continue the run.
    """


class SessionMisused(ThingSpaceError):
    """The session was opened twice, or used from another event loop than its own."""


class SessionClosed(SessionMisused):
    """The session was not open, or was closed during the call."""

    sent: bool = False
    """Whether the request may have reached the platform before the session was closed."""


class StoreUnavailable(ThingSpaceError):
    """The shared store cannot be reached; nothing was sent.

    Raised if the store was made with `on_store_failure="raise"`. Try again when the store can be reached.
    """


class CallError(ThingSpaceError):
    """A call failed. The subclasses say how."""

    body: bytes | None = None
    """The raw answer, or a part of it. It may hold a secret, so reprs and pickles leave it out."""

    def __init__(self, message: str, *, operation: str, tries: int = 1, body: bytes | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        """Name of the call, such as `devices.list`."""
        self.tries = tries
        """Number of tries to send the request, including the last one."""
        self.body = body

    def __str__(self) -> str:
        return f"{self.operation}: {self.message}"


class RequestNotSent(CallError):
    """The request never reached the platform: it is safe to repeat it."""


class AnswerLost(CallError):
    """The request was sent, but its answer was lost. The platform may have carried the request out.

    Find out before you repeat a call that changes or bills something.
    """


class AnswerTimedOut(AnswerLost):
    """The answer was not complete within the time limit."""


class AnswerUnreadable(CallError):
    """The platform answered, but not as documented; the call has probably been carried out."""

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        path: str | None = None,
        status: int | None = None,
        tries: int = 1,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message, operation=operation, tries=tries, body=body)
        self.path = path
        """Place in the answer, such as `devices[499].deviceIds[0].id`. None if the whole answer is unreadable."""
        self.status = status

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return f"{self.operation}: unreadable answer{where}: {self.message}"


class RequestPending(ThingSpaceError):
    """The time limit passed while the platform was working on the request. Waiting again does no harm."""


class OutcomesMissing(ThingSpaceError):
    """The time limit passed before all devices of a request had an outcome, or before its message arrived.

    Waiting again does no harm.
    """

    def __init__(
        self,
        message: str,
        *,
        outcomes: tuple[Any, ...] = (),
        missing: tuple[Any, ...] = (),
        unmatched: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(message)
        self.outcomes = outcomes
        """Outcomes in the order of arrival, if `all` raised this error. A walk has yielded them already."""
        self.missing = missing
        """Devices without an outcome. Empty if only the number of devices was given."""
        self.unmatched = unmatched
        """Outcomes that belong to none of the request's devices."""


class DeviceFailed(ThingSpaceError):
    """A request failed for one of its devices."""

    def __init__(self, message: str, *, outcome: Any) -> None:
        super().__init__(message)
        self.outcome = outcome


class RequestFailed(ThingSpaceError):
    """The platform accepted a request, and reported later that it failed as a whole."""

    def __init__(self, message: str, *, received: Any) -> None:
        super().__init__(message)
        self.received = received
        """The stored message, with its `fault`."""


class ListenersTaken(ThingSpaceError):
    """Another URL is registered for a callback service, and `replace` does not allow replacing it.

    Nothing was changed.
    """

    def __init__(self, message: str, *, urls: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.urls: Mapping[str, str] = urls or {}
        """Registered URL of each service, without user, password and query, which may be secret."""


class ListenersLeft(ThingSpaceError):
    """The former listeners could not be restored: see `session.callbacks.list`."""

    def __init__(self, message: str, *, services: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.services = services


class LicensesMissing(ThingSpaceError):
    """Devices of an upgrade remain without a license. The campaign was not scheduled."""

    def __init__(self, message: str, *, devices: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.devices = devices
        """Their IMEIs."""


class SecretNotKept(ThingSpaceError):
    """The platform has made a new password or key, and `keep` did not store it.

    Store `secret` now: the platform may never show it again. The error of `keep` is the cause.
    """

    secret: Any = None
    """What `keep` was called with. Reprs and pickles leave it out."""

    def __init__(self, message: str, *, secret: Any = None) -> None:
        super().__init__(message)
        self.secret = secret


class ClientNotReady(ThingSpaceError):
    """A V2X client is enrolled and `keep` has its certificate, but no file could be written for OpenSSL."""

    secret: Any = None
    """The Certificate with its key, for an SSLContext of your own. Reprs and pickles leave it out."""

    def __init__(self, message: str, *, device_id: str, urls: tuple[str, ...], secret: Any = None) -> None:
        super().__init__(message)
        self.device_id = device_id
        self.urls = urls
        """The MQTT servers that serve the place."""
        self.secret = secret


class SensorNotOnboarded(ThingSpaceError):
    """The platform accepted the onboarding of a sensor, and reported later that it failed."""

    def __init__(self, message: str, *, event: Any) -> None:
        super().__init__(message)
        self.event = event
        """The BoardingEvent that reports the failure."""


class StreamTaken(ThingSpaceError):
    """The account streams events of this kind to another target, or with another filter. Nothing was changed."""

    def __init__(self, message: str, *, subscription_id: str | None = None, target_id: str | None = None) -> None:
        super().__init__(message)
        self.subscription_id = subscription_id
        """The subscription that exists."""
        self.target_id = target_id
        """Its target."""


class ApiError(CallError):
    """The platform answered with an error."""

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        tries: int = 1,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message, operation=operation, tries=tries, body=body)
        self.status = status
        self.code = code
        """The platform's error code, verbatim."""
        self.request_id = request_id
        """The platform's id of the request, for questions to Verizon's support. None if the answer has none."""
        self.retry_after = retry_after
        """Seconds to wait, as requested by the platform."""

    @property
    def short_code(self) -> str | None:
        """`code` without the name of the service. It is the same for all services and releases."""
        # https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Synchronous_Error_Messages/
        if self.code is None:
            return None
        service, dot, rest = self.code.partition(".")
        return rest if dot and service.endswith("Service") else self.code

    def __str__(self) -> str:
        code = f" ({self.code})" if self.code else ""
        return f"[{self.status}] {self.operation}: {self.message}{code}"


class BadRequest(ApiError):
    """The request is wrong; `short_code` says why (400 and the other 4xx)."""


class StatusNotOffered(BadRequest):
    """The platform reports no status for this kind of request. It does so only for single devices and few calls."""


class Unauthorized(ApiError):
    """The platform refused a token or the key, and a new token did not help (401)."""


class LoginRefused(Unauthorized):
    """The platform refused the username or the password. Verizon locks the user at the fifth refusal in a row.

    The guard does not send the same password again. After three refusals of a user it sends no new password either. To
    override it, pass `force=True` to `open()` or `log_in()`. `status` is 0 if the guard withheld a password that the
    platform has not refused.
    """


class UserLocked(LoginRefused):
    """The user is locked after five refused logins. Only Verizon's support can unlock it.

    The platform refuses even the correct password. After the user is unlocked, pass `force=True` to `open()` or
    `log_in()`.
    """


class Forbidden(ApiError):
    """The user or the key does not have this permission (403)."""


class NotFound(ApiError):
    """The resource or the URL does not exist (404), or the user cannot see the device."""


class Conflict(ApiError):
    """The request conflicts with the state on the platform (409)."""


class RateLimited(ApiError):
    """Too many requests. This request was not carried out (429, or a gateway code 9008xx)."""


class ServerFault(ApiError):
    """The platform failed (5xx, 408 or 499). It may have carried the request out."""
