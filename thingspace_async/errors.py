"""Every error that this package raises.

    ThingSpaceError
    ├── ConfigurationError      credentials, environment or options that cannot work
    ├── InvalidRequest          an argument that cannot be sent; nothing was (also a ValueError)
    ├── MessageUnreadable       what came to a listener is no message (also a ValueError)
    ├── InboxUnavailable        an inbox that is closed, or whose file cannot be used
    ├── SessionMisused          opened twice, or used from another event loop
    │   └── SessionClosed       used before it was opened or after it was closed
    ├── StoreUnavailable        what sessions share cannot be reached; nothing was sent
    ├── RequestNotSent          nothing reached the platform: safe to repeat
    ├── AnswerLost              sent, outcome unknown
    │   └── AnswerTimedOut
    ├── AnswerUnreadable        answered, but not as documented
    ├── RequestPending          the time was over, and the platform still at work on a request
    ├── OutcomesMissing         the time was over, and devices had no outcome: it has those that came, too
    ├── DeviceFailed            the platform failed at a request for one device
    ├── ListenersTaken          a service's messages go to another URL; nothing was changed
    ├── ListenersLeft           listeners are not as they were before
    └── ApiError                the platform said no
        ├── BadRequest          400 and the other 4xx
        │   └── StatusNotOffered    the request is not of the few whose status can be asked for
        ├── Unauthorized        401
        │   └── LoginRefused    wrong username or password, or a locked user
        ├── Forbidden           403
        ├── NotFound            404, or a device that is not there
        ├── Conflict            409
        ├── RateLimited         429, or the gateway's throttling codes
        └── ServerFault         5xx

All of them pickle and copy. A raw body may hold a token, so `body` is shown by no repr and enters no pickle.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import orjson

if TYPE_CHECKING:
    from thingspace_async._types import DeviceIds
    from thingspace_async.callbacks.outcomes import Outcome

__all__ = [
    "AnswerLost",
    "AnswerTimedOut",
    "AnswerUnreadable",
    "ApiError",
    "BadRequest",
    "ConfigurationError",
    "Conflict",
    "DeviceFailed",
    "Forbidden",
    "InboxUnavailable",
    "InvalidRequest",
    "ListenersLeft",
    "ListenersTaken",
    "LoginRefused",
    "MessageUnreadable",
    "NotFound",
    "OutcomesMissing",
    "RateLimited",
    "RequestNotSent",
    "RequestPending",
    "ServerFault",
    "SessionClosed",
    "SessionMisused",
    "StatusNotOffered",
    "StoreUnavailable",
    "ThingSpaceError",
    "Unauthorized",
]


class ThingSpaceError(Exception):
    """Root of all errors of this package; raised only as one of its subclasses."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own __reduce__ calls the class with `args`, which fails for keyword-only arguments.
        state = {name: value for name, value in self.__dict__.items() if name != "body"}
        return _restore, (type(self), self.args, state)

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()


def _restore(cls: type[ThingSpaceError], args: tuple[object, ...], state: dict[str, object]) -> ThingSpaceError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(ThingSpaceError):
    """Credentials, an environment or an option cannot work; nothing was sent."""


class InvalidRequest(ThingSpaceError, ValueError):
    """An argument cannot be sent as it is; nothing was sent, and repeating it unchanged will not help."""


class MessageUnreadable(ThingSpaceError, ValueError):
    """What came to a listener is no message of the platform: it is no JSON object, or nested too deeply."""


class InboxUnavailable(ThingSpaceError):
    """An inbox is not open, or its file cannot be read or written; what was asked of it was not done.

    The text says what happened and what to do. A message that could not be stored is not answered with success, so that
    the platform sends it again.
    """


class SessionMisused(ThingSpaceError):
    """The session was opened twice, or used from another event loop than the one that opened it."""


class SessionClosed(SessionMisused):
    """The session was used before it was opened or after it was closed."""


