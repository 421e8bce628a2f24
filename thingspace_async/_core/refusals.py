"""The meaning of error answers: which error to raise, which token was rejected, whether a password was refused.

Nothing here does I/O.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any, Final, Literal, TypeVar

import orjson

from thingspace_async._core.operation import Server
from thingspace_async.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    LoginRefused,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    UserLocked,
)

__all__ = [
    "TokenKind",
    "api_error",
    "ends_login",
    "header_safe",
    "login_refusal",
    "refuses_password",
    "rejected_token",
    "request_id",
    "retyped",
]

TokenKind = Literal["oauth", "session"]


def header_safe(text: str) -> bool:
    """Return whether a token can be sent in a header: visible characters only, which cannot start another header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


ApiErrorT = TypeVar("ApiErrorT", bound=ApiError)


def retyped(error: ApiError, kind: type[ApiErrorT], message: str) -> ApiErrorT:
    """Return a copy of an error with another class and message."""
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
    # A proxy or the server timed out. As with a 5xx, the request may have been carried out.
    408: ServerFault,
    409: Conflict,
    429: RateLimited,
    499: ServerFault,
}
_BY_HUNDREDS: Final[Mapping[int, type[ApiError]]] = {4: BadRequest, 5: ServerFault}

# Diagnostics refuses requests with a 500 (PROTOCOL.md 2.3).
_REFUSED_BY_500: Final = frozenset({"DEVICE_UNREGISTERED", "UNREGISTERED_ACCOUNT", "INACTIVE_ACCOUNT", "NOT_FOUND"})

# The platform's pages do not name a header for request ids. These are the common ones and WSO2's (ASSUMPTION).
_REQUEST_IDS: Final = ("X-Request-Id", "X-Correlation-Id", "activityid")

_REDIRECTED: Final = (
    "answered with a redirect, which is not followed because it would receive the tokens; check the environment's URL"
)

_UNEXPLAINED: Final[Mapping[type[ApiError], str]] = {
    ServerFault: "the platform failed without an explanation; try again later",
    RateLimited: "too many requests; send fewer, or try again later",
}

_UNKNOWN_OUTCOME: Final = (
    "the platform failed without an explanation. It may have carried the request out: find out before you repeat it"
)

_LONGEST_MESSAGE: Final = 200
_LONGEST_BODY: Final = 65_536
_LONGEST_READ: Final = 10 * _LONGEST_MESSAGE


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the platform's id of a request from the headers of its answer."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)


def api_error(
    operation: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tries: int = 1,
    once: bool = False,
    redact: Callable[[str], str] = str,
) -> ApiError:
    """Make the typed error for an unsuccessful answer.

    `once` is whether the request must not be repeated unless its outcome is known. `redact` removes secrets that the
    answer may repeat.
    """
    code, message, uuid = _read_shape(body)
    kind = _BY_STATUS.get(status) or _BY_HUNDREDS.get(status // 100, ApiError)
    if status == 500 and code in _REFUSED_BY_500:
        kind = BadRequest
    if code is not None and len(code) == 6 and code.startswith("9008"):
        kind = RateLimited  # WSO2's throttling codes occur with any status (PROTOCOL.md 6)
    if 300 <= status < 400:
        message = _REDIRECTED
    elif code == "900906":  # The gateway does not know this URL.
        message = f"{message or 'no such address'}; check the environment's base URL and the path"
    unexplained = _UNKNOWN_OUTCOME if once and kind is ServerFault else _UNEXPLAINED.get(kind, "no explanation given")
    known = request_id(headers) or uuid
    return kind(
        _one_line(redact(message or "")) or unexplained,
        operation=operation,
        status=status,
        code=None if code is None else _one_line(redact(code)),
        request_id=None if known is None else _one_line(redact(known)),
        retry_after=_retry_after(headers.get("Retry-After")),
        tries=tries,
        body=body[:_LONGEST_BODY],
    )


def _read_shape(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Read code, message and request id from plain text or any error shape of the platform's APIs or its gateway."""
    try:
        shape = orjson.loads(body)
    except ValueError:
        return None, body[:_LONGEST_BODY].decode("utf-8", "replace"), None
    if not isinstance(shape, dict):
        return None, None, None
    return *_read_object(shape), _text(shape.get("uuid"))  # ETX and map data give a uuid.


def _read_object(shape: dict[str, Any]) -> tuple[str | None, str | None]:
    if isinstance(fault := shape.get("fault"), dict):  # WSO2's gateway
        return _text(fault.get("code")), _join(fault.get("message"), fault.get("description"))
    if "errorCode" in shape or "errorMessage" in shape:  # connectivity, location, diagnostics, software management
        return _text(shape.get("errorCode")), _text(shape.get("errorMessage"))
    if "error" in shape:  # OAuth, the cloud connector with its `cause`, ETX with a `description`
        detail = _join(shape.get("error_description"), shape.get("description"), shape.get("cause"))
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
    # A body may have megabytes of text, and this runs on the event loop.
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_LONGEST_READ]).split())
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
    # The zone `-0000` means UTC, but is parsed without a zone.
    return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - time.time())


# Rejected tokens

_BAD_BEARER: Final = frozenset({"900901", "900902", "900903", "900904", "invalid_token"})

# These servers do not document how they reject a token (ASSUMPTION: with a 401 and any code).
_UNEXPLAINED_401: Final[frozenset[Server]] = frozenset(
    {
        "imp",
        "diagnostics",
        "hyper_precise_location",
        "hyper_precise_credentials",
        "software_management_v1",
        "software_management_v2",
        "software_management_v3",
    }
)
_BOTH: Final[frozenset[TokenKind]] = frozenset({"oauth", "session"})


def rejected_token(
    error: ApiError, server: Server = "thingspace", renewable: frozenset[TokenKind] = _BOTH
) -> TokenKind | None:
    """Return the token that an error rejects, in the forms of the platform's APIs (PROTOCOL.md 2).

    `renewable` holds the tokens that this call has not renewed yet. If a server's 401 does not name the token, the
    OAuth token is renewed first, and the session token after a second 401.
    """
    code, message = error.short_code or "", error.message.casefold()
    if "SessionToken." in code:
        return "session"
    if code == "INVALID_PARAMETER" and "the session has expired" in message:  # location: only its text differs
        return "session"
    if code == "unauthorized" and "uws v1 rest accounts: [400]" in message:  # cloud connector
        return "session"
    if code == "internal_server_error" and server == "cloud_connector" and "[401]" in message:
        return "oauth"
    if code == "INVALID_ACCOUNT" and server == "diagnostics" and "uws" in message:
        return "session"
    if code in _BAD_BEARER:
        return "oauth"
    if error.status == 401 and server in _UNEXPLAINED_401:
        return "oauth" if "oauth" in renewable else "session"
    return "oauth" if error.status == 401 and error.code is None else None


# Refused logins


def refuses_password(error: ApiError) -> bool:
    """Return whether the answer to a login refuses the user or the password.

    The codes are not documented, so every 4xx with a dotted `errorCode` counts (PROTOCOL.md 2.4). Answers in any other
    shape come from the gateway or a firewall, which do not check passwords.
    """
    return 400 <= error.status < 500 and error.status != 429 and _is_platform_code(error.code)


def ends_login(error: ApiError) -> bool:
    """Return whether a login must not be sent again with a new OAuth token.

    A 401 without a known code may come from a firewall or mean the password. A second login could be another refusal.
    """
    return (error.short_code or "") not in _BAD_BEARER


def _is_platform_code(code: str | None) -> bool:
    return code is not None and re.fullmatch(_PLATFORM_CODE, code) is not None


_PLATFORM_CODE: Final = r"\w+(\.\w+)+"


def login_refusal(error: ApiError) -> LoginRefused:
    """Make the error for a login that the platform refused."""
    reason = error.message.rstrip(".")
    if _says_locked(error):
        return retyped(error, UserLocked, f"{reason}; only Verizon's support can unlock the user: contact them")
    advice = "check username and password: five refusals in a row lock the user"
    return retyped(error, LoginRefused, f"{reason}; {advice}")


def _says_locked(error: ApiError) -> bool:
    # ASSUMPTION: the answer for a locked user is not documented. A warning that the user will be locked does not count.
    if re.search(_LOCK_CODE, error.short_code or ""):
        return True
    message = error.message.casefold()
    return re.search(_LOCKED, message) is not None and re.search(_NOT_YET, message) is None


_LOCK_CODE: Final = r"(?i)(?<![bc])lock"
_LOCKED: Final = r"\block(?:ed|out)?\b"
_NOT_YET: Final = r"\b(?:will|would|may|might|not|before|after)\b"