class StoreUnavailable(ThingSpaceError):
    """What sessions share cannot be reached, and going on without it was not allowed; nothing was sent.

    Raised where the store was made with `on_store_failure="raise"`. Try again once it can be reached.
    """


class _CallError(ThingSpaceError):
    """What the errors of one call share."""

    body: bytes | None = None
    """The raw answer, as far as it was kept; it may hold a secret, so it is in no repr and no pickle."""

    def __init__(self, message: str, *, operation: str, tries: int = 1, body: bytes | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        """Name of the call, as in `devices.list`."""
        self.tries = tries
        """How often the request was sent, or tried to be sent, this time included."""
        self.body = body

    def __str__(self) -> str:
        return f"{self.operation}: {self.message}"


class RequestNotSent(_CallError):
    """No connection came about, so the platform never saw the request: it is safe to repeat it."""


class AnswerLost(_CallError):
    """The request was sent and its answer was lost: whether the platform carried it out is unknown.

    Find out before you repeat a call that changes or bills something.
    """


class AnswerTimedOut(AnswerLost):
    """The answer was not complete when the time for it was over."""


class AnswerUnreadable(_CallError):
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
        """Where in the answer, as in `devices[499].deviceIds[0].id`; None when the whole of it is at fault."""
        self.status = status

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return f"{self.operation}: unreadable answer{where}: {self.message}"


class RequestPending(ThingSpaceError):
    """The time was over, and the platform still at work on the request; to go on waiting does no harm."""


class OutcomesMissing(ThingSpaceError):
    """The time was over, and not all devices of a request had an outcome; to wait for them again does no harm."""

    def __init__(
        self, message: str, *, outcomes: tuple[Outcome, ...] = (), missing: tuple[DeviceIds, ...] = ()
    ) -> None:
        super().__init__(message)
        self.outcomes = outcomes
        """All that came, in the order in which they did."""
        self.missing = missing
        """The devices without an outcome; empty where only their number was given."""


class DeviceFailed(ThingSpaceError):
    """The platform failed at a request for one of its devices, or refused it."""

    def __init__(self, message: str, *, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class ListenersTaken(ThingSpaceError):
    """The messages of a service go to another URL, and nobody said to replace it; nothing was changed."""

    def __init__(self, message: str, *, urls: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.urls: Mapping[str, str] = urls or {}
        """By service, where its messages go; without what may be secret in a URL, user, password and query."""


class ListenersLeft(ThingSpaceError):
    """Listeners could not be put back as they were before: see `session.callbacks.list`."""

    def __init__(self, message: str, *, services: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.services = services


class ApiError(_CallError):
    """The platform refused the request or failed at it."""

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
        """What to quote to Verizon's support, where the answer's headers named one."""
        self.retry_after = retry_after
        """Seconds that the platform asked to wait."""

    @property
    def short_code(self) -> str | None:
        """`code` without the name of the service, which is what stays the same between services and releases."""
        # https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Synchronous_Error_Messages/
        if self.code is None:
            return None
        service, dot, rest = self.code.partition(".")
        return rest if dot and service.endswith("Service") else self.code

    def __str__(self) -> str:
        code = f" ({self.code})" if self.code else ""
        return f"[{self.status}] {self.operation}: {self.message}{code}"


class BadRequest(ApiError):
    """The platform found the request wrong; `short_code` says why (400 and the other 4xx)."""


class StatusNotOffered(BadRequest):
    """The platform does not tell the status of this request: it does so for single devices and few calls only."""


class Unauthorized(ApiError):
    """A token or key was refused, and renewing it once did not help (401)."""


class LoginRefused(Unauthorized):
    """The platform refused the username or the password; Verizon locks the user at the fifth refusal in a row.

    The same password is not sent again by this process until `open(force=True)` or `log_in(force=True)`. The status is
    0 when log-ins went unanswered so that nothing was sent any more.
    """


class Forbidden(ApiError):
    """The user or the key may not do this (403)."""


class NotFound(ApiError):
    """No such thing or no such address (404)."""


class Conflict(ApiError):
    """The request contradicts the state on the platform (409)."""


class RateLimited(ApiError):
    """Too many requests; this one was not carried out (429, or a gateway code 9008xx)."""


class ServerFault(ApiError):
    """The platform failed (5xx); whether it carried the request out is not known."""


ApiErrorT = TypeVar("ApiErrorT", bound=ApiError)


def retyped(error: ApiError, kind: type[ApiErrorT], message: str) -> ApiErrorT:
    """Make an error of a more telling class and text out of one, with all that is known of its answer."""
    return kind(
        message,
        operation=error.operation,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        tries=error.tries,
        body=error.body,
    )


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}

# No page of the platform names its request id header: these are the common ones and WSO2's (ASSUMPTION).
_REQUEST_IDS: Final = ("X-Request-Id", "X-Correlation-Id", "activityid")

_REDIRECTED: Final = (
    "answered with a redirect, which is not followed because tokens would travel with it; check the environment's URL"
)

_UNEXPLAINED: Final[Mapping[type[ApiError], str]] = {
    ServerFault: "the platform failed and gave no explanation; try again later",
    RateLimited: "too many requests; make fewer, or try again later",
}

_LONGEST_MESSAGE: Final = 200
_LONGEST_BODY: Final = 65_536


def request_id(headers: Mapping[str, str]) -> str | None:
    """Find the id that the platform gave to a request, in the headers of its answer."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)


def api_error(
    operation: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tries: int = 1,
    redact: Callable[[str], str] = str,
) -> ApiError:
    """Make the typed error for an answer that is no success; `redact` removes the secrets that its text may echo."""
    code, message = _read_shape(body)
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = ServerFault if status >= 500 else BadRequest if status >= 400 else ApiError
    if code is not None and len(code) == 6 and code.startswith("9008"):
        kind = RateLimited  # WSO2's throttling comes with any status (protocol.md 6)
    if 300 <= status < 400:
        message = _REDIRECTED
    elif code == "900906":  # The gateway knows no such address.
        message = f"{message}; check the environment's base URL and the path"
    return kind(
        _one_line(redact(message or "")) or _UNEXPLAINED.get(kind, "no explanation given"),
        operation=operation,
        status=status,
        code=None if code is None else _one_line(redact(code)),
        request_id=request_id(headers),
        retry_after=_retry_after(headers.get("Retry-After")),
        tries=tries,
        body=body[:_LONGEST_BODY],
    )


def _read_shape(body: bytes) -> tuple[str | None, str | None]:
    """Read code and message from any of the error shapes of the platform's APIs, its gateway, or plain text."""
    try:
        shape = orjson.loads(body)
    except ValueError:
        return None, body[:_LONGEST_BODY].decode("utf-8", "replace")
    if not isinstance(shape, dict):
        return None, None
    if isinstance(fault := shape.get("fault"), dict):  # WSO2's gateway
        return _text(fault.get("code")), _join(fault.get("message"), fault.get("description"))
    if "errorCode" in shape or "errorMessage" in shape:  # connectivity, location, diagnostics, software management
        return _text(shape.get("errorCode")), _text(shape.get("errorMessage"))
    if "error" in shape:  # OAuth, and the cloud connector with its `cause`
        detail = _join(shape.get("error_description"), shape.get("cause"))
        return _text(shape.get("error")), detail or _text(shape.get("error"))
    if "responseCode" in shape:  # hyper-precise location
        return _text(shape.get("responseCode")), _text(shape.get("message"))
    extra = shape.get("data")  # 5G edge: {"status", "message", "data": {"additionalMessage"}}
    more = extra.get("additionalMessage") if isinstance(extra, dict) else None
    return _text(shape.get("status")), _join(shape.get("message"), more)


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _join(*parts: object) -> str | None:
    return ": ".join(text for part in parts if (text := _text(part))) or None


def _one_line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return max(0.0, float(int(value)))
    except (ValueError, OverflowError):
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # `-0000` says UTC without saying where the server stands, and gives no zone.
    return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - time.time())
